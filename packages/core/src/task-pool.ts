/**
 * Tasks done beside the program: by processes of its own, as many at once as there are cores, so that its event loop goes on
 * beating. A task that throws, never ends, takes all memory or ends its process costs only itself.
 *
 * @since 0.24.0
 */
import { addAbortListener } from 'node:events'
import { availableParallelism } from 'node:os'
import { stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { limitsOf, type TaskDefinitions } from './task-definition.ts'
import { TaskFailure } from './task-failure.ts'
import { type Limits, type ProcessOwner, TaskProcess, type Work } from './task-process.ts'

/** How often processes at work are looked at, in ms. */
const LOOK_MS = 50

/** Which tasks are short, in ms: to wait for the answer before the next one is handed over costs as much as they do. */
const SHORT_MS = 2

/** How long the input of a short task is at most, in characters. */
const SHORT_LENGTH = 4 * 1024

/** How many short tasks a process is handed ahead at most, and how many it has left when it is handed more. */
const MOST_AHEAD = 256
const LEAST_AHEAD = 128

/** How much the last task's time counts for the mean of its name. */
const NEWEST_PART = 0.2

/** After how many failed starts in a row tasks are given up, and how long is waited after one, in ms. */
const MOST_FAILED_STARTS = 3
const AFTER_FAILED_START_MS = 100
const MOST_AFTER_FAILED_START_MS = 5_000

/** How often a process may end before a task that it was handed begins. */
const MOST_RETURNS = 3

/** What V8 gets for the heap of a process beyond what the largest task may take, in MiB. */
const HEAP_BEYOND_MB = 64

export interface TaskPoolOptions {
  /** The file of the tasks, which exports them as `tasks`: `new URL('./tasks.ts', import.meta.url)`. */
  file: URL
  /** The same tasks, as this program has them: their names and limits. */
  tasks: TaskDefinitions
  /** How many processes there are at most, and tasks at work at once. Default: as many as there are cores. */
  children?: number
  /** Where is told what tasks print, and what goes wrong beside them. */
  log: Logger
  /** Ends the processes. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** A task to do. */
export interface TaskWork {
  /** What it is known by, and what it is told of itself. */
  id: string
  name: string
  /** As JSON. */
  input: string
  /** Which attempt this is: 1 for the first. */
  attempt: number
}

export interface RunOptions {
  /** Called with how far it is, from 0 to 1, ten times a second at most. */
  progress?: (part: number) => void
  /** Called when it begins. */
  begun?: () => void
  /** Called before the promise is settled, with how long it ran, in ms. Not for one that never began. */
  measured?: (ms: number) => void
  /** Cancels it. One at work is ended. */
  signal?: AbortSignal
}

/**
 * Who hears what becomes of a task: one of the last three is called, once.
 *
 * @internal
 */
export interface TaskListener {
  begun(): void
  progress(part: number): void
  done(result: string, ms: number): void
  /** `ms`: how long it ran, if it began. */
  failed(failure: TaskFailure, ms?: number): void
  /** The program is stopped. */
  stopped(reason: unknown): void
}

/** Processes that do tasks. One is started at once, further ones when there is work for them; all are kept. */
export class TaskPool {
  readonly #options: TaskPoolOptions
  readonly #most: number
  readonly #stop: AbortSignal
  readonly #limits: ReadonlyMap<string, Limits>
  readonly #heapMb: number
  readonly #children = new Set<TaskProcess>()
  /** What came back from a process, before what has never been handed over. */
  #returned: Work[] = []
  #waiting: Work[] = []
  #first = 0
  /** By name: how long one takes, in ms. */
  readonly #means = new Map<string, number>()
  readonly #learn = (name: string, ms: number): void => {
    const mean = this.#means.get(name) ?? ms
    this.#means.set(name, mean + NEWEST_PART * (ms - mean))
  }
  #lastSeq = 0
  #isDispatching = false
  #timer: NodeJS.Timeout | undefined
  #looking: NodeJS.Immediate | undefined
  #failedStarts = 0
  #isPausing = false
  readonly #owner: ProcessOwner

  constructor(options: TaskPoolOptions) {
    const { tasks, children = availableParallelism(), stop = stopRequest } = options
    this.#options = options
    this.#most = children
    this.#stop = stop
    this.#limits = new Map(Object.entries(tasks).map(([name, definition]) => [name, limitsOf(definition)]))
    this.#heapMb = HEAP_BEYOND_MB + Math.max(0, ...[...this.#limits.values()].map(({ memoryMb }) => memoryMb))
    this.#owner = {
      free: (child) => {
        this.#failedStarts = 0
        if (child.works.length <= LEAST_AHEAD && this.#hasWork()) this.#dispatch()
      },
      returned: (works) => this.#takeBack(works),
      ended: (child, why) => this.#ended(child, why),
    }
    if (stop.aborted) return
    addAbortListener(stop, () => this.#end())
    this.#start()
  }

  /**
   * Does a task.
   *
   * @returns its result, as JSON in ASCII
   * @throws TaskFailure that says why there is none
   * @throws the stop signal's reason, an AbortError, when the program is stopped first
   */
  run(task: TaskWork, options: RunOptions = {}): Promise<string> {
    const { signal } = options
    if (signal?.aborted && !this.#stop.aborted) return Promise.reject(cancelled())
    return new Promise((resolve, reject) => {
      const awaited = new Awaited(options, resolve, reject)
      const taken = this.take(task, awaited)
      if (signal && taken) awaited.listening = addAbortListener(signal, () => this.cancel(taken))
    })
  }

  /**
   * Does a task, and says what becomes of it without a promise, which costs more than an empty task.
   *
   * @returns what to {@link cancel} it by. Undefined when there is no such task, or the program is stopped: that is said at once
   * @internal
   */
  take(task: TaskWork, listener: TaskListener): TakenWork | undefined {
    const limits = this.#limits.get(task.name)
    if (this.#stop.aborted) listener.stopped(this.#stop.reason)
    else if (!limits) listener.failed(new TaskFailure('unknown', `There is no task "${task.name}" here.`))
    if (this.#stop.aborted || !limits) return undefined
    this.#lastSeq += 1
    const work = new TakenWork(this.#lastSeq, task, limits, listener, this.#learn)
    this.#waiting.push(work)
    this.#dispatchSoon()
    return work
  }

  /**
   * Cancels a task. One at work is ended.
   *
   * @internal
   */
  cancel(work: TakenWork): void {
    const holder = [...this.#children].find((child) => child.works.includes(work))
    work.isCancelled = true
    // Of one at work is told when it has ended: its answer may be on its way.
    if (!holder?.endIfAtWork(work)) work.failed(cancelled(), undefined)
  }

  /** Gives up what no process has been handed, and returns their ids. Their promises are rejected, as cancelled. */
  withdraw(): string[] {
    return this.takeBack().map((work) => {
      work.failed(cancelled(), undefined)
      return work.id
    })
  }

  /**
   * The same, without a word to who listens.
   *
   * @internal
   */
  takeBack(): Work[] {
    return this.#takeAll()
  }

  #hasWork(): boolean {
    return this.#returned.length > 0 || this.#first < this.#waiting.length
  }

  /** The next one, without taking it. Cancelled ones are passed over. */
  #peek(): Work | undefined {
    for (;;) {
      const work = this.#returned[0] ?? this.#waiting[this.#first]
      if (!work?.isCancelled) return work
      this.#takeOne()
    }
  }

  #takeOne(): void {
    if (this.#returned.length > 0) this.#returned.shift()
    else this.#first += 1
    if (this.#first < 1_000 || this.#first * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.slice(this.#first)
    this.#first = 0
  }

  #takeAll(): Work[] {
    const all = [...this.#returned, ...this.#waiting.slice(this.#first)]
    this.#returned = []
    this.#waiting = []
    this.#first = 0
    return all
  }

  #takeBack(works: readonly Work[]): void {
    const open = works.filter(({ isCancelled, returns }) => !isCancelled && returns <= MOST_RETURNS)
    this.#returned.unshift(...open)
    for (const work of works)
      if (work.returns > MOST_RETURNS)
        work.failed(
          new TaskFailure('exited', 'Its process has ended before it began, again and again.'),
          undefined,
        )
    if (open.length > 0) this.#dispatchSoon()
  }

  #dispatchSoon(): void {
    if (this.#isDispatching) return
    this.#isDispatching = true
    queueMicrotask(() => {
      this.#isDispatching = false
      this.#dispatch()
    })
  }

  #dispatch(): void {
    if (this.#stop.aborted) return
    for (let work = this.#peek(); work; work = this.#peek()) {
      const child = this.#childFor(work)
      // Another one may be needed, also where this one can wait in a row.
      if (!child || child.works.length > 0) this.#startAnother()
      if (!child) break
      this.#takeOne()
      child.hand(work)
    }
    for (const child of this.#children) child.flush()
    this.#watch()
  }

  /** Who may have it: one that has nothing else, or one that is at short tasks, if it is short itself. */
  #childFor(work: Work): TaskProcess | undefined {
    const mayWait = this.#isShort(work)
    let best: TaskProcess | undefined
    for (const child of this.#children) {
      if (!child.isReady || child.isEnded) continue
      const [first] = child.works
      if (!first) {
        if (!this.#isWorn(child, work)) return child
        this.#children.delete(child)
        child.kill()
      } else if (mayWait && child.works.length < MOST_AHEAD && !child.isSlow && this.#isShort(first)) {
        if (!best || child.works.length < best.works.length) best = child
      }
    }
    return best
  }

  #isShort({ name, input }: Work): boolean {
    const mean = this.#means.get(name)
    return mean !== undefined && mean < SHORT_MS && input.length <= SHORT_LENGTH
  }

  /** Whether so much was left behind in it that this task might be blamed for that. */
  #isWorn(child: TaskProcess, { limits }: Work): boolean {
    return child.served > 0 && child.memoryBeyondIdle() > (limits.memoryMb * 1024 * 1024) / 2
  }

  #startAnother(): void {
    const starting = [...this.#children].filter(({ isReady }) => !isReady).length
    const open = this.#returned.length + this.#waiting.length - this.#first
    if (this.#children.size < this.#most && starting < open && !this.#isPausing) this.#start()
  }

  #start(): void {
    const { file, log } = this.#options
    try {
      this.#children.add(new TaskProcess({ file, heapMb: this.#heapMb, log, owner: this.#owner }))
      this.#watch()
    } catch (error) {
      this.#notStarted((error as Error).message)
    }
  }

  #ended(child: TaskProcess, why: string | undefined): void {
    this.#children.delete(child)
    if (this.#stop.aborted) return
    if (why !== undefined) this.#notStarted(why)
    this.#dispatchSoon()
  }

  /** Nothing can be done then. It is tried again while there is something to do, less and less often. */
  #notStarted(why: string): void {
    this.#failedStarts += 1
    if (this.#failedStarts === 1) this.#options.log.warn(`A process for tasks cannot be started: ${why}`)
    if (this.#failedStarts >= MOST_FAILED_STARTS)
      for (const work of this.#takeAll())
        work.failed(new TaskFailure('exited', `No process for tasks can be started: ${why}`), undefined)
    this.#isPausing = true
    const ms = Math.min(AFTER_FAILED_START_MS * 2 ** this.#failedStarts, MOST_AFTER_FAILED_START_MS)
    setTimeout(() => {
      this.#isPausing = false
      this.#dispatch()
    }, ms).unref()
  }

  /**
   * Looks at the processes for as long as there is something to see: each time after what they have said was read. A timer
   * alone may fire twice before that, when this process had no time.
   */
  #watch(): void {
    this.#timer ??= setInterval(() => {
      this.#looking ??= setImmediate(() => {
        this.#looking = undefined
        this.#look()
      })
    }, LOOK_MS)
  }

  #look(): void {
    const now = performance.now()
    let isBusy = false
    for (const child of this.#children) {
      child.look(now)
      isBusy ||= child.isBusy
    }
    if (isBusy) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #end(): void {
    clearInterval(this.#timer)
    const works = [...this.#takeAll(), ...[...this.#children].flatMap(({ works }) => works)]
    for (const child of this.#children) child.kill()
    for (const work of works) work.stopped(this.#stop.reason)
  }
}

/**
 * A task that was taken, until it has ended.
 *
 * @internal
 */
export class TakenWork implements Work {
  readonly seq: number
  readonly id: string
  readonly name: string
  readonly input: string
  readonly attempt: number
  readonly limits: Limits
  returns = 0
  isCancelled = false

  readonly #listener: TaskListener
  readonly #learn: (name: string, ms: number) => void
  #isSettled = false

  constructor(
    seq: number,
    { id, name, input, attempt }: TaskWork,
    limits: Limits,
    listener: TaskListener,
    learn: (name: string, ms: number) => void,
  ) {
    this.seq = seq
    this.id = id
    this.name = name
    this.input = input
    this.attempt = attempt
    this.limits = limits
    this.#listener = listener
    this.#learn = learn
  }

  begun(): void {
    this.#listener.begun()
  }

  progress(part: number): void {
    this.#listener.progress(part)
  }

  done(result: string, ms: number): void {
    this.#learn(this.name, ms)
    if (this.#settles()) this.#listener.done(result, ms)
  }

  failed(failure: TaskFailure, ms: number | undefined): void {
    if (ms !== undefined) this.#learn(this.name, ms)
    if (this.#settles()) this.#listener.failed(failure, ms)
  }

  stopped(reason: unknown): void {
    if (this.#settles()) this.#listener.stopped(reason)
  }

  #settles(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    return true
  }
}

/** Who waits for a task by a promise. */
class Awaited implements TaskListener {
  listening: Disposable | undefined
  readonly #options: RunOptions
  readonly #resolve: (result: string) => void
  readonly #reject: (reason: unknown) => void

  constructor(options: RunOptions, resolve: (result: string) => void, reject: (reason: unknown) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
  }

  begun(): void {
    this.#options.begun?.()
  }

  progress(part: number): void {
    this.#options.progress?.(part)
  }

  done(result: string, ms: number): void {
    this.listening?.[Symbol.dispose]()
    this.#options.measured?.(ms)
    this.#resolve(result)
  }

  failed(failure: TaskFailure, ms: number | undefined): void {
    this.listening?.[Symbol.dispose]()
    if (ms !== undefined) this.#options.measured?.(ms)
    this.#reject(failure)
  }

  stopped(reason: unknown): void {
    this.listening?.[Symbol.dispose]()
    this.#reject(reason)
  }
}

function cancelled(): TaskFailure {
  return new TaskFailure('cancelled', 'It was cancelled.')
}
