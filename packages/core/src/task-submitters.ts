/**
 * The submitters' side of a primary: who may hand in tasks, which of them are taken, what is said of them, and who is told
 * when they have ended.
 *
 * @since 0.24.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import type { Answer, Answers } from './dialogue.ts'
import { JsonText } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { textOf } from './messages.ts'
import type { TaskFollowers } from './task-followers.ts'
import { JournalOver, type TaskEvent } from './task-journal.ts'
import type { TaskNotes } from './task-notes.ts'
import type { TakenTask, TaskQueue } from './task-queue.ts'
import type { Task } from './task-records.ts'
import { submittedTask, taskId, taskLabel } from './task-states.ts'
import { isShownOpen, jsonOf, shownOf, stateJson } from './task-texts.ts'

/** How many tasks may be handed in with one message, and how many may be asked for. */
const MOST_AT_ONCE = 10_000

/** How large an answer about tasks becomes, in bytes, unless one is larger by itself. */
const ANSWER_BYTES = 512 * 1024

/** How much of what is wrong a text shows, in characters. */
const SHOWN = 100

/** How long nothing more is said of a full queue, in ms. */
const SILENCE_MS = 10_000

const ids = v.pipe(v.array(v.string()), v.maxLength(MOST_AT_ONCE))
const submission = v.object({
  tasks: v.pipe(v.array(v.unknown()), v.maxLength(MOST_AT_ONCE)),
  follow: v.optional(v.boolean(), false),
})
const someOrGroup = v.union([
  v.object({ ids, follow: v.optional(v.boolean(), false) }),
  v.object({ group: taskLabel, after: v.optional(taskId) }),
])
const someOrAll = v.union([v.object({ ids }), v.object({ all: v.literal(true) })])

/** Why something is not done for a submitter. */
class NotDone extends Error {}

/** @internal */
export interface TaskSubmittersOptions {
  queue: TaskQueue
  followers: TaskFollowers
  notes: TaskNotes | undefined
  log: Logger
  submitters: () => readonly string[]
  /** Whether this desk is the one that decides. Who asks while it is not is cut off, and finds the other one. */
  isHeld: () => boolean
  mostWaiting: number
  mostWaitingBytes: number
  /** Writes down what is taken, if anything is written down. */
  write: ((tasks: readonly TakenTask[]) => Promise<void>) | undefined
  /** What is written down of a task that is to be tried again. */
  retriedEvent: (task: Task) => TaskEvent
  /** Called when something has changed, so that there may be something to place, or to send. */
  changed: () => void
}

/**
 * All who submit.
 *
 * @internal
 */
export class TaskSubmitters {
  readonly answers: Answers

  readonly #options: TaskSubmittersOptions
  /** What is being written down, and not in the queue yet: by its id, and how much of it there is. */
  readonly #written = new Map<string, Promise<unknown>>()
  #reserved = { count: 0, bytes: 0 }
  /** What is to be tried again, and has failed still by all that is durable. */
  readonly #retried = new Set<Task>()
  readonly #prefix = Math.floor(Math.random() * 36 ** 6).toString(36)
  #lastId = 0
  #fullSaid = Number.NEGATIVE_INFINITY

  constructor(options: TaskSubmittersOptions) {
    this.#options = options
    this.answers = {
      submit: (peer, about) => this.#answer('submitted', 'submit', peer, about, this.#submit),
      task_states: (peer, about) => this.#answer('task_states', 'ask for tasks', peer, about, this.#states),
      cancel_tasks: (peer, about) => this.#answer('cancelled', 'cancel', peer, about, this.#cancel),
      failed_tasks: (peer, about) =>
        this.#answer('failed_tasks', 'ask for the failed', peer, about, this.#failed),
      retry_tasks: (peer, about) => this.#answer('retried', 'try again', peer, about, this.#retry),
    }
  }

  /** Looks who asks, and does it, or says why not. */
  #answer(
    type: string,
    what: string,
    peer: Connection,
    about: unknown,
    make: (about: unknown, by: string, peer: Connection) => unknown,
  ): Answer | Promise<Answer> {
    const answered = (payload: unknown): Answer => {
      this.#throwUnlessHeld(peer) // that may be over since it was asked
      return { type, payload }
    }
    const refused = (error: unknown): Answer => {
      if (error instanceof JournalOver) this.#cutOff(peer)
      if (!(error instanceof NotDone)) throw error
      const who = peer.node ?? peer.peer
      this.#options.log.warn(`${who} wants to ${what}, and is refused: ${error.message}`)
      return answered({ refused: error.message })
    }
    this.#throwUnlessHeld(peer)
    try {
      const made = make(about, this.#submitter(peer), peer)
      if (made instanceof Promise) return made.then(answered, refused)
      return answered(made)
    } catch (error) {
      return refused(error)
    }
  }

  #throwUnlessHeld(peer: Connection): void {
    if (!this.#options.isHeld()) this.#cutOff(peer)
  }

  #cutOff({ peer }: Connection): never {
    throw new OperationalError(`Cut off ${peer}: this node does not lead now.`)
  }

  #submitter({ node }: Connection): string {
    if (node === undefined) throw new NotDone('who hands in tasks has to prove who it is, by a key')
    if (!this.#options.submitters().includes(node))
      throw new NotDone(`${node} is not among those who may hand in tasks`)
    return node
  }

  readonly #submit = (about: unknown, by: string, peer: Connection): unknown => {
    const { write } = this.#options
    const { tasks, follow } = parsed(submission, about, 'what to do')
    const taken = tasks.map((task, index) => this.#checked(task, by, `task ${index + 1} of ${tasks.length}`))
    return write ? this.#submitWritten(write, taken, follow, peer) : this.#takeAll(taken, follow, peer)
  }

  async #submitWritten(
    write: (tasks: readonly TakenTask[]) => Promise<void>,
    tasks: readonly TakenTask[],
    follow: boolean,
    peer: Connection,
  ): Promise<unknown> {
    const underWay = [...new Set(tasks.flatMap(({ id }) => this.#written.get(id) ?? []))]
    if (underWay.length > 0) {
      await Promise.allSettled(underWay)
      this.#throwUnlessHeld(peer)
      return await this.#submitWritten(write, tasks, follow, peer)
    }
    const wanted = tasks.slice(0, this.#fitting(tasks))
    const fresh = onlyFirst(wanted.filter(({ id }) => !this.#options.queue.get(id)))
    if (fresh.length === 0) return this.#take(wanted, tasks.length, follow, peer)
    const bytes = fresh.reduce((sum, { input }) => sum + input.length, 0)
    this.#reserved.count += fresh.length
    this.#reserved.bytes += bytes
    const writing = write(fresh)
    for (const { id } of fresh) this.#written.set(id, writing)
    try {
      await writing
    } catch (error) {
      if (error instanceof JournalOver) throw error
      throw new NotDone(`it cannot be written down: ${error instanceof Error ? error.message : error}`)
    } finally {
      for (const { id } of fresh) this.#written.delete(id)
      this.#reserved.count -= fresh.length
      this.#reserved.bytes -= bytes
    }
    return this.#take(wanted, tasks.length, follow, peer)
  }

  #takeAll(tasks: readonly TakenTask[], follow: boolean, peer: Connection): unknown {
    return this.#take(tasks.slice(0, this.#fitting(tasks)), tasks.length, follow, peer)
  }

  #take(tasks: readonly TakenTask[], wanted: number, follow: boolean, peer: Connection): unknown {
    const { queue, followers, mostWaiting, changed } = this.#options
    for (const taken of tasks) {
      const known = queue.get(taken.id)
      const task = known ?? queue.add(taken)
      if (follow) followers.follow(task, peer)
    }
    changed()
    const ids = tasks.map(({ id }) => id)
    if (tasks.length === wanted) return { ids }
    this.#sayFull()
    return { ids, full: { waiting: queue.groups.counts.waiting, most: mostWaiting } }
  }

  /** How many of these tasks, from the first on, there is room for. What is known already needs none. */
  #fitting(tasks: readonly TakenTask[]): number {
    const { queue, mostWaiting, mostWaitingBytes } = this.#options
    let count = queue.groups.counts.waiting + this.#reserved.count
    let bytes = queue.waiting.bytes + this.#reserved.bytes
    for (const [index, { id, input }] of tasks.entries()) {
      if (queue.get(id)) continue
      count += 1
      bytes += input.length
      if (count > mostWaiting || bytes > mostWaitingBytes) return index
    }
    return tasks.length
  }

  #checked(task: unknown, by: string, which: string): TakenTask {
    const { queue } = this.#options
    const { name, input, group, requires, id } = parsed(submittedTask, task, which)
    if (!queue.demands.has(name))
      throw new NotDone(
        `${which}: there is no task ${shown(name)}. There is ${queue.demands.names.join(', ') || 'none'}`,
      )
    const made = jsonOf(input)
    if (!('json' in made)) throw new NotDone(`${which}: its input cannot be taken: ${made.reason}`)
    const demand = queue.demands.of(name, requires)
    if (!demand) throw new NotDone(`${which}: tasks that wait require too many different things already`)
    if (id !== undefined && (queue.get(id)?.line.lane.by ?? by) !== by)
      throw new NotDone(`${which}: there is a task ${id} of another submitter`)
    return { id: id ?? this.#newId(), by, demand, input: made.json, group }
  }

  #newId(): string {
    this.#lastId += 1
    return `${this.#prefix}-${this.#lastId}`
  }

  readonly #states = (about: unknown, _: string, peer: Connection): unknown => {
    const { queue, followers } = this.#options
    const wanted = parsed(someOrGroup, about, 'which tasks')
    if ('group' in wanted) return listed(this.#ofGroup(wanted.group, wanted.after))
    const known = wanted.ids.flatMap((id) => queue.get(id) ?? [])
    return listed(known, (task) => {
      if (wanted.follow && isShownOpen(task)) followers.follow(task, peer)
    })
  }

  #ofGroup(name: string, after: string | undefined): Task[] {
    const { queue } = this.#options
    const members = queue.groups.get(name)?.members ?? []
    const known = members.filter((task) => queue.get(task.id) === task)
    if (after === undefined) return known
    const order = queue.get(after)?.order
    if (order === undefined) throw new NotDone(`the task ${after} is not known any more`)
    return known.filter((task) => task.order > order)
  }

  readonly #cancel = (about: unknown): unknown => {
    const { queue, log } = this.#options
    const wanted = parsed(someOrGroup, about, 'which tasks')
    const tasks =
      'group' in wanted
        ? this.#ofGroup(wanted.group, undefined)
        : wanted.ids.flatMap((id) => queue.get(id) ?? [])
    const count = tasks.filter((task) => queue.cancel(task)).length
    if (count > 0) log.info(`Cancelled: ${count === 1 ? '1 task' : `${count} tasks`}`)
    return this.#whenWritten({ count })
  }

  readonly #failed = (): unknown => {
    const failed = new Set([...this.#retried, ...this.#options.queue.endings.failed])
    return listed([...failed].filter((task) => shownOf(task).state === 'failed').reverse())
  }

  readonly #retry = (about: unknown): unknown => {
    const { queue, notes, retriedEvent, mostWaiting, log } = this.#options
    const wanted = parsed(someOrAll, about, 'which tasks')
    const tasks =
      'all' in wanted ? [...queue.endings.failed] : wanted.ids.flatMap((id) => queue.get(id) ?? [])
    let count = 0
    for (const task of tasks) {
      if (queue.groups.counts.waiting + this.#reserved.count >= mostWaiting) break
      if (!queue.retry(task)) continue
      if (notes) this.#retried.add(task)
      notes?.addOf(task, retriedEvent(task), () => this.#retried.delete(task))
      count += 1
    }
    if (count > 0) log.info(`To be tried again: ${count === 1 ? '1 task' : `${count} tasks`}`)
    return this.#whenWritten({ count })
  }

  #whenWritten(payload: unknown): unknown {
    const { notes, changed } = this.#options
    changed()
    if (!notes) return payload
    return notes.written().then(
      () => payload,
      (error: unknown) => {
        if (error instanceof JournalOver) throw error
        throw new NotDone(
          `it is done, and cannot be written down yet: ${error instanceof Error ? error.message : error}`,
        )
      },
    )
  }

  #sayFull(): void {
    const { queue, log } = this.#options
    const now = performance.now()
    if (now - this.#fullSaid < SILENCE_MS) return
    this.#fullSaid = now
    log.warn(
      `The queue is full: ${queue.groups.counts.waiting} tasks wait, with ${queue.waiting.bytes} bytes. Who submits is told to wait`,
    )
  }
}

/** What somebody asks about, if it is that. */
function parsed<Schema extends v.GenericSchema>(
  schema: Schema,
  about: unknown,
  what: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, about)
  if (result.success) return result.output
  const [issue] = result.issues
  const where = v.getDotPath(issue)
  throw new NotDone(
    `${what}: ${where === null ? '' : `its "${where}": `}${issue.message.slice(0, 2 * SHOWN)}, in ${shown(about)}`,
  )
}

function shown(value: unknown): string {
  return (textOf(value ?? null) ?? '').slice(0, SHOWN)
}

/** Each id once. */
function onlyFirst(tasks: readonly TakenTask[]): TakenTask[] {
  return [...new Map(tasks.toReversed().map((task) => [task.id, task])).values()].reverse()
}

/** Tasks as an answer, as many as fit into one. */
function listed(tasks: readonly Task[], each: (task: Task) => void = () => {}): JsonText {
  const texts: string[] = []
  let bytes = 0
  for (const task of tasks) {
    const json = stateJson(task)
    bytes += json.length + 1
    if (bytes > ANSWER_BYTES && texts.length > 0) break
    each(task)
    texts.push(json)
  }
  return new JsonText(`{"tasks":[${texts.join(',')}],"more":${texts.length < tasks.length}}`)
}
