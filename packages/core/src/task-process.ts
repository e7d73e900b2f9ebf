/**
 * One process that does tasks, as the one sees it that has started it: what it was handed, which of that it is at, what came
 * of it, and what it takes. It is ended by SIGKILL alone, which nothing in it can put off.
 *
 * @since 0.24.0
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from './logging.ts'
import { TaskFailure, type TaskFailureKind } from './task-failure.ts'
import { memoryOf, type TakenMemory } from './task-memory.ts'
import { TaskOutput } from './task-output.ts'
import { TaskNotes } from './task-process-notes.ts'
import {
  GIVES_BACK_MS,
  type Handed,
  type HandedTask,
  LONGEST_REASON,
  TASKS_IN,
  WORDS_OUT,
} from './task-words.ts'
import { loadedFirst } from './threads.ts'

/** How long it may take to begin, in ms: to load a file of tasks from a slow card. */
const START_MS = 60_000

/** After how long others may have what waits behind a task, in ms: a multiple of what the child goes by. */
const TAKES_BACK_MS = 5 * GIVES_BACK_MS

/** How long a task that was cancelled while it waited behind others may take, in ms. */
const CANCELLED_MS = 100

/** How much memory may be reserved and not used beyond the limit, in bytes: for threads, and the reserves of V8. */
const RESERVED_BEYOND = 512 * 1024 * 1024

/** The longest line: a result, and what stands before it. */
const LONGEST_LINE = 2 * 1024 * 1024

/** How long the last words of one that has ended may take, in ms: somebody else may hold the pipe. */
const LAST_WORDS_MS = 100

const MIB = 1024 * 1024

/**
 * What a task may take.
 *
 * @internal
 */
export interface Limits {
  readonly seconds: number
  readonly memoryMb: number
}

/**
 * A task that is to be done, until it has ended.
 *
 * @internal
 */
export interface Work extends HandedTask {
  readonly limits: Limits
  /** How often a process has ended before it began. */
  returns: number
  /** Nobody waits for it any more. */
  isCancelled: boolean
  begun(): void
  progress(part: number): void
  done(result: string, ms: number): void
  /** `ms`: how long it ran, if it began. */
  failed(failure: TaskFailure, ms: number | undefined): void
  /** The program is stopped. */
  stopped(reason: unknown): void
}

/**
 * Who has started a process, and hears of it.
 *
 * @internal
 */
export interface ProcessOwner {
  /** A process may get more. */
  free(child: TaskProcess): void
  /** What a process was handed, and has not begun. */
  returned(works: Work[]): void
  /** A process has ended. `why`: why it never was ready, if it was not. */
  ended(child: TaskProcess, why: string | undefined): void
}

/** @internal */
export interface ProcessOptions {
  /** The file of the tasks. */
  file: URL
  /** How much memory V8 may take for its heap, in MiB. */
  heapMb: number
  log: Logger
  owner: ProcessOwner
}

/**
 * A process that does tasks.
 *
 * @internal
 */
export class TaskProcess {
  /** What it was handed, in the order in which it does it. */
  readonly works: Work[] = []
  isReady = false
  isEnded = false
  /** How many tasks have ended in it. */
  served = 0

  readonly #options: ProcessOptions
  readonly #notes = new TaskNotes()
  readonly #process: ChildProcess
  readonly #output: TaskOutput
  readonly #startedAt = performance.now()
  #epoch = 0
  #handed: HandedTask[] = []
  /** Whether the first of its tasks has begun, and when that was heard, in ms of performance.now(). */
  #isAtWork = false
  #since = 0
  /** Which task was at work when it was looked at last, and for how long, in ms. */
  #lastLook = { seq: 0, ms: 0 }
  #idle: TakenMemory | undefined
  #verdict: { seq: number; kind: TaskFailureKind; reason: string } | undefined
  #isKilled = false
  /** The last task of which it was heard how it has ended. */
  #answered = 0
  /** The last task that has given back what waited behind it. */
  #tookBackAt = 0
  #unread = ''
  #whyNotReady: string | undefined

  constructor(options: ProcessOptions) {
    this.#options = options
    this.#process = startChild(options, this.#notes)
    this.#output = new TaskOutput(this.#process, options.log, () => this.#current())
    void this.#read()
  }

  /** Whether a task is at work in it, or it is about to be ready. */
  get isBusy(): boolean {
    return !this.isReady || this.works.length > 0
  }

  /** Whether what is handed over now waits behind something that takes long, and is given back. */
  get isSlow(): boolean {
    return this.works[0]?.seq === this.#tookBackAt
  }

  /** Hands over a task, with the next {@link flush}. */
  hand(work: Work): void {
    this.works.push(work)
    const { seq, id, name, input, attempt } = work
    this.#handed.push({ seq, id, name, input, attempt })
  }

  /** Sends what was handed over. */
  flush(): void {
    if (this.#handed.length === 0) return
    const handed: Handed = { epoch: this.#epoch, tasks: this.#handed }
    ;(this.#process.stdio[TASKS_IN] as Writable).write(`${JSON.stringify(handed)}\n`)
    this.#handed = []
  }

  /** Looks whether all is well with it: to be called every 50 ms. */
  look(now: number): void {
    if (this.#verdict || this.isEnded) return
    if (!this.isReady && now - this.#startedAt > START_MS) {
      this.#whyNotReady = `it was not ready after ${START_MS / 1_000} s`
      this.kill()
    }
    this.#readNotes()
    const work = this.#current()
    if (!work) return
    // An answer may be there, unread, when this process has had no time. It is read between two looks.
    const { seq, ms } = this.#lastLook
    const sureMs = seq === work.seq && this.#unread === '' ? ms : 0
    this.#lastLook = { seq: work.seq, ms: now - this.#since }
    const { seconds, memoryMb } = work.limits
    const beyond = this.memoryBeyondIdle()
    if (sureMs > seconds * 1_000) this.#end(work, 'late', `It took longer than ${seconds} s, and was ended.`)
    else if (work.isCancelled && sureMs > CANCELLED_MS) this.#end(work, 'cancelled', 'It was cancelled.')
    else if (beyond > memoryMb * MIB) {
      const took = `${Math.round(beyond / MIB)} MiB, where ${memoryMb} are its limit`
      this.#end(work, 'memory', `It took more memory than it may, and was ended: ${took}.`)
    } else if (sureMs > TAKES_BACK_MS) this.#takeBack(work)
  }

  /** How much more memory it takes than when it was ready, in bytes. What is reserved counts, where it is much. */
  memoryBeyondIdle(): number {
    const taken = memoryOf(this.#process.pid ?? 0)
    if (!taken || !this.#idle) return 0
    return Math.max(
      taken.resident - this.#idle.resident,
      taken.reserved - this.#idle.reserved - RESERVED_BEYOND,
    )
  }

  /** Ends a task if it is at work, and says whether it is. */
  endIfAtWork(work: Work): boolean {
    if (this.#current() !== work) return false
    this.#end(work, 'cancelled', 'It was cancelled.')
    return true
  }

  /** Ends it at once, and whatever its tasks have started. What it was at is returned. */
  kill(): void {
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    this.#isKilled = true
    killGroup(this.#process)
  }

  #end({ seq }: Work, kind: TaskFailureKind, reason: string): void {
    if (this.#verdict) return
    this.#verdict = { seq, kind, reason }
    this.kill()
  }

  #current(): Work | undefined {
    return this.#isAtWork ? this.works[0] : undefined
  }

  #begin(): void {
    this.#isAtWork = true
    this.#since = performance.now()
    this.works[0]?.begun()
  }

  /** What waits behind a task that takes long: the child will not do it, and others may. */
  #takeBack({ seq }: Work): void {
    if (this.#tookBackAt === seq) return
    this.#tookBackAt = seq
    this.#epoch += 1
    this.#options.owner.returned(this.works.splice(1))
  }

  /**
   * The child has given back what it had: the next one too, which was taken to have begun, and for so long that what waits
   * behind it was taken back meanwhile. A note may be heard twice, or too early.
   */
  #giveBack(seq: number, epoch: number): void {
    const isBegunInVain = epoch === this.#epoch && this.isSlow
    if (seq !== this.#answered || (epoch <= this.#epoch && !isBegunInVain)) return
    this.#epoch = epoch
    this.#tookBackAt = 0
    this.#isAtWork = false
    this.#options.owner.returned(this.works.splice(0))
  }

  async #read(): Promise<void> {
    const child = this.#process
    // Where there is no room for another process, it has none of them.
    const streams = [...(child.stdio ?? [])]
    const words = streams[WORDS_OUT] as Readable | undefined
    // Why nothing can be written to it is told by its end.
    for (const stream of streams) stream?.on('error', () => {})
    words?.setEncoding('latin1').on('data', (text: string) => this.#hear(text))
    try {
      await once(child, 'exit')
      killGroup(child) // nobody is left in it but what a task has started
      if (words && !words.closed) await once(words, 'close')
      await Promise.race([this.#output.ended, sleep(LAST_WORDS_MS)])
    } catch (error) {
      this.#whyNotReady = (error as Error).message
    }
    for (const stream of streams) stream?.destroy()
    this.#readNotes()
    this.#notes.close()
    this.#close()
  }

  #hear(text: string): void {
    const lines = text.split('\n')
    const rest = lines.pop() ?? ''
    for (const line of lines) {
      this.#take(this.#unread + line)
      this.#unread = ''
    }
    this.#unread += rest
    if (this.#unread.length > LONGEST_LINE) this.kill()
    if (this.isReady) this.#options.owner.free(this)
  }

  /** What it has not said yet. It will, and is not heard then. */
  #readNotes(): void {
    if (this.#unread === '') for (const line of this.#notes.read()) this.#take(line)
  }

  /** What it says is right, unless a task has written there: that is passed over. */
  #take(line: string): void {
    const [word = '', seq = '', ...rest] = fieldsOf(line)
    const isCurrent = this.#current()?.seq === Number(seq)
    if (word === 'R') {
      this.#idle = memoryOf(this.#process.pid ?? 0)
      this.isReady = true
    } else if (word === 'X') this.#whyNotReady = String(parsed(line.slice(2)))
    else if (word === 'G') this.#giveBack(Number(seq), Number(rest[0]))
    else if (word === 'B' && !isCurrent && this.works[0]?.seq === Number(seq)) this.#begin()
    else if (word === 'P' && isCurrent) this.works[0]?.progress(Number(rest[0]))
    else if ((word === 'A' || word === 'F') && isCurrent) this.#answer(word, rest)
  }

  #answer(word: 'A' | 'F', [ms, then, text = '']: string[]): void {
    const work = this.works.shift() as Work
    this.#answered = work.seq
    this.served += 1
    this.#isAtWork = false
    if (then === 'next' && this.works.length > 0) this.#begin()
    if (then === 'back') {
      this.#takeBack(work)
      this.#options.owner.returned(this.works.splice(0))
    }
    const failure = word === 'F' ? failureOf(text) : undefined
    if (failure) work.failed(failure, Number(ms))
    else work.done(text, Number(ms))
  }

  /** It has ended: who is to blame for that is at work in it, unless this end has ended it for another reason. */
  #close(): void {
    this.isEnded = true
    const { owner } = this.#options
    const work = this.#current()
    const isBlamed = work !== undefined && (!this.#isKilled || this.#verdict?.seq === work.seq)
    if (isBlamed) {
      this.works.shift()
      const { kind, reason } = this.#verdict ?? this.#howEnded()
      work.failed(new TaskFailure(kind, reason), performance.now() - this.#since)
    }
    const rest = this.works.splice(0)
    if (!this.#isKilled) for (const work of rest) work.returns += 1
    owner.returned(rest)
    owner.ended(this, this.isReady ? undefined : (this.#whyNotReady ?? this.#howEnded().reason))
  }

  #howEnded(): { kind: TaskFailureKind; reason: string } {
    const { exitCode, signalCode } = this.#process
    if (signalCode === 'SIGABRT' && /out of memory|allocation failed/i.test(this.#output.lastErrors))
      return {
        kind: 'memory',
        reason: 'It took more memory than there is for JavaScript, and its process was ended.',
      }
    const reason = signalCode
      ? `Its process was ended by ${signalCode}.`
      : `Its process ended itself, with exit code ${exitCode}.`
    return { kind: 'exited', reason }
  }
}

/** Starts it in a group of its own, which Ctrl-C does not reach, and so that it leaves no image of its memory if it aborts. */
function startChild({ file, heapMb }: ProcessOptions, { descriptor }: TaskNotes): ChildProcess {
  const entry = new URL('./task-child.ts', import.meta.url)
  const isForTsx = entry.pathname.endsWith('.ts') && !('typescript' in process.features)
  const words = [
    process.execPath,
    `--max-old-space-size=${heapMb}`,
    ...loadedFirst(),
    ...(isForTsx ? ['--import', import.meta.resolve('tsx')] : []),
    ...[fileURLToPath(entry), file.href, `${process.pid}`, descriptor === undefined ? '' : 'notes'],
  ]
  return spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$0" "$@"', ...words], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', descriptor ?? 'ignore'],
    detached: true,
  })
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {} // there is none any more
}

/** A line's words. The last one is all that is left. */
function fieldsOf(line: string): string[] {
  const fields: string[] = []
  let from = 0
  while (fields.length < 4) {
    const to = line.indexOf(' ', from)
    if (to < 0) break
    fields.push(line.slice(from, to))
    from = to + 1
  }
  return [...fields, line.slice(from)]
}

function failureOf(text: string): TaskFailure {
  const [kind, reason] = parsed(text) as [TaskFailureKind, string]
  return new TaskFailure(kind, reason)
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return ['threw', json.slice(0, LONGEST_REASON)] // a task has written there
  }
}
