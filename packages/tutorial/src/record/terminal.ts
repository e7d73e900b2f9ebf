/**
 * Runs a command in a pseudo terminal, so that it prints what it prints for a person, colours and all.
 *
 * Python's `pty` makes the terminal, in terminal.py. It is on every Debian, Raspberry Pi OS and Mac
 * with developer tools, and the tests need Python anyway. node-pty would have to be compiled on Linux
 * by an install script, and none runs here. `script` of util-linux types an end of file into the
 * terminal when it has no input, takes the size from a terminal of its own, and has other options on a Mac.
 */
import { StringDecoder } from 'node:string_decoder'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { ReaderError } from '../workspace/reader-error.ts'

export interface TerminalOptions {
  columns: number
  rows: number
  /** The folder to run in. */
  cwd: string
  /** The whole environment. */
  env: Record<string, string>
  /** Called with each piece of output when it comes. */
  onOutput: (text: string) => void
  /** Ends the command, as SIGTERM does. */
  signal?: AbortSignal
}

/** How long a command may take to end after it was told to, in ms, before its terminal goes away: longer than the start tool needs. */
const KILL_AFTER_MS = 15_000

/**
 * Runs a shell's command in a terminal of its own until it ends.
 *
 * @returns its exit code
 * @throws ReaderError when there is no python3
 */
export async function runInTerminal(command: string, options: TerminalOptions): Promise<number> {
  const { columns, rows, cwd, env, onOutput, signal } = options
  const program = fileURLToPath(new URL('terminal.py', import.meta.url))
  const child = execa('python3', [program, String(columns), String(rows), 'sh', '-c', command], {
    cwd,
    env,
    extendEnv: false,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'buffer',
    buffer: false,
    reject: false,
    // Out of reach of this terminal's Ctrl-C, which would end Python before what runs in it.
    detached: true,
    forceKillAfterDelay: KILL_AFTER_MS,
    ...(signal && { cancelSignal: signal }),
  })
  const decoder = new StringDecoder()
  child.stdout.on('data', (bytes: Buffer) => {
    const text = decoder.write(bytes)
    if (text) onOutput(text)
  })
  const { exitCode, code } = await child
  if (code === 'ENOENT') throw new ReaderError('A recording needs python3, which is not installed here.')
  return exitCode ?? 1
}
