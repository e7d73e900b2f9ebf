/** A program as a process of its own: its lines as they come, and its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { realTime } from './real-time.ts'

export interface ProcessOptions {
  /** The folder to run in. */
  cwd: string
  env: NodeJS.ProcessEnv
  /** Called with each line that it prints, on stdout or stderr. */
  onLine: (line: string) => void
  /** Whether it is out of reach of this terminal's Ctrl-C, in a process group of its own. */
  detached?: boolean
}

/** How a process ended. */
export interface ProcessEnd {
  exitCode: number | null
  signal: NodeJS.Signals | null
  /** Why it could not even be started, if it could not. */
  notStarted?: NodeJS.ErrnoException
}

export interface RunningProcess {
  /** Nothing when it could not be started. */
  readonly pid: number | undefined
  /** Resolves when it has ended and its last line was handed over. */
  readonly ended: Promise<ProcessEnd>
  /** Asks it to end. One that has not after `graceMs`, by the clock on the wall, is killed. */
  stop(graceMs: number): void
  /** Sends it a signal, if it has not ended. */
  signal(name: NodeJS.Signals): void
}

/** Starts Node with these arguments. It throws nothing: whatever goes wrong is told by how it ends. */
export function startNode(
  args: readonly string[],
  { cwd, env, onLine, detached = false }: ProcessOptions,
): RunningProcess {
  // Not by execa: when there are no file descriptors left, execa 9.6 throws a TypeError of its own.
  let child: ChildProcess
  try {
    child = spawn(process.execPath, args, { cwd, env, detached, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    return notStarted(Promise.resolve(error as NodeJS.ErrnoException))
  }
  if (child.pid === undefined) return notStarted(once(child, 'error').then(([error]) => error))

  const streams = [child.stdout, child.stderr].map(async (stream) => {
    if (stream) for await (const line of createInterface({ input: stream })) onLine(line)
  })
  const over = new AbortController()
  let isAsked = false
  const closed = once(child, 'close').then(([exitCode, signal]): ProcessEnd => {
    over.abort()
    return { exitCode, signal }
  })
  return {
    pid: child.pid,
    ended: Promise.all([closed, ...streams]).then(([end]) => end),
    stop(graceMs) {
      child.kill('SIGTERM')
      if (!isAsked)
        void realTime(graceMs, over.signal).then(() => over.signal.aborted || child.kill('SIGKILL'))
      isAsked = true
    },
    signal: (name) => void child.kill(name),
  }
}

function notStarted(reason: Promise<NodeJS.ErrnoException>): RunningProcess {
  return {
    pid: undefined,
    ended: reason.then((error) => ({ exitCode: 1, signal: null, notStarted: error })),
    stop() {},
    signal() {},
  }
}
