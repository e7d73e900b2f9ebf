/**
 * The queue: which task is in which state, at which node, and what becomes of it when that node says something, or is lost.
 * Nothing here knows of sockets, and what time it is it is told: a test plays a cluster's day in a second.
 *
 * @since 0.24.0
 */
import { TaskDemands } from './task-demands.ts'
import { TaskEndings, type TaskEndingsOptions } from './task-endings.ts'
import { TaskGroups } from './task-groups.ts'
import type { TaskEvent } from './task-journal.ts'
import { type LendOptions, TaskLeases } from './task-leases.ts'
import { type Abilities, Placement, Worker } from './task-placement.ts'
import {
  type CountedDemand,
  type Ending,
  type Lease,
  type PastLease,
  Task,
  type TaskShape,
} from './task-records.ts'
import { WaitingTasks } from './task-waiting.ts'

/** How often a task is tried that fails, unless told otherwise. */
const DEFAULT_ATTEMPTS = 3

/** With how many lost nodes a task is tried alone from then on: it may be what kills them. */
const LOST_TO_BE_ALONE = 2

/**
 * With how many it has failed.
 *
 * @internal
 */
export const LOST_TO_FAIL = 3

/** The window of the first pause after a failure, in ms; each further one is twice as long, up to the longest. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/** How long a node is left alone that gave tasks back though it takes work, in ms. */
const REST_AFTER_RETURN_MS = 1_000

/** How long what a node had in a former life of this queue waits for that node to come back at most, in ms, unless told otherwise. */
const DEFAULT_RETURN_MS = 5_000

/** @internal */
export interface TaskQueueOptions extends TaskEndingsOptions {
  /** What there is, by name. */
  tasks: Readonly<Record<string, TaskShape>>
  /** What time it is: `now` in ms on a clock that does not jump, `date` in ms since 1970. */
  clock: { now(): number; date(): number }
  /** How often a task is tried that fails. Default: 3. */
  attempts?: number | undefined
  /** How long what a node had in a former life of this queue waits for that node to come back at most, in ms. Default: 5,000. */
  returnMs?: number | undefined
  /** Gives a number from 0 to 1, without 1. Default: Math.random */
  random?: (() => number) | undefined
  /** Called when a task has ended. */
  ended: (task: Task) => void
  /** Called when a worker is to leave a task alone. */
  recall: (worker: Worker, id: string) => void
  /** Called when a task was given to a node, or has come back from one, and is to be tried again. */
  tried?: ((task: Task) => void) | undefined
}

/**
 * What came of a task at a node: a result, as JSON, or a kind of failure, and why.
 *
 * @internal
 */
export interface Outcome {
  ms: number
  result?: string | undefined
  kind?: string | undefined
  reason?: string | undefined
}

/**
 * How a task was tried last in a former life of a queue. `until`: where the clock is that of the former life, until when the
 * node may take, or until when the task rests.
 */
type RestoredTries = Omit<Extract<TaskEvent, { kind: 'tried' }>, 'kind' | 'id'>

/**
 * What is to be taken. Somebody has looked whether it may be.
 *
 * @internal
 */
export interface TakenTask {
  id: string
  by: string
  demand: CountedDemand
  /** As JSON. */
  input: string
  group?: string | undefined
}

/**
 * Tasks and workers.
 *
 * @internal
 */
export class TaskQueue {
  readonly demands: TaskDemands
  readonly groups = new TaskGroups()
  readonly placement = new Placement()
  readonly waiting = new WaitingTasks()
  readonly endings: TaskEndings

  readonly #options: TaskQueueOptions
  readonly #random: () => number
  readonly #attempts: number
  readonly #tasks = new Map<string, Task>()
  readonly #leases: TaskLeases
  #order = 0

  constructor(options: TaskQueueOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#attempts = options.attempts ?? DEFAULT_ATTEMPTS
    this.demands = new TaskDemands(options.tasks, () =>
      this.waiting.forgetLines((demand) => demand.open > 0 || this.demands.isKnown(demand)),
    )
    this.endings = new TaskEndings(options)
    this.#leases = new TaskLeases(this.placement, options.clock.date())
  }

  get(id: string): Task | undefined {
    return this.#tasks.get(id)
  }

  /** How many are known. */
  get size(): number {
    return this.#tasks.size
  }

  /** How many have not ended. */
  get open(): number {
    let open = 0
    for (const demand of this.demands.open()) open += demand.open
    return open
  }

  /** What a worker has, in the order in which it got it: the first of it, up to a number. */
  heldBy(worker: Worker, most?: number): Task[] {
    return this.#leases.heldBy(worker, most)
  }

  /** Why something waits that nobody who is here can do, in words: once for each that it lacks. */
  stuck(): string[] {
    const reasons = new Set<string>()
    for (const demand of this.demands.open())
      if (demand.waiting > 0) {
        const why = this.placement.whyNobody(demand)
        if (why !== undefined) reasons.add(why)
      }
    return [...reasons]
  }

  /** Takes a task, whose id must be new. */
  add({ id, by, demand: looked, input, group }: TakenTask): Task {
    // What was looked up before a write may be forgotten meanwhile.
    const demand = this.demands.of(looked.name, looked.asked) ?? looked
    const line = this.waiting.line(by, demand)
    const itsGroup =
      group === undefined ? undefined : this.groups.of(group, by, demand.name, this.#options.clock.now())
    this.#order += 1
    const task = new Task(id, line, itsGroup, this.#order, input)
    this.#tasks.set(id, task)
    demand.open += 1
    this.groups.added(task)
    this.waiting.add(task)
    return task
  }

  /** A node can do tasks. */
  join(name: string, identity: string, abilities: Abilities): Worker {
    const worker = new Worker(name, identity, abilities)
    this.#leases.join(worker)
    return worker
  }

  /**
   * A node is lost. What it had goes to others, in front of what waits.
   *
   * @returns how many tasks it had, and how many of them have failed, since they have lost too many nodes
   */
  leave(worker: Worker): { had: number; poisoned: number } {
    const tasks = this.heldBy(worker)
    let poisoned = 0
    // What goes in front last is the first.
    for (const task of tasks.reverse()) if (this.#lose(task)) poisoned += 1
    this.#leases.leave(worker)
    return { had: tasks.length, poisoned }
  }

  /** Gives what waits to who is expected to have done it first, as far as there is room. */
  place(give: (task: Task, worker: Worker) => void): void {
    const now = this.#options.clock.now()
    this.waiting.wake(now, isTriedAlone)
    this.#placeAlone(now, give)
    this.waiting.place(
      (demand) => this.placement.choose(demand, now),
      (task, worker) => {
        this.#lend(task, worker, now)
        give(task, worker)
      },
    )
  }

  /** When there may be something to place without anything having happened; nothing when never. */
  get nextWake(): number | undefined {
    let next = this.waiting.nextRested ?? Number.POSITIVE_INFINITY
    for (const { restsUntil } of this.placement.workers)
      if (restsUntil > this.#options.clock.now() && restsUntil < next) next = restsUntil
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /**
   * A node says how a task has ended. A lease that is over counts as long as the task is open and it was lost with that node.
   *
   * @returns whether it changes anything
   */
  settle(worker: Worker, id: string, lease: number, outcome: Outcome): boolean {
    const task = this.#tasks.get(id)
    if (!task) return false
    if (task.lease?.number === lease && task.lease.worker === worker) {
      this.#leases.release(task)
      this.#take(task, worker, outcome)
      return true
    }
    const past = this.#leases.pastOf(task, worker, lease)
    if (!past || !isOpen(task)) return false
    past.isOpen = false
    if (task.state === 'waiting') {
      this.#unlose(task, past, true)
      this.waiting.remove(task)
    } else {
      this.#unlose(task, past, false)
      // A failure is not worth more than a try that goes on.
      if (outcome.kind !== undefined) return true
      const { worker: other } = this.#leases.release(task)
      this.#options.recall(other, id)
    }
    this.#take(task, worker, outcome)
    return true
  }

  /**
   * A node has a task, by a lease of before: goes on with it, if it waits.
   *
   * @returns whether it may go on. Otherwise it is to leave the task alone.
   */
  resume(worker: Worker, id: string, lease: number): boolean {
    const task = this.#tasks.get(id)
    if (!task) return false
    const now = this.#options.clock.now()
    if (task.lease?.number === lease) {
      if (task.lease.worker === worker) return true
      // Its connection of before is not known to be over yet.
      if (task.lease.worker.identity !== worker.identity) return false
      this.#leases.release(task)
      task.attempts -= 1
      this.groups.move(task, 'waiting')
      this.waiting.addInFront(task, false)
      this.#lend(task, worker, now, { number: lease })
      return true
    }
    const past = this.#leases.pastOf(task, worker, lease)
    if (!past || !isOpen(task)) return false
    const isWaiting = task.state === 'waiting'
    // Where another one has it, this one may have ended it already: its end, on the way, is taken still.
    past.isOpen = !isWaiting
    this.#unlose(task, past, false)
    if (isWaiting) this.#lend(task, worker, now, { number: lease, until: past.until })
    return isWaiting
  }

  /** A node gives a task back that it has not begun. Returns whether it had it. */
  giveBack(worker: Worker, id: string, lease: number): boolean {
    const task = this.#tasks.get(id)
    if (task?.lease?.number !== lease || task.lease.worker !== worker) return false
    this.#leases.release(task)
    task.attempts -= 1
    if (!worker.abilities.draining) worker.restsUntil = this.#options.clock.now() + REST_AFTER_RETURN_MS
    this.#again(task)
    return true
  }

  /** A node says how far a task is, from 0 to 1. Returns whether it has it. */
  progress(worker: Worker, id: string, lease: number, done: number): boolean {
    const held = this.#tasks.get(id)?.lease
    if (held?.number !== lease || held.worker !== worker) return false
    held.progress = done
    return true
  }

  /** Ends a task that has not ended. Returns whether it had not. */
  cancel(task: Task): boolean {
    if (!isOpen(task)) return false
    let node: string | undefined
    if (task.state === 'running') {
      const { worker } = this.#leases.release(task)
      node = worker.name
      this.#options.recall(worker, task.id)
    } else this.waiting.remove(task)
    this.#end(task, 'cancelled', { node })
    return true
  }

  /** A task that has failed waits again, as if it had just come. Returns whether it had failed. */
  retry(task: Task): boolean {
    const { lane, demand } = task.line
    const needed = task.state === 'failed' && this.demands.of(demand.name, demand.asked)
    if (!needed) return false
    this.endings.remove(task)
    task.line = this.waiting.line(lane.by, needed)
    task.attempts = 0
    task.lost = 0
    task.past = undefined
    needed.open += 1
    this.groups.move(task, 'waiting')
    if (task.group) task.group.isToldDone = false
    this.waiting.add(task)
    return true
  }

  /** Takes those tasks from their nodes that are far beyond their limit, and returns them, each with its node. */
  expire(): [task: Task, node: string][] {
    const now = this.#options.clock.now()
    // What goes in front last is the first.
    const late = this.#leases.expired(now).reverse()
    return late.map((task) => {
      const { worker } = task.lease as Lease
      this.#options.recall(worker, task.id)
      this.#lose(task)
      return [task, worker.name]
    })
  }

  /** Forgets what has ended long ago, or is too much. */
  forget(): void {
    this.endings.forget(this.#options.clock.now(), (task) => {
      this.#tasks.delete(task.id)
      this.groups.forgot(task, (member) => this.#tasks.get(member.id) === member)
    })
  }

  /**
   * A task is what it was in a former life of this queue: tried so often, by a node that may have it still, if there was one.
   * Until that node has had time to come back, nobody else gets it. Those that were lost with it before may come back as well.
   */
  restoreTries(task: Task, { attempts, lost, node, until, gone = [] }: RestoredTries): void {
    if (!isOpen(task)) return
    const { clock, returnMs = DEFAULT_RETURN_MS } = this.#options
    const now = clock.now()
    task.attempts = node === undefined ? attempts : attempts - 1
    task.lost = lost
    const known = { number: 0, isOpen: true }
    const past = gone
      .filter((lost) => lost.node !== node)
      .map((lost): PastLease => ({ ...known, ...lost, identity: lost.node }))
    if (node !== undefined) past.push({ ...known, node, identity: node, isCounted: false, until })
    task.past = past.length > 0 ? past : undefined
    this.waiting.remove(task)
    const rests =
      node === undefined ? (until ?? now) : Math.min(now + returnMs, until ?? Number.POSITIVE_INFINITY)
    if (rests > now) this.waiting.rest(task, rests)
    else this.waiting.addInFront(task, isTriedAlone(task))
  }

  /** A task ended in a former life of this queue. */
  restoreEnd(task: Task, state: Ended, ending: Partial<Ending>, attempts: number, lost: number): void {
    if (!isOpen(task)) return
    this.waiting.remove(task)
    task.attempts = attempts
    task.lost = lost
    task.past = undefined
    this.#close(task, state, ending)
  }

  /** Gives what has lost several nodes to one that has nothing else, and keeps the next one free for it. */
  #placeAlone(now: number, give: (task: Task, worker: Worker) => void): void {
    for (const worker of this.placement.workers) worker.isReserved = this.#leases.hasAlone(worker)
    for (const task of this.waiting.alone) {
      const worker = this.placement.chooseIdle(task.line.demand, now)
      if (!worker) continue
      worker.isReserved = true
      if (worker.inFlight > 0) return
      this.#lend(task, worker, now, { isAlone: true })
      give(task, worker)
    }
  }

  #lend(task: Task, worker: Worker, now: number, options?: LendOptions): void {
    this.waiting.remove(task)
    task.attempts += 1
    this.#leases.lend(task, worker, now, options)
    this.groups.move(task, 'running')
    this.#options.tried?.(task)
  }

  /** What a node says came of a task, which is in no list and at no node. */
  #take(task: Task, worker: Worker, { ms, result, kind, reason }: Outcome): void {
    const { name: node } = worker
    if (kind === undefined) {
      this.placement.measured(worker, task.line.demand.name, ms, this.#options.clock.now())
      worker.done += 1
      this.#end(task, 'done', { node, ms, result })
      return
    }
    if (kind === 'cancelled') {
      // Nobody here wanted that: the node ends. It does not count.
      task.attempts -= 1
      this.#pause(task, FIRST_PAUSE_MS)
      return
    }
    worker.failed += 1
    const failures = task.attempts - task.lost
    if (failures >= this.#attempts) this.#end(task, 'failed', { node, ms, kind, reason })
    else {
      const { identity } = worker
      this.#leases.remember(task, { number: 0, node, identity, isOpen: false, isCounted: false })
      this.#pause(task, Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS))
    }
  }

  /** A node was lost with a task. Returns whether that was the last one that it gets. */
  #lose(task: Task): boolean {
    const { number, worker } = this.#leases.release(task)
    task.lost += 1
    const { name: node, identity } = worker
    this.#leases.remember(task, { number, node, identity, isOpen: true, isCounted: true })
    if (task.lost < LOST_TO_FAIL) {
      this.#again(task)
      return false
    }
    const nodes = (task.past ?? []).map(({ node }) => node).join(', ')
    const reason = `${task.lost} nodes were lost with it: ${nodes}`
    this.#end(task, 'failed', { node: worker.name, kind: 'poison', reason })
    return true
  }

  /** The node was not lost after all: it has been heard of. `counts`: whether its try does. */
  #unlose(task: Task, past: PastLease, counts: boolean): void {
    if (past.isCounted) {
      task.lost -= 1
      task.attempts -= 1
    }
    past.isCounted = false
    if (counts) task.attempts += 1
  }

  #again(task: Task): void {
    this.groups.move(task, 'waiting')
    this.waiting.addInFront(task, isTriedAlone(task))
    this.#options.tried?.(task)
  }

  /** Full jitter: those that failed together do not come back together. */
  #pause(task: Task, windowMs: number): void {
    if (task.state !== 'waiting') this.groups.move(task, 'waiting')
    this.waiting.rest(task, this.#options.clock.now() + this.#random() * windowMs)
    this.#options.tried?.(task)
  }

  #end(task: Task, state: Ended, ending: Partial<Ending>): void {
    this.#close(task, state, ending)
    this.#options.ended(task)
  }

  #close(task: Task, state: Ended, { at, date, node, ms, result, kind, reason }: Partial<Ending>): void {
    const { clock } = this.#options
    this.groups.move(task, state)
    task.line.demand.open -= 1
    this.endings.add(task, {
      at: at ?? clock.now(),
      date: date ?? clock.date(),
      node,
      ms,
      result,
      kind,
      reason,
    })
  }
}

type Ended = 'done' | 'failed' | 'cancelled'

function isOpen({ state }: Task): boolean {
  return state === 'waiting' || state === 'running'
}

function isTriedAlone({ lost }: Task): boolean {
  return lost >= LOST_TO_BE_ALONE
}
