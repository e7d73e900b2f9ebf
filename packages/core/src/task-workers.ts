/**
 * The workers' side of a primary: what nodes say of the tasks that they do, checked, and what they are told. A node that says
 * something wrong is told about in the log, and nothing else changes.
 *
 * @since 0.24.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { asciiJson } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { type Handlers, textOf } from './messages.ts'
import type { Roster } from './roster.ts'
import type { Abilities, Worker } from './task-placement.ts'
import { LOST_TO_FAIL, type Outcome, type TaskQueue } from './task-queue.ts'
import type { Task } from './task-records.ts'
import { reasonOf, taskLabel } from './task-states.ts'
import { TaskStream } from './task-stream.ts'
import { jsonOf, taskJson } from './task-texts.ts'

/** How much of what is wrong a warning shows, in characters. */
const SHOWN = 200

/** How many things a node may do at once, and how many things it may have that tasks require. */
const MOST_SLOTS = 1_024
const MOST_HAS = 100

/** How long the name of a kind of failure may be, in characters. */
const LONGEST_KIND = 40

/** The longest time that a task is believed to have run, in ms: a day. */
const LONGEST_MS = 86_400_000

const lease = v.pipe(v.number(), v.safeInteger())

const introduction = v.object({
  tasks: v.record(v.string(), lease),
  slots: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MOST_SLOTS)),
  memory_mb: v.pipe(v.number(), v.finite(), v.minValue(0)),
  has: v.pipe(v.array(taskLabel), v.maxLength(MOST_HAS)),
  draining: v.fallback(v.boolean(), false),
  holds: v.fallback(v.array(v.tuple([v.string(), lease, v.optional(lease)])), []),
  term: v.optional(lease),
  desk: v.optional(v.string()),
})

/** @internal */
export interface TaskWorkersOptions {
  queue: TaskQueue
  roster: Pick<Roster, 'nameOf'>
  log: Logger
  /** Called when something has changed, so that there may be something to place, or to send. */
  changed: () => void
  /** Whether this desk is the one that decides. Who says something while it is not is cut off, and says it again elsewhere. */
  isHeld: () => boolean
  /** Whose desk this is, and in which term, where several nodes may have one, one after the other. */
  reign: { readonly term: number; readonly desk: string } | undefined
}

/**
 * All nodes that do tasks.
 *
 * @internal
 */
export class TaskWorkers {
  readonly handlers: Handlers

  readonly #options: TaskWorkersOptions
  readonly #workers = new Map<Connection, Worker>()
  readonly #peers = new Map<Worker, { peer: Connection; stream: TaskStream }>()
  readonly #unflushed = new Set<TaskStream>()

  constructor(options: TaskWorkersOptions) {
    this.#options = options
    this.handlers = {
      worker: this.#introduce,
      task_ends: (payload, peer) => this.#each('ends of tasks', payload, peer, this.#end),
      task_progress: (payload, peer) => this.#each('progress of tasks', payload, peer, this.#progress),
      task_returns: (payload, peer) => this.#each('tasks given back', payload, peer, this.#return, true),
    }
  }

  /** Gives a task to a worker, with the next {@link flush}. */
  give(task: Task, worker: Worker): void {
    const known = this.#peers.get(worker)
    if (!known) return
    known.stream.add('tasks', taskJson(task))
    this.#unflushed.add(known.stream)
  }

  /** Tells a worker to leave a task alone, with the next {@link flush}. */
  recall(worker: Worker, id: string): void {
    const known = this.#peers.get(worker)
    if (!known) return
    known.stream.add('task_cancel', `"${id}"`)
    this.#unflushed.add(known.stream)
    this.#options.changed()
  }

  /** Sends what there is to send, in one message of a type to each. */
  flush(): void {
    for (const stream of this.#unflushed) stream.flush()
    this.#unflushed.clear()
    for (const [worker, { stream }] of this.#peers) worker.isFull = stream.isFull
  }

  /** Calls workers by what they are called now: a name may become free. */
  rename(): void {
    for (const [worker, { peer }] of this.#peers) worker.name = this.#options.roster.nameOf(peer)
  }

  readonly #introduce = (payload: unknown, peer: Connection): void => {
    const { queue, roster, log, changed, reign } = this.#options
    this.#throwUnlessHeld(peer)
    const parsed = v.safeParse(introduction, payload)
    const name = roster.nameOf(peer)
    if (!parsed.success) {
      const { message } = parsed.issues[0]
      log.warn(
        `What ${name} has sent does not say which tasks it can do, and is passed over (${message}): ${textOf(payload).slice(0, SHOWN)}`,
      )
      return
    }
    if (peer.socket.destroyed) return
    const { tasks, slots, memory_mb, has, draining, holds, term, desk } = parsed.output
    if (reign && !(term === reign.term && desk === reign.desk)) {
      log.warn(
        `${name} wants tasks of ${textOf({ desk, term }).slice(0, SHOWN)}, and gets none: this is ${reign.desk} in term ${reign.term}`,
      )
      return
    }
    const abilities: Abilities = {
      tasks: new Map(Object.entries(tasks)),
      slots,
      memoryMb: memory_mb,
      has: new Set(has),
      draining,
    }
    let worker = this.#workers.get(peer)
    const isNew = !worker
    if (worker) {
      if (draining && !worker.abilities.draining) log.info(`${name} takes no more tasks`)
      worker.abilities = abilities
    } else {
      worker = this.#join(peer, name, abilities)
    }
    const given: string[] = []
    for (const [id, lease, term] of holds) {
      const number = this.#numberOf(lease, term)
      if (number === undefined) continue // another one has given it that
      if (queue.resume(worker, id, number)) given.push(id)
      else this.#recallUnknown(worker, id)
    }
    if (isNew && given.length > 0)
      log.info(`${name} goes on with ${tasksText(given.length)} that it had before`)
    changed()
  }

  #join(peer: Connection, name: string, abilities: Abilities): Worker {
    const { queue, log, changed, isHeld, reign } = this.#options
    const worker = queue.join(name, peer.node ?? name, abilities)
    const stream = new TaskStream(peer, {
      hasRoom: () => {
        worker.isFull = false // what is placed now is placed before the next look at all
        changed()
      },
      mayWrite: isHeld,
      about: reign && `"term":${reign.term},"desk":${asciiJson(reign.desk)}`,
    })
    this.#workers.set(peer, worker)
    this.#peers.set(worker, { peer, stream })
    const { slots, tasks } = abilities
    log.info(
      `${name} does tasks: ${[...tasks.keys()].join(', ').slice(0, SHOWN) || 'none'}; ${slots} at once`,
    )
    peer.socket.once('close', () => {
      this.#workers.delete(peer)
      this.#peers.delete(worker)
      this.#unflushed.delete(stream)
      const { had, poisoned } = queue.leave(worker)
      if (had > 0 && isHeld())
        log.warn(
          `${worker.name} is gone with ${tasksText(had)} in work: ${had - poisoned === 1 ? 'it waits' : `${had - poisoned} wait`} for another node${poisoned > 0 ? `, and ${tasksText(poisoned)} had lost ${LOST_TO_FAIL} nodes, and failed` : ''}`,
        )
      changed()
    })
    return worker
  }

  #throwUnlessHeld(peer: Connection): void {
    const { isHeld, roster } = this.#options
    if (!isHeld()) throw new OperationalError(`Cut off ${roster.nameOf(peer)}: this node does not lead now.`)
  }

  /**
   * The number by which the queue knows a lease. That of one of an earlier term is negative there: with a clock that was wrong
   * it may be one of this term, too.
   *
   * @returns undefined for one of a later term, which another one has given
   */
  #numberOf(lease: number, term: unknown): number | undefined {
    const { reign } = this.#options
    if (!reign || term === reign.term) return lease
    return Number.isSafeInteger(term) && (term as number) < reign.term ? -lease : undefined
  }

  /** A node may hold what is no id here: it is told so in any case, if that can be said. */
  #recallUnknown(worker: Worker, id: string): void {
    if (/^[\w.:/-]{1,100}$/.test(id)) this.recall(worker, id)
  }

  /** Looks at each of several things that a worker says. What is wrong is told and passed over, and the rest is taken. */
  #each(
    what: string,
    payload: unknown,
    peer: Connection,
    take: (worker: Worker, id: string, lease: number, said: Record<string, unknown>) => boolean | undefined,
    backwards = false,
  ): void {
    const { log, roster, changed } = this.#options
    this.#throwUnlessHeld(peer)
    const worker = this.#workers.get(peer)
    if (!worker || !Array.isArray(payload)) {
      const why = worker ? '' : ', by one that has not told which tasks it can do'
      log.warn(
        `What ${roster.nameOf(peer)} has sent are no ${what}${why}: ${textOf(payload).slice(0, SHOWN)}`,
      )
      return
    }
    let ignored = 0
    for (const said of backwards ? payload.reverse() : payload) {
      const { id, lease, term } = (said ?? {}) as Record<string, unknown>
      const number = Number.isSafeInteger(lease) ? this.#numberOf(lease as number, term) : undefined
      const taken =
        typeof id === 'string' && number !== undefined ? take(worker, id, number, said) : undefined
      if (taken === false) ignored += 1
      else if (taken === undefined)
        log.warn(
          `What ${worker.name} has sent is not among ${what}, and is passed over: ${textOf(said).slice(0, SHOWN)}`,
        )
    }
    if (ignored > 0)
      log.debug(
        `${worker.name} has sent ${ignored} ${what} that it has not, or has no more. They change nothing.`,
      )
    changed()
  }

  readonly #end = (
    worker: Worker,
    id: string,
    lease: number,
    said: Record<string, unknown>,
  ): boolean | undefined => {
    const { queue } = this.#options
    const { ms, kind, reason } = said
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= LONGEST_MS)) return undefined
    if (kind === undefined && !Object.hasOwn(said, 'result')) return undefined
    if (kind !== undefined && (typeof kind !== 'string' || kind.length > LONGEST_KIND)) return undefined
    if (kind !== undefined) return queue.settle(worker, id, lease, { ms, kind, reason: reasonOf(reason) })
    const made = jsonOf(said['result'])
    const outcome: Outcome =
      'json' in made
        ? { ms, result: made.json }
        : { ms, kind: made.kind, reason: `its result cannot be taken: ${made.reason}` }
    return queue.settle(worker, id, lease, outcome)
  }

  readonly #progress = (
    worker: Worker,
    id: string,
    lease: number,
    { done }: Record<string, unknown>,
  ): boolean | undefined => {
    if (typeof done !== 'number' || !(done >= 0 && done <= 1)) return undefined
    return this.#options.queue.progress(worker, id, lease, done)
  }

  readonly #return = (worker: Worker, id: string, lease: number): boolean =>
    this.#options.queue.giveBack(worker, id, lease)
}

/**
 * A number of tasks, for people.
 *
 * @internal
 */
export function tasksText(count: number): string {
  return count === 1 ? '1 task' : `${count} tasks`
}
