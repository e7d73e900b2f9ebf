/**
 * A table that can be followed: who follows it has all rows first, and from then on what has changed, in as many steps as
 * it can take. However slow it is, nothing piles up for it: what changes twice before it is ready comes once.
 *
 * @since 0.15.0
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'

/** How long changes are gathered before followers hear of them, in ms. */
const GATHER_MS = 100

/** Of how many removed rows is known that they were there. Who has missed more is told all rows. */
const MOST_REMOVED = 1_000

/** What has changed in a table, from what a follower knew. */
export interface Changes<Row> {
  /** Which state of which table this leads to. Who comes back shows it, and gets what has changed since then. */
  readonly version: string
  /** Whether these are all rows: what is not here is in the table no more. */
  readonly all: boolean
  /** The rows that are new or have changed, by their ids. */
  readonly rows: Readonly<Record<string, Row>>
  /** The ids of rows that are in the table no more. */
  readonly removed: readonly string[]
}

/** Rows by their ids, each a value that JSON can carry. */
export class LiveTable<Row> {
  /** Another process counts anew: its versions are not to be taken for those of this one. */
  readonly #origin = randomBytes(6).toString('hex')
  readonly #rows = new Map<string, { row: Row; version: number }>()
  /** By the id of a removed row: the version that lacks it first. */
  readonly #removed = new Map<string, number>()
  /** The last version of which not every removed row is known any more. */
  #forgotten = 0
  #version = 0
  /** Those who have all that there is, and wait for more. */
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #last: { from: number | undefined; to: number; changes: Changes<Row> } | undefined

  get size(): number {
    return this.#rows.size
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id)?.row
  }

  /** All rows with their ids, in the order in which they came. */
  entries(): [id: string, row: Row][] {
    return [...this.#rows].map(([id, { row }]) => [id, row])
  }

  /** Puts a row into the table. One that is there and is the same has not changed. */
  set(id: string, row: Row): void {
    const before = this.#rows.get(id)
    if (before && isDeepStrictEqual(before.row, row)) return
    this.#version += 1
    this.#rows.set(id, { row, version: this.#version })
    this.#removed.delete(id)
    this.#tell()
  }

  /** Takes a row out, if it is there. */
  delete(id: string): void {
    if (!this.#rows.delete(id)) return
    this.#version += 1
    this.#removed.set(id, this.#version)
    for (const [oldest, version] of this.#removed) {
      if (this.#removed.size <= MOST_REMOVED) break
      this.#removed.delete(oldest)
      this.#forgotten = version
    }
    this.#tell()
  }

  /** Does what the changes of another table say, so that this one has the same rows. */
  apply({ all, rows, removed }: Omit<Changes<Row>, 'version'>): void {
    if (all) for (const id of [...this.#rows.keys()]) if (!Object.hasOwn(rows, id)) this.delete(id)
    for (const id of removed) this.delete(id)
    for (const [id, row] of Object.entries(rows)) this.set(id, row)
  }

  /**
   * The changes since a version; all rows, when there is none, or it is of another table or too old. Who asks for the same
   * gets the same object.
   */
  changesSince(version?: string): Changes<Row> {
    return this.#changesSince(this.#numberOf(version))
  }

  /**
   * All rows, or what has changed since a version, and then what changes, until the signal is aborted. Each step waits
   * for who follows: what happens meanwhile comes with the next one.
   */
  async *follow(stop: AbortSignal, since?: string): AsyncGenerator<Changes<Row>, void, void> {
    let known = this.#numberOf(since)
    while (!stop.aborted) {
      if (known === undefined || known < this.#version) {
        const changes = this.#changesSince(known)
        known = this.#version
        yield changes
      } else {
        await this.#nextChange(stop)
      }
    }
  }

  #changesSince(from: number | undefined): Changes<Row> {
    const to = this.#version
    // Most followers are equally far, and what is made of the changes can be kept with them.
    if (this.#last?.from === from && this.#last?.to === to) return this.#last.changes
    const rows = [...this.#rows].filter(([, { version }]) => from === undefined || version > from)
    const removed = [...this.#removed].filter(([, version]) => from !== undefined && version > from)
    const changes: Changes<Row> = {
      version: `${this.#origin}-${to}`,
      all: from === undefined,
      // An id such as __proto__ is an id here, too.
      rows: Object.assign(Object.create(null), Object.fromEntries(rows.map(([id, { row }]) => [id, row]))),
      removed: removed.map(([id]) => id),
    }
    this.#last = { from, to, changes }
    return changes
  }

  #numberOf(version: string | undefined): number | undefined {
    const [origin, text = ''] = version?.split('-') ?? []
    if (origin !== this.#origin || !/^\d{1,15}$/.test(text)) return undefined
    const number = Number(text)
    return number < this.#forgotten || number > this.#version ? undefined : number
  }

  /** Wakes all who follow, soon: together, so that what they get is made once. */
  #tell(): void {
    if (this.#waiting.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const wake of waiting) wake()
    }, GATHER_MS).unref()
  }

  async #nextChange(stop: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        stop.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      stop.addEventListener('abort', wake)
      this.#waiting.add(wake)
    })
  }
}
