/**
 * What a program can do to the machine that it runs on, by name: restart it, switch it off, update it; and what it can
 * say of it: its time, and which revision of the code is running. Each is a list of commands that anybody can read
 * before it is run.
 *
 * @since 0.8.0
 */
import { type Command, runCommand } from './commands.ts'
import { stopRequest } from './lifecycle.ts'
import { programFolder } from './program-folder.ts'

/** How long a look at the code may take, in ms. */
const LOOK_TIMEOUT_MS = 10_000

/** How long the system may take to begin to go down, in ms. */
const START_TIMEOUT_MS = 10_000

/** How long the code's update may take, in ms: a slow line, and a large change. */
const UPDATE_CODE_TIMEOUT_MS = 5 * 60_000

/** How long each command of a system's update may take, in ms: two hours, for a slow card and many packages. */
const UPDATE_SYSTEM_TIMEOUT_MS = 2 * 60 * 60_000

/** One of the tasks. */
export interface NodeTask {
  /** What it does, in a few words. */
  does: string
  /** Whether it changes the machine or the code on it. */
  changes: boolean
  /** The commands that it runs, in this order. None where Node knows the answer. */
  commands: readonly Command[]
  /**
   * Does it, and returns what there is to say: the last command's output, or the answer.
   *
   * @param onLine called with each line of it, as it comes
   * @throws OperationalError when a command fails, is not there, or takes too long
   * @throws an AbortError when the program is stopped first
   */
  run(onLine?: (line: string) => void): Promise<string>
}

/**
 * The tasks of this machine, by their names. Call it at the start of a program: the revision that is running is the
 * one that is there now, not the one on the disk later.
 *
 * @param options `folder`: where the code is, whatever the working directory; default: that of the running program.
 *   `stop`: what ends a command; default: the stop signal of this program. `isRoot`: whether commands need no sudo;
 *   default: what the system says.
 */
export function nodeTasks({
  folder = programFolder(),
  stop = stopRequest,
  isRoot = process.getuid?.() === 0,
}: {
  folder?: string
  stop?: AbortSignal
  isRoot?: boolean
} = {}): ReadonlyMap<string, NodeTask> {
  const task = (does: string, timeoutMs: number, commands: Command[]): NodeTask => ({
    does,
    changes: true,
    commands,
    async run(onLine) {
      let output = ''
      const options = { folder, timeoutMs, stop, ...(onLine && { onLine }) }
      for (const command of commands) output = await runCommand(command, options)
      return output
    },
  })
  // -n: it fails in place of asking for a password.
  const asRoot = (...command: Command): Command => (isRoot ? command : ['sudo', '-n', ...command])

  /** What is known already, or was asked at the start. */
  const known = (does: string, commands: Command[], ask: () => Promise<string>): NodeTask => ({
    does,
    changes: false,
    commands,
    async run(onLine) {
      const answer = await ask()
      onLine?.(answer)
      return answer
    },
  })
  const atStart = (does: string, command: Command): NodeTask => {
    const asked = runCommand(command, { folder, timeoutMs: LOOK_TIMEOUT_MS, stop })
    asked.catch(() => {}) // who wants to know it is told
    return known(does, [command], () => asked)
  }

  return new Map<string, NodeTask>([
    ['reboot', task('restart this machine', START_TIMEOUT_MS, [asRoot('reboot')])],
    [
      'shutdown',
      task('switch this machine off, at once', START_TIMEOUT_MS, [asRoot('shutdown', '-h', 'now')]),
    ],
    [
      'update-system',
      task('update what is installed on this machine', UPDATE_SYSTEM_TIMEOUT_MS, [
        asRoot('apt-get', 'update'),
        // A question about a changed configuration file would end it: the file that is there stays.
        asRoot('apt-get', 'upgrade', '-y', '-o', 'Dpkg::Options::=--force-confold'),
      ]),
    ],
    [
      'node-time',
      known('the time of this machine, in seconds since 1970', [], async () =>
        (Date.now() / 1000).toFixed(3),
      ),
    ],
    ['code-revision', atStart('the revision of the code that is running', ['git', 'rev-parse', 'HEAD'])],
    [
      'revision-time',
      atStart('when that revision was made, in seconds since 1970', [
        'git',
        'show',
        '-s',
        '--format=%ct',
        'HEAD',
      ]),
    ],
    [
      'update-code',
      // A merge would need somebody to look at it.
      task('update the code from where it was cloned', UPDATE_CODE_TIMEOUT_MS, [
        ['git', 'pull', '--ff-only'],
      ]),
    ],
  ])
}
