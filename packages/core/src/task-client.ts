/**
 * Handing in tasks from elsewhere: over the connection to the primary, however often that is lost, and no faster than it
 * takes them. What has become of them comes as it happens.
 *
 * @since 0.24.0
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { BackOff } from './back-off.ts'
import type { AskOptions } from './dialogue.ts'
import { asciiJson, FrameError, JsonText } from './frames.ts'
import { OperationalError, stopRequest } from './lifecycle.ts'
import type { Handlers } from './messages.ts'
import { Refusal } from './open-questions.ts'
import {
  hasEnded,
  MOST_TASK_BYTES,
  type NewTask,
  type TaskEnd,
  type TaskState,
  taskEnds,
  taskStates,
} from './task-states.ts'

/** How large a message becomes with which tasks are handed in, in bytes, unless one is larger by itself, and how many it has. */
const MESSAGE_BYTES = 128 * 1024
const MOST_IN_A_MESSAGE = 1_000

/** How many ids go into one question. */
const MOST_IDS = 1_000

/** How long a full queue is left alone at first, and at most, in ms. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

const full = v.object({ waiting: v.number(), most: v.number() })
const submitted = v.object({ ids: v.array(v.string()), full: v.optional(full) })
const refused = v.object({ refused: v.string() })
const counted = v.object({ count: v.number() })

/** Who asks, as a dialogue does, and a node that connects. */
interface Asker {
  ask(question: string, options: AskOptions): Promise<unknown>
}

/** How a full queue was found. */
export interface FullQueue {
  /** How many tasks wait in it. */
  waiting: number
  /** How many may. */
  most: number
  /** How many of those that are being handed in it has taken, and how many these are. */
  taken: number
  of: number
}

export interface SubmitOptions {
  /** Whether their ends are wanted, by {@link TaskClient.ends}. Default: no. */
  follow?: boolean
  /** Called each time the queue is full, before it is tried again. */
  onFull?: (full: FullQueue) => void
  /** Ends the handing in. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** Which tasks: some by their ids, or all of a group. */
export type WhichTasks = { ids: readonly string[] } | { group: string }

/** A submitter's part. */
export class TaskClient {
  /** What to do with what the primary says, for the node that is connected to it. */
  readonly handlers: Handlers

  readonly #asker: Asker
  readonly #prefix = randomBytes(6).toString('hex')
  /** Those that are followed and have not ended, by their ids: what they are called. */
  readonly #open = new Map<string, string>()
  #ends: TaskEnd[] = []
  #lastId = 0
  #submitting = 0
  /** How often it was resumed: once for each connection. */
  #resumes = 0
  #wake: () => void = () => {}
  /** What waits before it is handed in again. */
  readonly #pauses = new Set<AbortController>()

  /** @param asker what asks the primary: a `ConnectingNode`, or a `Dialogue` */
  constructor(asker: Asker) {
    this.#asker = asker
    this.handlers = { task_results: this.#takeEnds }
  }

  /** How many tasks are followed that have not ended. */
  get open(): number {
    return this.#open.size
  }

  /**
   * Hands tasks in, in order. While the queue is full it waits, for 0.1 s at first and up to 2 s, at random; while there is
   * no connection it tries again as a node does that connects. A task that was handed in twice for that is one task.
   *
   * @returns their ids, in the same order, when all are taken
   * @throws OperationalError when they are refused, and why: not allowed, no such task, no JSON. What was taken before that,
   *   of many, is taken
   * @throws the signal's reason, an AbortError, when it is stopped first
   */
  async submit(tasks: readonly NewTask[], options: SubmitOptions = {}): Promise<string[]> {
    const { follow = false, stop = stopRequest } = options
    const named = tasks.map((task) => ({ task, id: task.id ?? this.#newId() }))
    const texts = named.map(({ task, id }, index) =>
      textOfTask({ ...task, id }, `task ${index + 1} of ${tasks.length}`),
    )
    if (follow) for (const { id, task } of named) this.#open.set(id, task.name)
    this.#submitting += 1
    try {
      await this.#submitAll(texts, follow, stop, options.onFull)
    } catch (error) {
      // Of what was taken the ends may come still; nobody waits for it.
      if (follow) for (const { id } of named) this.#open.delete(id)
      throw error
    } finally {
      this.#submitting -= 1
      this.#wake()
    }
    return named.map(({ id }) => id)
  }

  /**
   * The ends of what was submitted with `follow`, as they come, each once, until all have ended. One that the primary does not
   * know any more, since it was started anew, ends as `failed`, of the kind `unknown`.
   */
  async *ends(): AsyncGenerator<TaskEnd, void, void> {
    for (;;) {
      const ends = this.#ends
      this.#ends = []
      yield* ends
      if (this.#ends.length > 0) continue
      if (this.#open.size === 0 && this.#submitting === 0) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /**
   * Follows again what is open, after a connection was lost: call it when a node greets. What has ended meanwhile comes, and
   * what is being handed in is tried again at once.
   *
   * @throws what `ask` throws
   */
  async resume(): Promise<void> {
    this.#resumes += 1
    for (const pause of this.#pauses) pause.abort()
    await this.#followAgain(this.#resumes, FIRST_PAUSE_MS)
  }

  /** An answer may be late while the connection stays: it is asked again then, until there is one, or another connection. */
  async #followAgain(turn: number, pauseMs: number): Promise<void> {
    try {
      await this.#follow(turn)
    } catch (error) {
      if (isPassing(error))
        setTimeout(() => {
          if (turn !== this.#resumes) return
          this.#followAgain(turn, Math.min(pauseMs * 2, LONGEST_PAUSE_MS)).catch(() => {})
        }, pauseMs).unref()
      throw error
    }
  }

  async #follow(turn: number): Promise<void> {
    const ids = [...this.#open.keys()]
    // What is being handed in at this moment is not known there yet, and does not have to be.
    const isSubmitting = this.#submitting > 0
    for (let from = 0; from < ids.length && turn === this.#resumes; ) {
      const asked = ids.slice(from, from + MOST_IDS)
      const { tasks, more } = await this.#askStates({ ids: asked, follow: true })
      this.#takeEnds(tasks.filter(hasEnded))
      const lastId = tasks.at(-1)?.id
      const answered = more && lastId !== undefined ? asked.indexOf(lastId) + 1 : asked.length
      if (!isSubmitting) this.#missing(asked.slice(0, answered), tasks)
      from += Math.max(1, answered)
    }
  }

  /**
   * Where tasks stand. Those that are not known any more are not among them.
   *
   * @throws OperationalError when it is refused; what `ask` throws
   */
  async states(which: WhichTasks): Promise<TaskState[]> {
    return 'group' in which ? await this.#groupStates(which.group) : await this.#statesOf(which.ids)
  }

  /**
   * Ends tasks that have not ended.
   *
   * @returns how many that were
   * @throws OperationalError when it is refused; what `ask` throws
   */
  async cancel(which: WhichTasks): Promise<number> {
    if ('group' in which) return await this.#count('cancel_tasks', 'cancelled', which)
    return await this.#countAll('cancel_tasks', 'cancelled', which.ids)
  }

  /**
   * Those that have failed for good and are known, the newest first, as many as fit into one message.
   *
   * @throws OperationalError when it is refused; what `ask` throws
   */
  async failed(): Promise<TaskState[]> {
    return read(taskStates, await this.#ask('failed_tasks', 'failed_tasks', null)).tasks
  }

  /**
   * Has what has failed tried again, as if it had just come.
   *
   * @returns how many that are
   * @throws OperationalError when it is refused; what `ask` throws
   */
  async retry(which: { ids: readonly string[] } | { all: true }): Promise<number> {
    if ('all' in which) return await this.#count('retry_tasks', 'retried', which)
    return await this.#countAll('retry_tasks', 'retried', which.ids)
  }

  #newId(): string {
    this.#lastId += 1
    return `${this.#prefix}-${this.#lastId}`
  }

  async #submitAll(
    texts: readonly string[],
    follow: boolean,
    stop: AbortSignal,
    onFull: SubmitOptions['onFull'],
  ): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    const backOff = new BackOff()
    for (let from = 0; from < texts.length; ) {
      stop.throwIfAborted()
      const piece = pieceOf(texts, from)
      const turn = this.#resumes
      let answer: v.InferOutput<typeof submitted>
      try {
        answer = read(submitted, await this.#ask('submit', 'submitted', aboutOf(piece, follow), stop))
        backOff.reset()
      } catch (error) {
        stop.throwIfAborted()
        if (!isPassing(error)) throw error
        if (turn === this.#resumes) await this.#pause(backOff.next(), stop)
        continue
      }
      const taken = Math.min(answer.ids.length, piece.length)
      from += taken
      if (taken === piece.length) {
        pauseMs = FIRST_PAUSE_MS
        continue
      }
      onFull?.({ waiting: 0, most: 0, ...answer.full, taken: from, of: texts.length })
      pauseMs = taken > 0 ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      // At random, so that those who wait for the same do not all come at once.
      await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: stop })
    }
  }

  /** Waits before the same is tried again: for as long as that, or until there is another connection. */
  async #pause(ms: number, stop: AbortSignal): Promise<void> {
    const pause = new AbortController()
    this.#pauses.add(pause)
    try {
      await sleep(ms, undefined, { signal: AbortSignal.any([stop, pause.signal]) })
    } catch (error) {
      if (stop.aborted || !pause.signal.aborted) throw error
    } finally {
      this.#pauses.delete(pause)
    }
  }

  async #statesOf(ids: readonly string[]): Promise<TaskState[]> {
    const all: TaskState[] = []
    for (let from = 0; from < ids.length; ) {
      const asked = ids.slice(from, from + MOST_IDS)
      const { tasks, more } = await this.#askStates({ ids: asked })
      all.push(...tasks)
      const lastId = tasks.at(-1)?.id
      from += more && lastId !== undefined ? asked.indexOf(lastId) + 1 : asked.length
    }
    return all
  }

  async #groupStates(group: string): Promise<TaskState[]> {
    const all: TaskState[] = []
    for (;;) {
      const after = all.at(-1)?.id
      const { tasks, more } = await this.#askStates({ group, ...(after !== undefined && { after }) })
      all.push(...tasks)
      if (!more || tasks.length === 0) return all
    }
  }

  async #askStates(about: unknown): Promise<v.InferOutput<typeof taskStates>> {
    return read(taskStates, await this.#ask('task_states', 'task_states', about))
  }

  async #countAll(question: string, answer: string, ids: readonly string[]): Promise<number> {
    let count = 0
    for (let from = 0; from < ids.length; from += MOST_IDS)
      count += await this.#count(question, answer, { ids: ids.slice(from, from + MOST_IDS) })
    return count
  }

  async #count(question: string, answer: string, about: unknown): Promise<number> {
    return read(counted, await this.#ask(question, answer, about)).count
  }

  async #ask(question: string, answer: string, about: unknown, stop?: AbortSignal): Promise<unknown> {
    return await this.#asker.ask(question, { answer, about, ...(stop && { stop }) })
  }

  /** Takes what has ended. What comes twice, after a connection was lost, counts once. */
  readonly #takeEnds = (payload: unknown): void => {
    const parsed = v.safeParse(taskEnds, payload)
    if (!parsed.success) throw new OperationalError('What came are no ends of tasks.')
    for (const task of parsed.output) if (hasEnded(task) && this.#open.delete(task.id)) this.#ends.push(task)
    this.#wake()
  }

  #missing(asked: readonly string[], known: readonly TaskState[]): void {
    const there = new Set(known.map(({ id }) => id))
    for (const id of asked) {
      const name = this.#open.get(id)
      if (name === undefined || there.has(id)) continue
      this.#open.delete(id)
      this.#ends.push({
        ...{ id, name, by: '', state: 'failed', attempts: 0, lost: 0, kind: 'unknown' },
        reason: 'The primary does not know it any more: it was started anew, or the task ended long ago.',
      })
    }
    this.#wake()
  }
}

/** Something that has come, if it is what was asked for. */
function read<Schema extends v.GenericSchema>(schema: Schema, payload: unknown): v.InferOutput<Schema> {
  const no = v.safeParse(refused, payload)
  if (no.success) throw new Refused(`The primary refuses that: ${no.output.refused}`)
  const parsed = v.safeParse(schema, payload)
  if (!parsed.success) throw new Refused('What the primary answers says nothing of tasks.')
  return parsed.output
}

/** The primary has understood, and does not do it. */
class Refused extends OperationalError {}

/**
 * Whether the same may be right a moment later: there was no connection, or no answer in time; or the connection was ended here,
 * since somebody else leads.
 */
function isPassing(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return true
  return (
    error instanceof OperationalError &&
    !(error instanceof Refused || error instanceof Refusal || error instanceof FrameError)
  )
}

/** A task as it is handed in, as JSON. */
function textOfTask({ name, input = null, group, requires, id }: NewTask, which: string): string {
  const json = asciiJson(input)
  if (json.length > MOST_TASK_BYTES)
    throw new Refused(
      `The input of ${which} is too large: it has ${json.length} bytes, and ${MOST_TASK_BYTES} are the most.`,
    )
  const rest = asciiJson({
    name,
    ...(group !== undefined && { group }),
    ...(requires && { requires }),
    ...(id !== undefined && { id }),
  })
  return `{"input":${json},${rest.slice(1)}`
}

/** As many tasks as go into one message. */
function pieceOf(texts: readonly string[], from: number): readonly string[] {
  let to = from
  let bytes = 0
  while (to < texts.length && to - from < MOST_IN_A_MESSAGE) {
    bytes += texts[to]?.length ?? 0
    if (bytes > MESSAGE_BYTES && to > from) break
    to += 1
  }
  return texts.slice(from, to)
}

function aboutOf(texts: readonly string[], follow: boolean): JsonText {
  return new JsonText(`{"tasks":[${texts.join(',')}]${follow ? ',"follow":true' : ''}}`)
}
