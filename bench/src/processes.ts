import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { isInstalled } from './nats-server.ts'

/** A step that takes longer has failed, in ms. */
const DEADLINE_MS = 90_000

/** One of this folder's programs, as a process that can be told things, and tells. */
export function program(
  file: string,
  args: (string | number)[] = [],
  nodeOptions: string[] = [],
): ChildProcess {
  return fork(new URL(file, import.meta.url), args.map(String), {
    execArgv: [...nodeOptions, '--import', 'tsx'],
    // What goes wrong is told by the exit code; a sender whose receiver has finished has much to complain of.
    stdio: ['ignore', 'ignore', process.env['BENCH_DEBUG'] ? 'inherit' : 'ignore', 'ipc'],
  })
}

/** Another program, that tells things as lines of JSON, and is told them so. */
export function lineProgram(command: string, args: (string | number)[]): ChildProcess {
  const child = spawn(command, args.map(String), {
    stdio: ['pipe', 'pipe', process.env['BENCH_DEBUG'] ? 'inherit' : 'ignore'],
  })
  createInterface(child.stdout).on('line', (line) => child.emit('message', JSON.parse(line)))
  child.stdin.on('error', () => {}) // it has ended: whoever waits for an answer is told
  return child
}

/** Whether processes can be held to a core of their own: on Linux, where there are two. */
export const canHoldToCores = availableParallelism() >= 2 && isInstalled('taskset', '--version')

/** Lets a process, with all its threads, run on one core only. */
export function holdToCore(child: ChildProcess, core: number): void {
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(child.pid)])
}

/** The next thing that a process tells. */
export async function told<T>(child: ChildProcess): Promise<T> {
  const settled = new AbortController()
  const { signal } = settled
  const timer = setTimeout(() => settled.abort(`it took more than ${DEADLINE_MS} ms`), DEADLINE_MS)
  try {
    const [said] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`${child.spawnargs.slice(3).join(' ')} ended with exit code ${code}`)
      }),
    ])
    return said as T
  } finally {
    clearTimeout(timer)
    settled.abort()
  }
}

/** Tells a process something, and gives its answer. */
export function ask<T>(child: ChildProcess, question: object): Promise<T> {
  const answer = told<T>(child)
  if (child.stdin) child.stdin.write(`${JSON.stringify(question)}\n`)
  else child.send(question)
  return answer
}

/** Ends processes: the last first, so that no one is left without who it talks to. */
export function end(children: readonly ChildProcess[]): void {
  for (const child of children.toReversed()) child.kill('SIGKILL')
}
