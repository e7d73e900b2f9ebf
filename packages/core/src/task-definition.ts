/**
 * Tasks: named functions that turn a JSON input into a JSON result, with limits. Each node has them in a file of its own; over
 * the wire goes a name, and no code.
 *
 * @since 0.24.0
 */

/** How long a task may take, in s, and how much memory it may take, in MiB, unless it says otherwise. */
const DEFAULT_SECONDS = 60
const DEFAULT_MEMORY_MB = 128

/** The most that can be asked for: a day, and more than a node has. */
const MOST_SECONDS = 86_400
const MOST_MEMORY_MB = 1024 * 1024

/** Goes into frames, rows and logs as it stands. */
const NAME = /^[a-z][a-z0-9_-]{0,62}$/

/** What a task is told beside its input. */
export interface TaskContext {
  /** What it is known by: the same in each attempt, so that what it does can be made to count once. */
  readonly id: string
  /** Which attempt this is: 1 for the first. */
  readonly attempt: number
  /** Says how far it is, from 0 to 1. To say it often costs little: not each time is passed on. */
  progress(part: number): void
}

/** A task. */
export interface TaskDefinition<Input = unknown, Result = unknown> {
  /** A whole number, from 1 on. A node that has another version of a task is not given it. */
  readonly version: number
  /** How long it may take, in seconds. Default: 60. */
  readonly seconds?: number
  /** How much memory it may take, in MiB, beyond what a process takes that does nothing. Default: 128. */
  readonly memoryMb?: number
  /** What a node must have to do it: texts such as `camera`. Default: nothing. */
  readonly requires?: readonly string[]
  /**
   * Does it, in a process of its own, as often as there are attempts. What it throws is why it failed.
   *
   * @param input whatever somebody has submitted: look before you trust it
   * @returns what has a JSON form of at most 1 MiB less 4 KiB, in ASCII; or a promise of that
   */
  run(input: Input, context: TaskContext): Result | Promise<Result>
}

/** Tasks, by their names. Each has an input and a result of its own. */
// biome-ignore lint/suspicious/noExplicitAny: each task says what it takes, and none is called by who does not know it
export type TaskDefinitions = Readonly<Record<string, TaskDefinition<any, any>>>

/**
 * Tasks, looked at: a mistake in them ends the program that has them at its start, and not a node at work.
 *
 * @returns the same
 * @throws TypeError that says which task has what that it must not
 */
export function defineTasks<Definitions extends TaskDefinitions>(definitions: Definitions): Definitions {
  for (const [name, definition] of Object.entries(definitions)) {
    const problem = problemOf(name, definition)
    if (problem !== undefined) throw new TypeError(`The task "${name}": ${problem}.`)
  }
  return definitions
}

function problemOf(name: string, definition: TaskDefinition): string | undefined {
  if (!NAME.test(name))
    return 'its name must be up to 63 small letters, digits, - and _, and begin with a letter'
  if (typeof definition !== 'object' || definition === null) return 'it must be an object'
  const { version, run, requires = [] } = definition
  if (!isWhole(version)) return `its version must be a whole number from 1 on, and is ${shown(version)}`
  if (typeof run !== 'function') return `its "run" must be a function, and is ${shown(run)}`
  const { seconds, memoryMb } = limitsOf(definition)
  if (!(typeof seconds === 'number' && seconds > 0 && seconds <= MOST_SECONDS))
    return `its "seconds" must be more than 0, and at most ${MOST_SECONDS}, and are ${shown(seconds)}`
  if (!isWhole(memoryMb) || memoryMb > MOST_MEMORY_MB)
    return `its "memoryMb" must be a whole number from 1 to ${MOST_MEMORY_MB}, and is ${shown(memoryMb)}`
  if (!Array.isArray(requires) || !requires.every((tag) => typeof tag === 'string' && tag !== ''))
    return `its "requires" must be a list of texts, and is ${shown(requires)}`
  return undefined
}

/**
 * What a task may take.
 *
 * @internal
 */
export function limitsOf({
  seconds = DEFAULT_SECONDS,
  memoryMb = DEFAULT_MEMORY_MB,
}: Pick<TaskDefinition, 'seconds' | 'memoryMb'>): { seconds: number; memoryMb: number } {
  return { seconds, memoryMb }
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function shown(value: unknown): string {
  return typeof value === 'string' || Array.isArray(value) ? JSON.stringify(value) : String(value)
}
