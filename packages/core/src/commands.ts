/**
 * Running commands of the system from a node: without a shell, without waiting for anybody to type, within a time, and
 * with a line that says what to do when one does not work. A node has no one who sits in front of it.
 *
 * @since 0.8.0
 */
import spawn, { type Subprocess, SubprocessError } from 'nano-spawn'
import { OperationalError } from './lifecycle.ts'

/** How much of a command's output is kept for the line that says why it failed, in characters. */
const SHOWN_OF_OUTPUT = 200

/** A command: a program, and the words it is given. */
export type Command = readonly [program: string, ...words: string[]]

/** How long a program that was asked to end may take for it, in ms, before it is ended. */
const END_WITHIN_MS = 1_000

/** How a command is run. */
export interface CommandOptions {
  /** The folder that it runs in. */
  folder: string
  /** How long it may take, in milliseconds. */
  timeoutMs: number
  /** Called with each line that it prints, on either output, as it comes. */
  onLine?: (line: string) => void
  /** Ends it when aborted. */
  stop: AbortSignal
}

/**
 * Runs a command, and returns what it printed, without the last line end.
 *
 * It runs without a shell, so no word of it means more than itself. It cannot ask: its input is empty, and git, apt and
 * sudo are told to fail in place of asking. Its texts are English, whatever the machine speaks.
 *
 * @throws OperationalError when it is not there, takes too long, or ends with another exit code than 0
 * @throws the signal's reason, an AbortError, when `stop` is aborted first
 */
export async function runCommand(
  command: Command,
  { folder, timeoutMs, onLine, stop }: CommandOptions,
): Promise<string> {
  stop.throwIfAborted()
  const [program, ...words] = command
  const running = spawn(program, words, {
    cwd: folder,
    env: { ...withoutGitSettings(), ...NEVER_ASK },
    stdin: 'ignore',
  })
  const lines: string[] = []
  let timedOut = false
  const timeout = setTimeout(() => {
    timedOut = true
    void end(running)
  }, timeoutMs)
  const stopped = () => void end(running)
  stop.addEventListener('abort', stopped, { once: true })
  try {
    for await (const line of running) {
      lines.push(line)
      onLine?.(line)
    }
    return lines.join('\n')
  } catch (error) {
    stop.throwIfAborted()
    if (!(error instanceof SubprocessError)) throw error
    const why = timedOut
      ? `took longer than ${timeoutMs / 1000} s, and was ended.`
      : whyFailed(error, program, lines)
    throw new OperationalError(`"${asTyped(command)}" ${why}`, { cause: error })
  } finally {
    clearTimeout(timeout)
    stop.removeEventListener('abort', stopped)
  }
}

/** Asks a program to end, and ends it when it does not. */
async function end(running: Subprocess): Promise<void> {
  const child = await running.nodeChildProcess.catch(() => undefined) // it never began
  child?.kill()
  const insisting = setTimeout(() => child?.kill('SIGKILL'), END_WITHIN_MS)
  child?.once('exit', () => clearTimeout(insisting))
}

/** A command as somebody would type it into a shell. */
export function asTyped(command: Command): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ')
}

/** What keeps programs from asking somebody, and from speaking another language than the one looked for below. */
const NEVER_ASK = {
  LC_ALL: 'C',
  GIT_TERMINAL_PROMPT: '0',
  GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
  DEBIAN_FRONTEND: 'noninteractive',
}

/** Takes away what would make git work in another repository than that of the folder. */
function withoutGitSettings(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => name.startsWith('GIT_'))
  return Object.fromEntries(names.map((name) => [name, undefined]))
}

/** What a program prints, by what it means. The first that fits is told. */
const MEANINGS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [
    /a password is required|a terminal is required/,
    'needs a password, and nobody is there to type it. Allow this command to this user in /etc/sudoers, or run it as root.',
  ],
  [
    /is not in the sudoers file|may not run sudo|not allowed to execute/,
    'is not allowed to this user. Allow it in /etc/sudoers, or run it as root.',
  ],
  [
    /not a git repository/,
    'was run in a folder that is no clone of a repository, so there is no revision and no update.',
  ],
  [
    /not been booted with systemd|Failed to connect to bus/,
    'found no systemd at work here, which starts services. Is this the machine that the program is for?',
  ],
  [
    /Could not get lock|is another process using it|Unable to acquire the dpkg frontend lock/,
    'found the package manager at work already. Try again when that is done.',
  ],
  [
    /Could not resolve host|Temporary failure resolving|Network is unreachable|Could not connect to|Connection timed out|unable to access/,
    'found no network, or nobody at the other end. Is this machine online?',
  ],
  [
    /Authentication failed|could not read Username|Permission denied \(publickey|Host key verification failed/,
    'was not let in. Give this user a key that may read the repository.',
  ],
  [
    /would be overwritten|Please commit your changes|local changes/,
    'would overwrite changes that were made here. Take them back, or commit them.',
  ],
  [
    /divergent branches|Not possible to fast-forward|need to specify how to reconcile/,
    'found commits here that are not there. Bring the two together by hand.',
  ],
  [
    /There is no tracking information|no upstream|You are not currently on a branch/,
    'does not know where updates come from: this clone follows no branch.',
  ],
  [/dpkg was interrupted/, 'found an installation that was interrupted. Say sudo dpkg --configure -a first.'],
  [/No space left on device/, 'found no room left on the disk.'],
]

function whyFailed(error: SubprocessError, program: string, lines: readonly string[]): string {
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOENT') return `needs ${program}, which is not installed here.`
  if (code === 'EACCES') return `needs ${program}, which this user may not run.`
  const said = lines.join('\n')
  const meaning = MEANINGS.find(([pattern]) => pattern.test(said))?.[1]
  if (meaning) return meaning
  const how = error.signalName ? `was ended by ${error.signalName}` : `ended with exit code ${error.exitCode}`
  const last = said.trim().split('\n').at(-1)?.slice(0, SHOWN_OF_OUTPUT)
  return last ? `${how}: ${last}` : `${how}, and said nothing.`
}
