/**
 * Leases: which node has which task, by which number, until when at the latest, and which nodes had it before and may still
 * come back with it.
 *
 * @since 0.24.0
 */
import type { Placement, Worker } from './task-placement.ts'
import type { Lease, PastLease, Task } from './task-records.ts'

/** How much later than its limit a task is taken to be lost, in ms: for its way there and back, on a slow network. */
const BEYOND_LIMIT_MS = 30_000

/** Of how many former leases a task knows. */
const MOST_PAST = 8

/**
 * How a task is lent.
 *
 * @internal
 */
export interface LendOptions {
  number?: number
  until?: number | undefined
  isAlone?: boolean
}

/**
 * All leases there are.
 *
 * @internal
 */
export class TaskLeases {
  readonly #placement: Placement
  readonly #held = new Map<Worker, Set<Task>>()
  /** Who has a task that is tried alone. */
  readonly #alone = new Set<Worker>()
  /** No lease of this process has it or a lower one. */
  readonly #before: number
  #last: number

  /** @param date in ms since 1970: numbers begin there, in µs, so that no other process has given the same */
  constructor(placement: Placement, date: number) {
    this.#placement = placement
    this.#before = date * 1_000
    this.#last = this.#before
  }

  join(worker: Worker): void {
    this.#placement.workers.add(worker)
    this.#held.set(worker, new Set())
  }

  /** A worker is there no more, and has nothing. */
  leave(worker: Worker): void {
    this.#placement.workers.delete(worker)
    this.#held.delete(worker)
    this.#alone.delete(worker)
  }

  /** What a worker has, in the order in which it got it: the first of it, up to a number. */
  heldBy(worker: Worker, most = Number.POSITIVE_INFINITY): Task[] {
    const tasks: Task[] = []
    for (const task of this.#held.get(worker) ?? []) {
      if (tasks.length >= most) break
      tasks.push(task)
    }
    return tasks
  }

  hasAlone(worker: Worker): boolean {
    return this.#alone.has(worker)
  }

  /**
   * A worker has a task from now on.
   *
   * @param options `number`: that of a lease which goes on; `until`: its deadline, if it has one; `isAlone`: whether the worker
   *   is to have nothing else
   */
  lend(task: Task, worker: Worker, now: number, { number, until, isAlone = false }: LendOptions = {}): void {
    const { demand } = task.line
    if (number === undefined) this.#last += 1
    const estimateMs = this.#placement.came(worker, demand, now)
    // It waits there for those before it, each of which may take as long as it likes within its limit.
    const turns = Math.ceil(worker.inFlight / worker.abilities.slots)
    task.lease = {
      number: number ?? this.#last,
      worker,
      deadline: until ?? now + demand.limitMs * turns + BEYOND_LIMIT_MS,
      estimateMs,
      isAlone,
      progress: undefined,
    }
    if (isAlone) this.#alone.add(worker)
    this.#held.get(worker)?.add(task)
  }

  /** A worker has a task no more. */
  release(task: Task): Lease {
    const lease = task.lease as Lease
    this.#placement.left(lease.worker, task.line.demand, lease.estimateMs)
    this.#held.get(lease.worker)?.delete(task)
    if (lease.isAlone) this.#alone.delete(lease.worker)
    task.lease = undefined
    return lease
  }

  /** What is far beyond its limit. There are never more leases than nodes have room for, so each is looked at. */
  expired(now: number): Task[] {
    const late: Task[] = []
    for (const held of this.#held.values())
      for (const task of held) if (task.lease && task.lease.deadline <= now) late.push(task)
    return late
  }

  /** A lease that was lost with this node: of this process or, where its number is not known, of one before. */
  pastOf({ past }: Task, { identity }: Worker, lease: number): PastLease | undefined {
    return past?.find(
      (known) =>
        known.isOpen &&
        known.identity === identity &&
        (known.number === lease || (known.number === 0 && lease <= this.#before)),
    )
  }

  remember(task: Task, lease: PastLease): void {
    task.past ??= []
    task.past.push(lease)
    if (task.past.length > MOST_PAST) task.past.shift()
  }
}
