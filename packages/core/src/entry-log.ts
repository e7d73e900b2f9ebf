/**
 * The log of a member, as far as it is in memory: entries without a gap, from somewhere on. What stands before them is in a
 * snapshot.
 *
 * @since 0.27.0
 */
import type { LogPosition } from './raft-state.ts'

/** An entry of the log: what a leader has said, in which term, and when. */
export interface LogEntry extends LogPosition {
  /**
   * In ms: the time of the cluster, as its leaders count it, each going on where the one before has stopped. It never goes back,
   * and no other member's clock has a part in it.
   */
  readonly time: number
  /** `begin`: the first of a leader (§8), with no data. `data`: for the state machine. `members`: who they are from here on. */
  readonly kind: 'begin' | 'data' | 'members'
  readonly data: string
}

/**
 * Entries. To add some, or to cut some off, makes another one, and leaves this one as it is. What both have they share, as
 * long as the end of the one is the beginning of the other: so a step of a machine that keeps all its former states costs no
 * more than its new entries.
 */
export class EntryLog {
  /** What stands before the first entry: the last one that is not here. */
  readonly base: LogPosition
  readonly #shared: LogEntry[]
  /** Where the first and the last are in that. */
  readonly #from: number
  readonly #to: number

  private constructor(base: LogPosition, shared: LogEntry[], from: number, to: number) {
    this.base = base
    this.#shared = shared
    this.#from = from
    this.#to = to
  }

  /** @param entries what stands behind `base`, without a gap */
  static after(base: LogPosition, entries: readonly LogEntry[] = []): EntryLog {
    return new EntryLog(base, [...entries], 0, entries.length)
  }

  /** How many there are. */
  get size(): number {
    return this.#to - this.#from
  }

  /** Where it ends. */
  get last(): LogPosition {
    return this.#shared[this.#to - 1] && this.size > 0 ? (this.#shared[this.#to - 1] as LogEntry) : this.base
  }

  /** The entry with this number, if it is here. */
  at(index: number): LogEntry | undefined {
    const place = this.#from + index - this.base.index - 1
    return place >= this.#from && place < this.#to ? this.#shared[place] : undefined
  }

  /** In which term the entry with this number was made. Undefined where that is not known: before the base, or behind the end. */
  termAt(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.at(index)?.term
  }

  /** Those from one number to another, both included, as far as they are here. */
  slice(from: number, through: number): LogEntry[] {
    const place = (index: number) => this.#from + index - this.base.index - 1
    return this.#shared.slice(Math.max(this.#from, place(from)), Math.min(this.#to, place(through) + 1))
  }

  /** With more at its end. */
  add(entries: readonly LogEntry[]): EntryLog {
    if (entries.length === 0) return this
    const isEnd = this.#to === this.#shared.length
    const shared = isEnd ? this.#shared : this.#shared.slice(this.#from, this.#to)
    const from = isEnd ? this.#from : 0
    for (const entry of entries) shared.push(entry)
    return new EntryLog(this.base, shared, from, shared.length)
  }

  /** Without what stands behind this number. */
  cutAfter(index: number): EntryLog {
    if (index >= this.last.index) return this
    return new EntryLog(
      this.base,
      this.#shared,
      this.#from,
      this.#from + Math.max(0, index - this.base.index),
    )
  }

  /** Without what stands up to this number. */
  without(through: number): EntryLog {
    const base = this.at(through)
    if (!base) return this
    const { term, index } = base
    const from = this.#from + index - this.base.index
    // What nobody sees any more is let go of when it is as much as what is seen.
    if (from < this.#to - from) return new EntryLog({ term, index }, this.#shared, from, this.#to)
    return EntryLog.after({ term, index }, this.#shared.slice(from, this.#to))
  }

  /**
   * The last number, up to `index`, whose entry is of `term` or an earlier one. Behind it two logs cannot be the same, of which
   * the other has an entry of that term at that number.
   */
  lastUpTo(index: number, term: number): LogPosition {
    let at = Math.min(index, this.last.index)
    while (at > this.base.index && (this.termAt(at) ?? 0) > term) at -= 1
    return { index: at, term: this.termAt(at) ?? 0 }
  }
}
