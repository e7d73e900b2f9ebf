/**
 * Which records of a replica's disk still count: the newest entry of each index behind the snapshot, the newest state, and how
 * the cluster began. It knows of each entry no more than the number of its record.
 *
 * @since 0.27.0
 */
import { isEntryKind, peekRecord } from './replica-records.ts'

/**
 * What counts.
 *
 * @internal
 */
export class ReplicaTail {
  /** The index of the last entry that the snapshot stands for. */
  #through = 0
  /** The numbers of the records of those behind it, in the order of their indexes. */
  #numbers: number[] = []
  #isTorn = false
  #state: Buffer | undefined
  #founding: Buffer | undefined

  /** The index of the last entry. */
  get last(): number {
    return this.#through + this.#numbers.length
  }

  /** Whether the newest entry follows none of those that are here. */
  get isTorn(): boolean {
    return this.#isTorn
  }

  /** How the cluster began, and the newest state, as far as there are such: as bytes. */
  get others(): Buffer[] {
    return [this.#founding, this.#state].filter((content) => content !== undefined)
  }

  /** What a record changes, in the order in which they stand. */
  apply(number: number, content: Buffer): void {
    const { kind, index } = peekRecord(content)
    // Copied: what it stands in is larger.
    if (kind === 'state') this.#state = Buffer.from(content)
    else if (kind === 'founding') this.#founding = Buffer.from(content)
    else if (kind === 'snapshot') this.install(index)
    else if (isEntryKind(kind)) this.#take(number, index)
  }

  /** A snapshot stands for all entries up to an index. */
  snapshot(through: number): void {
    this.#numbers.splice(0, through - this.#through)
    this.#through = through
  }

  /** A snapshot stands for the whole log. */
  install(through: number): void {
    this.#numbers = []
    this.#through = through
  }

  /** Whether a record has to be given to who opens the store; but for the state, and how the cluster began. */
  counts(number: number, content: Buffer): boolean {
    const { kind, index } = peekRecord(content)
    if (kind === 'snapshot' || kind === 'piece') return true
    return isEntryKind(kind) && this.#numbers[index - this.#through - 1] === number
  }

  /** The numbers of the records that a snapshot leaves, of those up to a record. */
  behind(through: number, record: number): Set<number> {
    const numbers = this.#numbers.slice(Math.max(0, through - this.#through))
    return new Set(numbers.filter((number) => number <= record))
  }

  #take(number: number, index: number): void {
    const place = index - this.#through - 1
    // Of what a snapshot has copied, a part may be missing that was replaced while that was written: by what comes later here.
    this.#isTorn = place > this.#numbers.length
    if (this.#isTorn) return
    this.#numbers.length = Math.max(0, place)
    if (place >= 0) this.#numbers.push(number)
  }
}
