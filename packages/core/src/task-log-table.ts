/**
 * Which tasks of a log still matter: all that have not ended, and for a time those that have, since somebody may ask for a
 * result. What a log says of any other task can be thrown away.
 *
 * @since 0.25.0
 */
import { headOfEvent, headTextOf, peekEvent } from './task-log-event.ts'

/**
 * How long what has ended is kept with its result, in ms, how many bytes and how many of it; and how many of those that have
 * failed are kept for longer, to be tried again: the newest.
 *
 * @internal
 */
export const KEPT = { ms: 3_600_000, bytes: 64 * 1024 * 1024, count: 100_000, failed: 100 } as const

/** How much of a reason a history keeps, in characters. */
const LONGEST_REASON = 500

/** A task that has ended: what ran where, how long, how often it was tried. Times are in ms since 1970. */
export interface EndedTask {
  id: string
  name: string
  /** Who submitted it. */
  by: string
  group?: string
  state: 'done' | 'failed' | 'cancelled'
  /** Where it ended. */
  node?: string
  attempts: number
  /** With how many nodes it was lost. */
  lost: number
  /** How long it ran, in ms. */
  ms?: number
  /** Why it failed: the kind, and in words, at most 500 characters of them. */
  failure?: string
  reason?: string
  submittedAt: number
  at: number
}

interface Known {
  /** The number of the record by which it was submitted. */
  since: number
  /** What was said then, as JSON: most who start with many tasks never ask. */
  about: string
  /** How much of a log is about it, in bytes. */
  bytes: number
  ended?: { number: number; at: number; hasFailed: boolean }
}

/** @internal */
export class TaskTable {
  readonly #tasks = new Map<string, Known>()
  /** When the last one ended, by the clock of who said so: here is asked for no time. */
  #now = 0

  /** How many there are. */
  get size(): number {
    return this.#tasks.size
  }

  /** How many of them have not ended. */
  get open(): number {
    let open = 0
    for (const { ended } of this.#tasks.values()) if (!ended) open += 1
    return open
  }

  /** Takes what a record says. Returns what a history keeps, when a task has ended by it. */
  apply(number: number, content: Buffer): EndedTask | undefined {
    const { kind, id } = peekEvent(content)
    if (kind === 'submitted') {
      this.#tasks.set(id, { since: number, about: headTextOf(content), bytes: content.length })
      return undefined
    }
    const known = this.#tasks.get(id)
    if (!known) return undefined
    known.bytes += content.length
    if (kind === 'retried') delete known.ended
    if (kind !== 'ended') return undefined
    const { state, node, attempts, lost, ms, failure, reason, at } = headOfEvent(
      content,
    ) as unknown as EndedTask
    known.ended = { number, at, hasFailed: state === 'failed' }
    this.#now = at
    const { name, by, group, at: submittedAt } = JSON.parse(known.about) as EndedTask
    return {
      id,
      name,
      by,
      ...(group !== undefined && { group }),
      submittedAt,
      state,
      ...(node !== undefined && { node }),
      attempts,
      lost,
      ...(ms !== undefined && { ms }),
      ...(failure !== undefined && { failure }),
      ...(reason !== undefined && { reason: reason.slice(0, LONGEST_REASON) }),
      at,
    }
  }

  /** Whether a record is about a task that matters. One from before it was submitted again is about a former one. */
  needs(number: number, content: Buffer): boolean {
    const known = this.#tasks.get(peekEvent(content).id)
    return known !== undefined && number >= known.since
  }

  /**
   * Lets go of what has ended long ago, or is too much. Never while something is copied by {@link needs}: half of what is
   * said of a task is worse than nothing.
   */
  settle(): void {
    const ended = [...this.#tasks].flatMap(([id, { ended, bytes }]) =>
      ended ? [{ id, bytes, ...ended }] : [],
    )
    ended.sort((one, other) => other.number - one.number)
    let [bytes, count, failed] = [0, 0, 0]
    for (const task of ended) {
      bytes += task.bytes
      count += 1
      failed += task.hasFailed ? 1 : 0
      const isRecent = task.at > this.#now - KEPT.ms && bytes <= KEPT.bytes && count <= KEPT.count
      if (!isRecent && !(task.hasFailed && failed <= KEPT.failed)) this.#tasks.delete(task.id)
    }
  }
}
