/** What happens in a lab, in the order of time, handed on in batches, and kept for who comes late. */
import type { LabEvent } from './events.ts'

/** How long what happens waits for more to be handed on with it, in ms of real time. */
const BATCH_MS = 50

/** How much is kept, in events: some minutes of fifty nodes. The recording has all of it. */
const MOST_KEPT = 50_000

/** What has happened so far. */
export class Happenings {
  readonly #began = performance.now()
  readonly #speed: number
  readonly #kept: LabEvent[] = []
  readonly #listeners = new Set<(events: readonly LabEvent[]) => void>()
  #batch: LabEvent[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param speed how many times as fast as real time the time here goes by */
  constructor(speed = 1) {
    this.#speed = speed
  }

  /** The time since its zero, to a tenth of a millisecond. */
  seconds(): number {
    return Math.round((performance.now() - this.#began) * this.#speed * 10) / 10_000
  }

  history(): readonly LabEvent[] {
    this.#handOn()
    return [...this.#kept]
  }

  onEvents(listener: (events: readonly LabEvent[]) => void): () => void {
    // What is told from now on comes after what history() has told.
    this.#handOn()
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  add(event: LabEvent): void {
    this.#batch.push(event)
    this.#timer ??= setTimeout(() => this.#handOn(), BATCH_MS)
  }

  /** Hands on what is left. */
  close(): void {
    this.#handOn()
  }

  #handOn(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#batch.length === 0) return
    // That a connection is open is heard late. What would come before what was told already is told as of then.
    const told = this.#kept.at(-1)?.at ?? 0
    const batch = this.#batch
      .map((event) => (event.at < told ? { ...event, at: told } : event))
      .sort((a, b) => a.at - b.at)
    this.#batch = []
    this.#kept.push(...batch)
    if (this.#kept.length > MOST_KEPT * 1.1) this.#kept.splice(0, this.#kept.length - MOST_KEPT)
    for (const listener of [...this.#listeners]) listener(batch)
  }
}
