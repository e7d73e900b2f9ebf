import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import pino from 'pino'
import { onTestFinished, vi } from 'vitest'
import { type Connection, connect, type Listener, listen } from '../src/sockets.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'

/** A folder for one test, deleted after it. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rpi-cluster-core-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The objects of a file of JSON lines. Throws when a line is not JSON. */
export function jsonLines(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

export interface Program {
  child: ChildProcess
  stdout: string
  stderr: string
  /** Resolves with the exit code, or with the name of the signal that killed it. */
  ended: Promise<number | string>
}

/** For a shell: says as systemd does which file the console is, and becomes the program that is named after it. */
const TELLS_CONSOLE =
  'exec 3>&1; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/3); exec 3>&-; export JOURNAL_STREAM; exec "$@"'

const TSX = pathToFileURL(fileURLToPath(import.meta.resolve('tsx'))).href

/**
 * Starts a program as a process of its own. Its path counts from `fixtures/`.
 *
 * @param options `maxDescriptors`: how many files and connections it may have open. `network`: whether it gets a network
 *   of its own, which is down. `files`: whether what it mounts stays its own. `journal`:
 *   whether it is told that its console is the journal. `socket`: the descriptor of one that it is handed over, as systemd
 *   does it, and what is said of that, with $$ for its process
 */
export function start(
  program: string,
  args: string[] = [],
  {
    maxDescriptors,
    network = false,
    files = false,
    journal = false,
    socket,
    ...options
  }: {
    cwd?: string
    env?: NodeJS.ProcessEnv
    maxDescriptors?: number
    network?: boolean
    files?: boolean
    journal?: boolean
    socket?: { descriptor: number; said: string }
  } = {},
): Program {
  const source = program.startsWith('/')
    ? ['--import', TSX, program]
    : [join(BUILT_FIXTURES, program.replace(/ts$/, 'js'))]
  const limited =
    maxDescriptors === undefined ? [] : ['sh', '-c', `ulimit -n ${maxDescriptors}; exec "$@"`, 'sh']
  const asService = journal ? ['sh', '-c', TELLS_CONSOLE, 'sh'] : []
  const withSocket = socket ? ['sh', '-c', `export ${socket.said}; exec "$@"`, 'sh'] : []
  const own = [...(network ? ['--net'] : []), ...(files ? ['--mount'] : [])]
  const apart = own.length > 0 ? ['unshare', '--map-root-user', ...own] : []
  const [file = '', ...rest] = [
    ...limited,
    ...asService,
    ...withSocket,
    ...apart,
    process.execPath,
    ...source,
    ...args,
  ]
  const descriptors = socket ? [socket.descriptor] : []
  const child = spawn(file, rest, { ...options, stdio: ['ignore', 'pipe', 'pipe', ...descriptors] })
  const started: Program = {
    child,
    stdout: '',
    stderr: '',
    ended: once(child, 'close').then(([code, signal]) => code ?? signal),
  }
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    started.stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    started.stderr += text
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return started
}

/** A logger that keeps what it was told, to be looked at. */
export function recordingLog() {
  const records: { level: string; msg: string; err?: { stack: string } }[] = []
  const log = pino(
    { level: 'debug', formatters: { level: (level) => ({ level }) } },
    { write: (line) => void records.push(JSON.parse(line)) },
  )
  return { log, records }
}

/** An AbortController whose signal is aborted when the test is over. */
export function stopAfterTest(): AbortController {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  return controller
}

/** Puts commands before the system's that only note how they were called, until the test ends, and returns where they note it. */
export function notedCommands(...names: string[]): string {
  const folder = tempFolder()
  const calls = join(folder, 'calls')
  for (const name of names) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> '${calls}'\n`)
    chmodSync(join(folder, name), 0o755)
  }
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
  return calls
}

export function portOf(listener: Listener): number {
  return Number(listener.address.split(':').at(-1))
}

/** Both ends of a connection over a real socket: the listening program's, and the connecting program's. */
export async function connectedPair(options: { maxWaitingBytes?: number } = {}) {
  const { signal: stop } = stopAfterTest()
  let accept = (_connection: Connection) => {}
  const accepted = new Promise<Connection>((resolve) => (accept = resolve))
  const listener = await listen(
    { peer: 'slave', host: '127.0.0.1', port: 0, stop, log: recordingLog().log, ...options },
    async (connection) => {
      accept(connection)
      await once(connection.socket, 'close')
    },
  )
  const slave = await connect({ peer: 'master', host: '127.0.0.1', port: portOf(listener), stop, ...options })
  return { master: await accepted, slave }
}
