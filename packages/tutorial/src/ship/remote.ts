/**
 * A machine that commands are run on, by the system's own ssh: with the keys, names and settings that the reader's
 * `ssh` has. No command asks anything, since several machines may be asked at once. All commands of one machine go
 * through one connection.
 */
import { execa } from 'execa'
import { ReaderError } from '../workspace/reader-error.ts'
import { sh } from './shell.ts'

/** How long a machine may take to answer at all, in s. */
const CONNECT_TIMEOUT_S = 10

/** The exit code by which ssh says that it failed itself. A command's own is below. */
const SSH_FAILED = 255

/** What keeps a machine from getting its bundle: a line for each problem, which says what, where, and what to do. */
export class HostError extends Error {
  override readonly name = 'HostError'
}

/** How a command on the other machine ended. */
export interface Answer {
  isOk: boolean
  /** What it printed; of a command that only reads, its complaints too. */
  stdout: string
  /** The last line of its complaints, or else how it ended. */
  why: string
}

/** What goes into a command on the other machine. */
export interface Input {
  data: Uint8Array | string
  /** How a dry run shows where it comes from: a command, or words. */
  shown: string
}

interface RemoteOptions {
  /** A configuration file for ssh, in place of the reader's own. */
  sshConfig?: string | undefined
  /** A socket's path, by which its commands share one connection. */
  socket: string
  /** Called with each change, in place of making it. */
  instead?: ((command: string) => void) | undefined
}

export class Remote {
  /** As ssh is to find it: `pi@192.168.1.20`, or a name in the reader's configuration. */
  readonly host: string
  readonly #options: string[]
  readonly #instead: ((command: string) => void) | undefined

  constructor(host: string, { sshConfig, socket, instead }: RemoteOptions) {
    this.host = host
    this.#instead = instead
    this.#options = [
      ...(sshConfig === undefined ? [] : ['-F', sshConfig]),
      ...['-T', '-o', 'BatchMode=yes', '-o', `ConnectTimeout=${CONNECT_TIMEOUT_S}`],
      ...['-o', 'ServerAliveInterval=5', '-o', 'ServerAliveCountMax=3', '-o', 'LogLevel=ERROR'],
      // It outlives a command by this many seconds, should nobody close it.
      ...['-o', 'ControlMaster=auto', '-o', `ControlPath=${socket}`, '-o', 'ControlPersist=15'],
    ]
  }

  /**
   * Runs commands that change nothing there, all at once: a Pi takes its time with each that comes by itself.
   *
   * @returns an answer for each
   */
  async read(...commands: string[]): Promise<Answer[]> {
    const marked = commands.map((command) => `( ${command} ) 2>&1; printf '\\000%s\\000' "$?"`)
    const { stdout, why } = await this.#run(marked.join('; '))
    const parts = stdout.split('\0')
    if (parts.length !== 2 * commands.length + 1) throw new HostError(`It did not answer as expected: ${why}`)
    return commands.map((_, index) => {
      const [text = '', status] = parts.slice(2 * index)
      return { isOk: status === '0', stdout: text, why: lastLine(text) || `exit code ${status}` }
    })
  }

  /**
   * Runs a command that changes something there; in a dry run it is only shown.
   *
   * @throws HostError when it fails
   */
  async change(command: string, input?: Input): Promise<void> {
    if (this.#instead) {
      this.#instead(`${input ? `${input.shown} | ` : ''}${sh`ssh ${this.host} ${command}`}`)
      return
    }
    const { isOk, why } = await this.#run(command, input?.data)
    if (!isOk) throw new HostError(`This did not work: ${command}: ${why}`)
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await execa('ssh', [...this.#options, '-O', 'exit', '--', this.host], { reject: false })
  }

  async #run(command: string, input: Uint8Array | string = ''): Promise<Answer> {
    const { exitCode, stdout, stderr, code, signal } = await execa(
      'ssh',
      [...this.#options, '--', this.host, command],
      {
        reject: false,
        input,
        stripFinalNewline: false,
      },
    )
    if (code === 'ENOENT') throw new ReaderError('ssh is not installed here: sudo apt install openssh-client')
    const why = lastLine(stderr) || (signal ?? `exit code ${exitCode}`)
    if (exitCode === SSH_FAILED) throw new HostError(connectionTrouble(this.host, why))
    return { isOk: exitCode === 0, stdout, why }
  }
}

/** The last line of what a command has printed. (Those above may be a shell's greeting.) */
export function lastLine(text: string): string {
  return text.trimEnd().split(/\r?\n/).at(-1) ?? ''
}

/** What to do about what ssh said when there was no connection. */
function connectionTrouble(host: string, why: string): string {
  const name = host.replace(/^.*@/, '')
  const advice = [
    [/Could not resolve/, `Is ${name} its name? Its address will do too: hostname -I says it there.`],
    [
      /timed out|No route|unreachable|Host is down/,
      `Is it on, in this network, and ${name} its address? (hostname -I says it there.)`,
    ],
    [
      /refused/,
      'It is there and takes no ssh. Switch that on there: sudo raspi-config, Interface Options, SSH.',
    ],
    [/Permission denied/, `It does not know your key. Give it one: ${sh`ssh-copy-id ${host}`}`],
    [/Host key verification failed/, `Its key is new, or another than before. See which: ${sh`ssh ${host}`}`],
  ] as const
  const [, what] = advice.find(([pattern]) => pattern.test(why)) ?? []
  return `No connection (${why}). ${what ?? `See whether this works: ${sh`ssh ${host}`}`}`
}
