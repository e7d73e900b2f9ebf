/**
 * Who follows whom: something that is one thing at a time, such as a leader, and what is done for as long as it is that one.
 *
 * @since 0.26.0
 */
import { setMaxListeners } from 'node:events'

/**
 * One holder after the other, with pauses in which there is none.
 *
 * @internal
 */
export class Succession<Holder extends object> {
  #holder: Holder | undefined
  readonly #waiting = new Set<() => void>()

  /** Who it is now. */
  get holder(): Holder | undefined {
    return this.#holder
  }

  /** From now on it is this one, or none. */
  become(holder: Holder | undefined): void {
    if (holder === this.#holder) return
    this.#holder = holder
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const changed of waiting) changed()
  }

  /**
   * Does something for each holder, never for two at once: one that comes while the work for another is still being ended
   * waits for that, and one that has gone meanwhile is left out.
   *
   * @param use gets a signal that is aborted when it is another one, or none, or `stop` is aborted
   * @returns when `stop` is aborted, and the last work has ended
   * @throws what `use` throws, unless that is the AbortError of its signal
   */
  async each(stop: AbortSignal, use: (holder: Holder, over: AbortSignal) => Promise<void>): Promise<void> {
    while (!stop.aborted) {
      const holder = this.#holder
      if (holder) await this.#useOne(holder, stop, use)
      if (holder === this.#holder) await this.changed(stop)
    }
  }

  async #useOne(
    holder: Holder,
    stop: AbortSignal,
    use: (holder: Holder, over: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const ending = new AbortController()
    setMaxListeners(0, ending.signal) // as many as there are connections
    const end = () => ending.abort()
    this.#waiting.add(end)
    stop.addEventListener('abort', end)
    try {
      await use(holder, ending.signal)
    } catch (error) {
      if (!(ending.signal.aborted && error instanceof Error && error.name === 'AbortError')) throw error
    } finally {
      this.#waiting.delete(end)
      stop.removeEventListener('abort', end)
    }
  }

  /** Resolves when it is another one, or none, or `stop` is aborted. */
  changed(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done)
        stop.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      if (stop.aborted) done()
      else stop.addEventListener('abort', done)
    })
  }
}
