/**
 * The process that does tasks, one after the other, and nothing else: whatever one of them does to it, the node that has
 * started it lives on. Each answer is written before the next task begins, and is on its way then even if that one ends the
 * process at once: so the first task without an answer is the one to blame.
 *
 * @since 0.24.0
 */
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { setPriority } from 'node:os'
import { basename } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { asciiJson } from './frames.ts'
import type { TaskContext, TaskDefinitions } from './task-definition.ts'
import type { TaskFailureKind } from './task-failure.ts'
import {
  GIVES_BACK_MS,
  type Handed,
  type HandedTask,
  LONGEST_NOTE,
  LONGEST_REASON,
  MOST_NOTES,
  MOST_RESULT_BYTES,
  NOTES,
  TASKS_IN,
  type Then,
  WORDS_OUT,
} from './task-words.ts'

/** After how many short tasks, and after how long of them, in ms, it says what came of them, and listens whether more have come. */
const TURN_TASKS = 128
const TURN_MS = 2

/** How often a task's progress is told at most, in ms. */
const PROGRESS_MS = 100

/** How often is looked whether the parent is still there, in ms. */
const WATCH_MS = 500

/** How much memory a task may leave behind before that is cleared away, in bytes. */
const LEFT_BEHIND = 32 * 1024 * 1024

const [file = '', parent = '', hasNotes = ''] = process.argv.slice(2)

/** For a thread, which beats while a task never ends: that the parent was killed is told by nothing else then. */
const WATCH = `const { pid } = process
setInterval(() => {
  if (process.ppid === ${Number(parent)}) return
  try {
    process.kill(-pid, 'SIGKILL') // and what a task has started
  } catch {
    process.kill(pid, 'SIGKILL')
  }
}, ${WATCH_MS})`

/** What comes of a task: how its line begins, and how it ends. */
type Outcome = readonly [kind: 'A' | 'F', rest: string]

const waiting: HandedTask[] = []
/** How often what waited was given back. */
let epoch = 0
let current: HandedTask | undefined
let isBusy = false
let idleBytes = 0
/** What is noted, and not said. */
let unsaid = ''
let collectGarbage: (() => void) | undefined

// When to end says the parent, and not a terminal, or a service manager that speaks to all at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
new Worker(WATCH, { eval: true, execArgv: [] }).unref()
process.on('uncaughtException', (error) => {
  if (current) note(line(current, failed('threw', whatOf(error)), 0, 'later'))
  say()
  console.error(error)
  process.exit(1)
})
try {
  setPriority(5) // the node, with its beats, goes first
} catch {} // it works without

const definitions = await load()
listen()
idleBytes = process.memoryUsage.rss()
note('R\n')
say()

async function load(): Promise<TaskDefinitions> {
  try {
    const { tasks } = await import(file)
    if (typeof tasks !== 'object' || tasks === null) throw new TypeError('It exports no "tasks"')
    return tasks
  } catch (error) {
    note(`X ${asciiJson(whatOf(error))}\n`)
    say()
    console.error(error)
    process.exit(1)
  }
}

function listen(): void {
  const input = new Socket({ fd: TASKS_IN, readable: true, writable: false }).setEncoding('utf8')
  let pieces: string[] = []
  input.on('data', (text: string) => {
    const lines = text.split('\n')
    const rest = lines.pop() ?? ''
    for (const line of lines) {
      take(JSON.parse(pieces.join('') + line))
      pieces = []
    }
    pieces.push(rest)
    if (!isBusy && waiting.length > 0) void work()
  })
  for (const end of ['end', 'error'] as const) input.on(end, () => process.exit(0))
}

function take(handed: Handed): void {
  if (handed.epoch > epoch) {
    // This process got no time for so long that what waited here was taken back, and nobody here could know.
    waiting.length = 0
    epoch = handed.epoch
  }
  if (handed.epoch === epoch) for (const task of handed.tasks) waiting.push(task)
}

async function work(): Promise<void> {
  isBusy = true
  let turn = performance.now()
  let tasks = 0
  let follows = false
  /** Since when it may look to the parent as if this task were at work: before that could be read. */
  let since = 0
  for (let task = waiting.shift(); task; task = waiting.shift()) {
    current = task
    if (!follows) {
      since = performance.now()
      note(`B ${task.seq}\n`)
    }
    const epochAtBegin = epoch
    const began = performance.now()
    const begun = begin(task)
    const outcome = begun instanceof Promise ? await begun : begun
    const now = performance.now()
    const ms = now - began
    tasks += 1
    // What was handed over meanwhile, after the parent had taken the rest back, is this process's to do.
    const isCurrent = epoch === epochAtBegin
    let givesBack = isCurrent && now - since > GIVES_BACK_MS
    if (givesBack) giveBack()
    follows = isCurrent && waiting.length > 0 && tasks < TURN_TASKS && now - turn < TURN_MS
    note(line(task, outcome, ms, givesBack ? 'back' : follows ? 'next' : 'later'))
    current = undefined
    // The system may have let this process wait before the line was written, and the parent has seen a task that takes long.
    if (isCurrent && !givesBack && performance.now() - since > GIVES_BACK_MS) {
      givesBack = true
      follows = false
      giveBack()
      note(`G ${task.seq} ${epoch}\n`)
    }
    since = now
    if (follows) continue
    say()
    if (givesBack) clearAway()
    await nextTurn()
    turn = performance.now()
    tasks = 0
  }
  isBusy = false
}

/** What waits behind a task that took long is not done here: others may have it already. */
function giveBack(): void {
  waiting.length = 0
  epoch += 1
}

/** Begins a task. One that is done at once costs no promise. */
function begin(task: HandedTask): Outcome | Promise<Outcome> {
  const definition = Object.hasOwn(definitions, task.name) ? definitions[task.name] : undefined
  if (!definition) return failed('unknown', `There is no task "${task.name}" in ${file}.`)
  let input: unknown
  try {
    input = JSON.parse(task.input)
  } catch (error) {
    return failed('no JSON', `What it was given is no JSON: ${whatOf(error)}`)
  }
  try {
    const result = definition.run(input, contextOf(task))
    return typeof result?.then === 'function' ? settled(result) : done(result)
  } catch (error) {
    return thrown(error)
  }
}

async function settled(result: PromiseLike<unknown>): Promise<Outcome> {
  try {
    return done(await result)
  } catch (error) {
    return thrown(error)
  }
}

function contextOf(task: HandedTask): TaskContext {
  let told = performance.now()
  return {
    id: task.id,
    attempt: task.attempt,
    progress: (part) => {
      const now = performance.now()
      if (task !== current || now - told < PROGRESS_MS || !Number.isFinite(part)) return
      told = now
      unsaid += `P ${task.seq} ${Math.min(Math.max(part, 0), 1).toFixed(4)}\n`
      say()
    },
  }
}

function done(result: unknown): Outcome {
  let json: string
  try {
    json = asciiJson(result)
  } catch (error) {
    return failed('no JSON', `Its result has no JSON form: ${whatOf(error)}`)
  }
  if (json.length <= MOST_RESULT_BYTES) return ['A', json]
  return failed(
    'too large',
    `Its result has ${json.length} bytes as JSON, and may have ${MOST_RESULT_BYTES}.`,
  )
}

function thrown(error: unknown): Outcome {
  // There is not enough memory, or not enough room for addresses.
  const isMemory = error instanceof RangeError && /allocation failed/i.test(error.message)
  return failed(isMemory ? 'memory' : 'threw', whatOf(error))
}

function failed(kind: TaskFailureKind, reason: string): Outcome {
  return ['F', asciiJson([kind, reason])]
}

function line({ seq }: HandedTask, [kind, rest]: Outcome, ms: number, then: Then): string {
  return `${kind} ${seq} ${ms.toFixed(3)} ${then} ${rest}\n`
}

/** What was thrown, in a few words: it may be anything, and may throw when it is looked at. */
function whatOf(error: unknown): string {
  try {
    return `${error}${placeOf(error)}`.replace(/\s+/g, ' ').slice(0, LONGEST_REASON)
  } catch {
    return 'something that has no text'
  }
}

/** Where in the file of the tasks it was thrown, as in ` (tasks.ts:12:5)`. */
function placeOf(error: unknown): string {
  const stack = error instanceof Error ? `${error.stack}` : ''
  const place = stack.split('\n').find((line) => line.includes(file))
  const [, line] = /(:\d+:\d+)\)?$/.exec(place ?? '') ?? []
  return line === undefined ? '' : ` (${basename(file)}${line})`
}

/** Gives memory back that a task has left behind, so that the next one is not blamed for it. */
function clearAway(): void {
  if (process.memoryUsage.rss() - idleBytes < LEFT_BEHIND) return
  if (!collectGarbage) {
    setFlagsFromString('--expose-gc')
    collectGarbage = runInNewContext('gc') as () => void
  }
  collectGarbage()
}

/** Notes a line, to be said later. When this returns, the parent can read it, whatever comes next. */
function note(line: string): void {
  const before = unsaid.length
  unsaid += line
  if (hasNotes === '' || line.length > LONGEST_NOTE || unsaid.length > MOST_NOTES) say()
  else writeSync(NOTES, `${line}\0`, before, 'latin1')
}

/** Says what was noted, and does not go on before the system has taken it. */
function say(): void {
  try {
    for (let rest = unsaid; rest !== ''; ) rest = rest.slice(writeSync(WORDS_OUT, rest, null, 'latin1'))
  } catch {
    process.exit(0) // there is nobody to hear it
  }
  unsaid = ''
}
