/**
 * Who leads, for who follows: one leader after the other. While nobody is known to lead for a moment, as in every election, the
 * last one stands.
 *
 * @since 0.26.0
 */
import type { Leader } from './election-view.ts'
import { Succession } from './succession.ts'

/** @internal */
export class Leaders {
  /** How long nobody has to lead before there is no leader, in ms. */
  readonly #longMs: number
  readonly #succession = new Succession<Leader>()
  #timer: NodeJS.Timeout | undefined

  constructor(longMs: number) {
    this.#longMs = longMs
  }

  /** The last one that was heard of, unless that was long ago. */
  get last(): Leader | undefined {
    return this.#succession.holder
  }

  /** Who leads now, as far as is known. */
  hear(leader: Leader | undefined): void {
    if (!leader) {
      if (this.last) this.#timer ??= setTimeout(() => this.forget(), this.#longMs)
      return
    }
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { last } = this
    if (last?.name !== leader.name || last.term !== leader.term) this.#succession.become(leader)
  }

  /** There is none, from now on. */
  forget(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#succession.become(undefined)
  }

  /** Does something for each, as {@link Succession.each} does. */
  each(stop: AbortSignal, use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void> {
    return this.#succession.each(stop, use)
  }

  /**
   * Waits until there is one that is wanted.
   *
   * @returns undefined when `stop` is aborted first
   */
  async find(isWanted: (leader: Leader) => boolean, stop: AbortSignal): Promise<Leader | undefined> {
    while (!stop.aborted) {
      const { last } = this
      if (last && isWanted(last)) return last
      await this.#succession.changed(stop)
    }
    return undefined
  }
}
