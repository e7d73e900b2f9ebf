/**
 * How a program does, for scripts: it answers on a socket of its machine, and who asks gets a JSON document and an exit code.
 *
 * The event loop answers, so one that hangs is found out by whoever asks.
 *
 * @since 0.23.0
 */
import { addAbortListener, once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { OperationalError, stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { programFolder } from './program-folder.ts'

/** How long a program may take to answer how it does, in ms, unless told otherwise. */
const DEFAULT_ANSWER_TIMEOUT_MS = 5_000

/** How large an answer may be, in bytes. */
const MAX_ANSWER_BYTES = 256 * 1024

/** How many may ask at once. Further ones are not answered. */
const MAX_ASKING = 16

/** How many programs of one name and one folder may answer. */
const MOST_IN_A_FOLDER = 1_000

/** How long a socket's path may be, in bytes: unix(7). */
const MAX_PATH_BYTES = 107

/** How a program does. What else there is to say stands beside it. */
export interface Health {
  /** Whether it does what it is for. */
  healthy: boolean
  /** What it does, in a line. */
  status: string
  [more: string]: unknown
}

export interface TellHealthOptions {
  /** What the program is called: `primary`. */
  program: string
  /** How it does now. It should not take long; what it throws is told as not healthy. */
  health: () => Health | Promise<Health>
  /** Where is told that nobody can ask. */
  log: Logger
  /** The folder of the socket. Default: {@link healthFolder} */
  folder?: string
  /** Ends it. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** What was learned of a program. */
export interface KnownHealth {
  /** What to exit with: 0 when it does what it is for, 1 when it does not, 3 when it does not run. */
  exitCode: 0 | 1 | 3
  /** What it has said, or what is to be said of it. */
  health: Health
}

/**
 * Answers whoever of this machine asks how this program does, until it is stopped: root, and the group of the service. Of
 * several with one name and one folder the first answers as `primary`, the next as `primary-2`, as identities are called.
 * Where it cannot answer, that is a warning, and the program goes on.
 */
export async function tellHealth({
  program,
  health,
  log,
  folder = healthFolder(program),
  stop = stopRequest,
}: TellHealthOptions): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => void answer(socket, program, health))
  server.maxConnections = MAX_ASKING
  try {
    mkdirSync(folder, { recursive: true })
    await listenOnFirstFree(server, folder, program)
  } catch (error) {
    log.warn(`How this program does, nobody can ask in ${folder}: ${(error as Error).message}`)
    return
  }
  server.on('error', () => {}) // one that could not be accepted may ask again
  addAbortListener(stop, () => server.close())
  server.unref()
}

/** Whether nobody answers there. What an ended process has left there is taken away. */
async function isFree(path: string): Promise<boolean> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new Error(`the path of a socket has at most ${MAX_PATH_BYTES} bytes`)
  if (!existsSync(path)) return true
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return false
  } catch {
    rmSync(path, { force: true })
    return true
  } finally {
    socket.destroy()
  }
}

async function listenOnFirstFree(server: Server, folder: string, program: string): Promise<void> {
  for (let count = 1; count <= MOST_IN_A_FOLDER; count += 1) {
    const path = join(folder, count === 1 ? `${program}.sock` : `${program}-${count}.sock`)
    if (!(await isFree(path))) continue
    try {
      server.listen(path)
      await once(server, 'listening')
      chmodSync(path, 0o660)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error // another one was first
    }
  }
  throw new Error(`${MOST_IN_A_FOLDER} programs called ${program} answer there`)
}

async function answer(socket: Socket, program: string, health: TellHealthOptions['health']): Promise<void> {
  socket.on('error', () => {}).resume()
  socket.setTimeout(DEFAULT_ANSWER_TIMEOUT_MS, () => socket.destroy())
  const { pid } = process
  const upSeconds = Math.floor(process.uptime())
  let now: Health
  try {
    now = await health()
  } catch (error) {
    now = { healthy: false, status: `It cannot say how it does: ${(error as Error).message}` }
  }
  socket.end(`${JSON.stringify({ program, ...now, pid, upSeconds })}\n`)
}

/**
 * The folder in which a program has the socket for who asks how it does: where systemd has made one for it
 * (`RUNTIME_DIRECTORY`), or that of its service, or else `run` in the {@link programFolder}.
 */
export function healthFolder(program: string): string {
  const own = process.env['RUNTIME_DIRECTORY']?.split(':')[0]
  if (own) return own
  const ofService = `/run/rpicluster-${program}`
  return existsSync(ofService) ? ofService : join(programFolder(), 'run')
}

/**
 * Asks a program of this machine how it does. One that does not answer in time, or says nothing that can be read, is not
 * healthy.
 *
 * @param program what it is called: `primary`; of several with one folder the second is `primary-2`
 * @param options `folder`: that of its socket; default: {@link healthFolder}. `timeoutMs`: how long it may take, in ms;
 *   default: 5,000
 * @throws OperationalError when this user may not ask
 */
export async function askHealth(
  program: string,
  {
    folder = healthFolder(program),
    timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS,
  }: { folder?: string; timeoutMs?: number } = {},
): Promise<KnownHealth> {
  const path = join(folder, `${program}.sock`)
  const socket = connect(path)
  const timeout = setTimeout(
    () => socket.destroy(new Error(`It has not answered in ${timeoutMs / 1_000} s: does it hang?`)),
    timeoutMs,
  )
  let text = ''
  let isThere = false
  try {
    await once(socket, 'connect')
    isThere = true
    for await (const piece of socket.setEncoding('utf8')) {
      text += piece
      if (text.length > MAX_ANSWER_BYTES) throw new Error('It says too much.')
    }
    const health = JSON.parse(text) as Health
    if (typeof health?.healthy !== 'boolean') throw new Error('It does not say whether it is healthy.')
    return { exitCode: health.healthy ? 0 : 1, health }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EACCES')
      throw new OperationalError(
        `This user may not ask how ${program} does, on ${path}. Ask as root, or as a member of its group, rpicluster.`,
        { cause: error },
      )
    if (!isThere && (code === 'ENOENT' || code === 'ECONNREFUSED'))
      return { exitCode: 3, health: { program, healthy: false, status: 'It does not run' } }
    const status = error instanceof SyntaxError ? 'It has ended while it answered' : message
    return { exitCode: 1, health: { program, healthy: false, status } }
  } finally {
    clearTimeout(timeout)
    socket.destroy()
  }
}
