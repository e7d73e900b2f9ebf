import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import pino from 'pino'
import pretty from 'pino-pretty'

const stop = new AbortController()
process.on('SIGINT', () => stop.abort())
process.on('SIGTERM', () => stop.abort())

const log = pino(
  { level: 'debug', base: { pid: process.pid, thread: threadId } },
  pino.multistream([
    { level: 'info', stream: consoleLines() },
    { level: 'debug', stream: openLogFile(join(import.meta.dirname, '..', 'mainlogger.log')) },
  ]),
)

log.info('Starting script...')
while (!stop.signal.aborted) {
  log.info('Node slave still alive')
  log.info('Looking for work to run')
  const job = findWork()
  log.debug(`The work finder returned ${job}`)
  if (!job) log.info('Found no jobs to perform, going to sleep again')
  await sleep(10_000, undefined, { signal: stop.signal }).catch(() => {})
}
log.info('Stopped')

/** Finds the next job to run. Nobody gives out jobs yet, so there is none. */
function findWork(): string | undefined {
  return undefined
}

/** Lines for people: time, level, thread and message. */
function consoleLines() {
  return pretty({
    sync: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,thread',
    messageFormat: 'thread {thread}: {msg}',
  })
}

/** A file that every line is written to before the program goes on, so that none is lost when it ends. */
function openLogFile(path: string) {
  try {
    return pino.destination({ dest: path, sync: true })
  } catch (error) {
    console.error(`Cannot write the log file (${error}). Move away what is there, or make it writable.`)
    process.exit(1)
  }
}
