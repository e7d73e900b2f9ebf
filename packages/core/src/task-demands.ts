/**
 * What the tasks of a cluster need, by their definitions and by what submitters ask for beside. Many tasks need the same.
 *
 * @since 0.24.0
 */
import type { CountedDemand, TaskShape } from './task-records.ts'

/** How many different needs there may be beyond those of the definitions: each costs a look when a task is placed. */
const MOST_DEMANDS = 100

/** What one task may take, unless its definition says more: in s, and in MiB. */
const DEFAULT_SECONDS = 60
const DEFAULT_MEMORY_MB = 128

/**
 * All that is needed.
 *
 * @internal
 */
export class TaskDemands {
  readonly #shapes: ReadonlyMap<string, TaskShape>
  readonly #demands = new Map<string, CountedDemand>()
  readonly #forgot: () => void

  /** @param forgot called when some are known no more */
  constructor(shapes: Readonly<Record<string, TaskShape>>, forgot: () => void) {
    this.#shapes = new Map(Object.entries(shapes))
    this.#forgot = forgot
  }

  /** The names of all tasks. */
  get names(): string[] {
    return [...this.#shapes.keys()]
  }

  has(name: string): boolean {
    return this.#shapes.has(name)
  }

  /** Those that tasks have which have not ended. */
  *open(): Generator<CountedDemand, void, void> {
    for (const demand of this.#demands.values()) if (demand.open > 0) yield demand
  }

  /** Whether it is one of them still. */
  isKnown(demand: CountedDemand): boolean {
    return this.#demands.get(keyOf(demand.name, demand.asked)) === demand
  }

  /** What a task needs; nothing when there are too many different needs already. */
  of(name: string, asked: readonly string[] | undefined): CountedDemand | undefined {
    const key = keyOf(name, asked)
    const known = this.#demands.get(key)
    if (known) return known
    if (asked?.length && this.#demands.size >= this.#shapes.size + MOST_DEMANDS && !this.#forget())
      return undefined
    const { version, seconds, memoryMb, requires = [] } = this.#shapes.get(name) ?? { version: -1 }
    const demand: CountedDemand = {
      name,
      version,
      memoryMb: memoryMb ?? DEFAULT_MEMORY_MB,
      limitMs: (seconds ?? DEFAULT_SECONDS) * 1_000,
      requires: [...new Set([...requires, ...(asked ?? [])])],
      asked: asked?.length ? asked : undefined,
      open: 0,
      waiting: 0,
      blockedIn: 0,
    }
    this.#demands.set(key, demand)
    return demand
  }

  /** Forgets what nobody needs now. Returns whether there was something. */
  #forget(): boolean {
    const before = this.#demands.size
    for (const [key, { open, asked }] of this.#demands) if (open === 0 && asked) this.#demands.delete(key)
    this.#forgot()
    return this.#demands.size < before
  }
}

function keyOf(name: string, asked: readonly string[] | undefined): string {
  return asked?.length ? `${name}\n${[...new Set(asked)].sort().join('\n')}` : name
}
