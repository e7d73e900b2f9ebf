/**
 * A queue to be looked at: how much waits and is done, what each node does, and why it got that, and what has failed. Tables
 * that can be followed, brought up to date four times a second at most.
 *
 * @since 0.24.0
 */
import * as v from 'valibot'
import { LiveTable } from './live-table.ts'
import type { Worker } from './task-placement.ts'
import type { TaskQueue } from './task-queue.ts'
import type { Task } from './task-records.ts'

/** How many of the failed are shown: the newest. */
const MOST_FAILED = 100

/** How many of the tasks that a node does are shown, and of how many names how long they take there. */
const MOST_RUNNING = 8
const MOST_SPEEDS = 20

/** Over how long is counted how many end in a second, in ms. */
const RATE_MS = 2_000

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const text = v.pipe(v.string(), v.maxLength(1_000))

const totals = v.object({
  waiting: count,
  running: count,
  done: count,
  failed: count,
  cancelled: count,
  /** How many have ended in a second, of late. */
  perSecond: v.pipe(v.number(), v.minValue(0)),
  /** How many may wait. */
  most: count,
  /** Why some wait that nobody here can do. */
  why: v.fallback(v.optional(text), undefined),
})

const groupCounts = v.object({
  group: text,
  /** What its first task is called, and who has submitted it. */
  name: text,
  by: text,
  total: count,
  waiting: count,
  running: count,
  done: count,
  failed: count,
})

/** A row of the table `queue`: of the id `queue` all together, of the id `group:NAME` one of the newest groups. */
export const queueRow = v.union([totals, groupCounts])
export type QueueRow = v.InferOutput<typeof queueRow>

/** A row of the table `workers`, whose id is what the node is called. */
export const workerRow = v.object({
  node: text,
  slots: count,
  inFlight: count,
  /** The first of the tasks that it has. */
  running: v.array(v.object({ id: text, name: text })),
  done: count,
  failed: count,
  /** By the names of tasks: how long one takes here, in ms. */
  msPerTask: v.record(v.string(), v.number()),
  has: v.array(text),
  memoryMb: v.number(),
  /** `draining` takes no more. */
  state: v.fallback(v.picklist(['ready', 'draining']), 'ready'),
  /** Why the last task was placed here and not elsewhere, in words. */
  why: text,
})
export type WorkerRow = v.InferOutput<typeof workerRow>

/** A row of the table `failed`, whose id is that of the task. */
export const failedRow = v.object({
  id: text,
  name: text,
  group: v.fallback(v.optional(text), undefined),
  by: text,
  kind: text,
  reason: text,
  attempts: count,
  lost: count,
  /** Where it was tried. */
  nodes: v.array(text),
  /** When it failed for good, as ISO 8601 has it. */
  at: text,
})
export type FailedRow = v.InferOutput<typeof failedRow>

/**
 * The three tables of a queue.
 *
 * @internal
 */
export class TaskTables {
  readonly queue = new LiveTable<QueueRow>()
  readonly workers = new LiveTable<WorkerRow>()
  readonly failed = new LiveTable<FailedRow>()

  readonly #queue: TaskQueue
  readonly #mostWaiting: number
  /** How many had ended by when. */
  readonly #samples: { at: number; ended: number }[] = []

  constructor(queue: TaskQueue, mostWaiting: number) {
    this.#queue = queue
    this.#mostWaiting = mostWaiting
  }

  /**
   * Brings the tables up to date.
   *
   * @param now in ms on a clock that does not jump
   * @param stuck why some wait that nobody can do
   * @returns whether they change with time alone
   */
  refresh(now: number, stuck: readonly string[]): boolean {
    const perSecond = this.#rate(now)
    this.#showQueue(perSecond, stuck)
    this.#showWorkers()
    this.#showFailed()
    return perSecond > 0
  }

  #showQueue(perSecond: number, stuck: readonly string[]): void {
    const { groups } = this.#queue
    this.queue.set('queue', {
      ...groups.counts,
      perSecond,
      most: this.#mostWaiting,
      ...(stuck.length > 0 && { why: stuck.join('; ').slice(0, 1_000) }),
    })
    const shown = new Set(['queue'])
    for (const { name: group, task: name, by, total, counts } of groups.newest) {
      const { waiting, running, done, failed } = counts
      shown.add(`group:${group}`)
      this.queue.set(`group:${group}`, { group, name, by, total, waiting, running, done, failed })
    }
    onlyThese(this.queue, shown)
  }

  #showWorkers(): void {
    const shown = new Set<string>()
    for (const worker of this.#queue.placement.workers) {
      shown.add(worker.name)
      this.workers.set(worker.name, this.#workerRow(worker))
    }
    onlyThese(this.workers, shown)
  }

  #workerRow(worker: Worker): WorkerRow {
    const { name: node, inFlight, done, failed, speeds, abilities } = worker
    const running = this.#queue.heldBy(worker, MOST_RUNNING)
    return {
      node,
      slots: abilities.slots,
      inFlight,
      running: running.map(({ id, line }) => ({ id, name: line.demand.name })),
      done,
      failed,
      msPerTask: Object.fromEntries(
        [...speeds].slice(0, MOST_SPEEDS).map(([name, { ms }]) => [name, Math.round(ms * 100) / 100]),
      ),
      has: [...abilities.has],
      memoryMb: abilities.memoryMb,
      state: abilities.draining ? 'draining' : 'ready',
      why: this.#queue.placement.explain(worker),
    }
  }

  #showFailed(): void {
    const newest = [...this.#queue.endings.failed].filter(({ noted }) => !noted).slice(-MOST_FAILED)
    for (const task of newest) if (!this.failed.get(task.id)) this.failed.set(task.id, failedRowOf(task))
    onlyThese(this.failed, new Set(newest.map(({ id }) => id)))
  }

  #rate(now: number): number {
    const { done, failed } = this.#queue.groups.counts
    const samples = this.#samples
    samples.push({ at: now, ended: done + failed })
    while (samples.length > 2 && now - (samples[1]?.at ?? now) >= RATE_MS) samples.shift()
    const [first] = samples
    if (!first || now - first.at < 1) return 0
    // What is tried again counts as failed no more.
    return Math.max(0, Math.round(((done + failed - first.ended) / (now - first.at)) * 10_000) / 10)
  }
}

function failedRowOf({ id, line, group, attempts, lost, past, ending }: Task): FailedRow {
  const nodes = [
    ...(past ?? []).map(({ node }) => node),
    ...(ending?.node === undefined ? [] : [ending.node]),
  ]
  return {
    id,
    name: line.demand.name,
    ...(group && { group: group.name }),
    by: line.lane.by,
    kind: ending?.kind ?? '',
    reason: ending?.reason ?? '',
    attempts,
    lost,
    nodes: [...new Set(nodes)],
    at: new Date(ending?.date ?? 0).toISOString(),
  }
}

function onlyThese<Row>(table: LiveTable<Row>, ids: ReadonlySet<string>): void {
  if (table.size === ids.size) return
  for (const [id] of table.entries()) if (!ids.has(id)) table.delete(id)
}
