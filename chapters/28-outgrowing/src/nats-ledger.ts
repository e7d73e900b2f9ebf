/** What a leader knows of the tasks in NATS: a copy of the table of them, and what is shown of all. */
import { LiveTable } from '@rpi-cluster/core/live-table'
import { type FailedRow, hasEnded, type QueueRow, type WorkerRow } from '@rpi-cluster/core/tasks'
import type { KeptTask } from './nats.ts'

/** How many groups and failed tasks are shown: the newest. */
const MOST_GROUPS = 20
const MOST_FAILED = 100

/** For how long a node is shown that says nothing, and over how long is counted how many end in a second, in ms. */
const SILENT_MS = 3_000
const RATE_MS = 2_000

type State = KeptTask['state']

type Counts = Record<State, number>

interface Group {
  readonly name: string
  readonly by: string
  readonly ids: Set<string>
  readonly counts: Counts
}

interface Known {
  task: KeptTask
  revision: number
}

export class NatsLedger {
  readonly tables = {
    queue: new LiveTable<QueueRow>(),
    workers: new LiveTable<WorkerRow>(),
    failed: new LiveTable<FailedRow>(),
  }

  readonly counts = noCounts()
  readonly #mostWaiting: number
  readonly #tasks = new Map<string, Known>()
  readonly #groups = new Map<string, Group>()
  readonly #failed = new Set<string>()
  readonly #workers = new Map<string, { row: WorkerRow; at: number }>()
  #ended = 0
  readonly #samples: { at: number; ended: number }[] = []

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting
  }

  get(id: string): Known | undefined {
    return this.#tasks.get(id)
  }

  /** The tasks of a group, in the order in which they came. */
  ofGroup(name: string): KeptTask[] {
    return [...(this.#groups.get(name)?.ids ?? [])].flatMap((id) => this.#tasks.get(id)?.task ?? [])
  }

  /** Those that have failed for good, the newest first. */
  get failed(): KeptTask[] {
    return [...this.#failed].flatMap((id) => this.#tasks.get(id)?.task ?? []).reverse()
  }

  /** All, in the order in which they came. */
  all(): KeptTask[] {
    return [...this.#tasks.values()].map(({ task }) => task)
  }

  /**
   * Takes what the table says of a task, unless something newer is known. Returns whether that has just ended it: what was not
   * known before has not.
   */
  take(task: KeptTask, revision: number): boolean {
    const before = this.#tasks.get(task.id)
    if (before && before.revision >= revision) return false
    if (before) this.#count(before.task, -1)
    this.#tasks.set(task.id, { task, revision })
    this.#count(task, 1)
    if (task.state === 'failed') this.#failed.add(task.id)
    else this.#failed.delete(task.id)
    const hasJustEnded = before !== undefined && !hasEnded(before.task) && hasEnded(task)
    if (hasJustEnded) this.#ended += 1
    return hasJustEnded
  }

  /** How far a task is. */
  progressed(id: string, progress: number) {
    const known = this.#tasks.get(id)
    if (known?.task.state === 'running') known.task.progress = progress
  }

  forget(id: string) {
    const known = this.#tasks.get(id)
    if (!known) return
    this.#count(known.task, -1)
    this.#tasks.delete(id)
    this.#failed.delete(id)
    const { group: name } = known.task
    const group = name === undefined ? undefined : this.#groups.get(name)
    group?.ids.delete(id)
    if (group?.ids.size === 0) this.#groups.delete(name as string)
  }

  hear(row: WorkerRow) {
    this.#workers.set(row.node, { row, at: performance.now() })
  }

  /** Brings the tables up to date. */
  show() {
    const { queue, workers, failed } = this.tables
    const now = performance.now()
    queue.set('queue', { ...this.counts, perSecond: this.#rate(now), most: this.#mostWaiting })
    const groups = [...this.#groups].slice(-MOST_GROUPS)
    for (const [group, { name, by, counts, ids }] of groups) {
      const { waiting, running, done, failed } = counts
      queue.set(`group:${group}`, { group, name, by, total: ids.size, waiting, running, done, failed })
    }
    only(queue, ['queue', ...groups.map(([group]) => `group:${group}`)])
    for (const [node, { at, row }] of this.#workers) {
      if (now - at > SILENT_MS) this.#workers.delete(node)
      else workers.set(node, row)
    }
    only(workers, this.#workers.keys())
    const newest = [...this.#failed].slice(-MOST_FAILED)
    for (const id of newest) {
      const { task } = this.#tasks.get(id) ?? {}
      if (task) failed.set(id, failedRowOf(task))
    }
    only(failed, newest)
  }

  #count(task: KeptTask, by: 1 | -1) {
    this.counts[task.state] += by
    const { id, name, group: groupName } = task
    if (groupName === undefined) return
    const group = this.#groups.get(groupName) ?? { name, by: task.by, ids: new Set(), counts: noCounts() }
    group.counts[task.state] += by
    group.ids.add(id)
    this.#groups.set(groupName, group)
  }

  #rate(now: number): number {
    const samples = this.#samples
    samples.push({ at: now, ended: this.#ended })
    while (samples.length > 2 && now - (samples[1]?.at ?? now) >= RATE_MS) samples.shift()
    const [first] = samples
    if (!first || now - first.at < 1) return 0
    return Math.round(((this.#ended - first.ended) / (now - first.at)) * 10_000) / 10
  }
}

function noCounts(): Counts {
  return { waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
}

function failedRowOf(task: KeptTask): FailedRow {
  const { id, name, group, by, kind = '', reason = '', attempts, lost, nodes, endedAt = 0 } = task
  const at = new Date(endedAt).toISOString()
  return { id, name, ...(group !== undefined && { group }), by, kind, reason, attempts, lost, nodes, at }
}

function only<Row>(table: LiveTable<Row>, ids: Iterable<string>) {
  const shown = new Set(ids)
  for (const [id] of table.entries()) if (!shown.has(id)) table.delete(id)
}
