/**
 * The history of a cluster's tasks, as a member keeps it: in a store of its own, beside the log. Nobody waits for it, and
 * what its disk did not take is not what a task depends on.
 *
 * @since 0.27.0
 */
import type { Logger } from './logging.ts'
import type { TaskEvent, TaskJournal } from './task-journal.ts'
import type { LedgerEnds } from './task-ledger.ts'
import { TaskNotes } from './task-notes.ts'

/** What stands in the events of a history beside the event: which entry of which log it is by. */
interface Origin {
  index?: unknown
  log?: unknown
}

export interface LedgerHistoryOptions {
  /** What keeps it: a `TaskStore` that nobody else writes to. What it has recovered is taken here. */
  store: TaskJournal
  /** The cluster's id, once something has ended: a folder may have the history of another one, that is not mixed up with this. */
  cluster: () => string | null
  /** Where is told that its disk takes nothing. It is tried again each second. */
  log: Logger
}

/**
 * Writes what has ended by a ledger to a history, each end once. After a restart a log applies again what came after its last
 * snapshot: so each event has the place of its entry in the log beside it, and what is not behind the last one is passed over.
 * All of an entry is written at once, and entries in order; so of each there is all or nothing.
 */
export class LedgerHistory {
  readonly #notes: TaskNotes
  readonly #cluster: LedgerHistoryOptions['cluster']
  /** The place in each cluster's log up to which it has all. */
  readonly #through = new Map<string | null, number>()

  constructor({ store, cluster, log }: LedgerHistoryOptions) {
    this.#cluster = cluster
    this.#notes = new TaskNotes({ journal: store, log, mayWrite: () => true })
    for (const event of store.recovered()) {
      const { index, log: of } = event as Origin
      if (typeof of === 'string' && typeof index === 'number') this.#reach(of, index)
    }
  }

  /** Takes what has ended: to be given to the ledger, as `ended`. */
  readonly add = ({ index, events }: LedgerEnds): void => {
    const cluster = this.#cluster()
    if (index <= (this.#through.get(cluster) ?? 0)) return
    this.#reach(cluster, index)
    for (const event of events) this.#notes.add({ ...inShort(event), ...{ index, log: cluster } })
    this.#notes.flush()
  }

  #reach(cluster: string | null, index: number): void {
    this.#through.set(cluster, Math.max(this.#through.get(cluster) ?? 0, index))
  }

  /** Resolves when all is on the disk that was taken. It is rejected when that could not be written at once. */
  written(): Promise<void> {
    return this.#notes.written()
  }
}

/** What a history keeps of an event: what ran where, and how it ended, without what it was given and what it made. */
function inShort(event: TaskEvent): TaskEvent {
  if (event.kind === 'submitted') return { ...event, input: 'null' }
  if (event.kind !== 'ended') return event
  const { result: _, ...rest } = event
  return rest
}
