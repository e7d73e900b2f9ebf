/**
 * When to try again: soon at first, and less and less often, and never at the same moment as others that have lost the
 * same peer.
 *
 * @since 0.11.0
 */

/**
 * How long the windows are, one after the other, in ms; the last is repeated. A try falls into each, so no
 * pause is longer than a minute.
 */
const WINDOWS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]

/** The same for a peer that is back soon, or never: in parts of the longest pause, which is two of the last windows. */
const PARTS_OF_THE_LONGEST = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2]

/**
 * Exponential back-off with jitter. Time is cut into windows, each twice as long as the one before, up to thirty seconds,
 * and there is one try in each, at a random moment of it.
 *
 * The jitter keeps a thousand nodes apart that have lost their peer at the same moment ("Exponential Backoff And Jitter",
 * Marc Brooker, AWS Architecture Blog, 2015). The formula that is known from there, a pause of random(0, cap) after each
 * try, leaves some nodes with a few long pauses in a row; a window holds one try, whatever came of those before.
 *
 * @internal
 */
export class BackOff {
  readonly #random: () => number
  readonly #windows: readonly number[]
  #window = 0
  /** What is left of the window after its try, in ms. */
  #rest = 0

  /**
   * @param random gives a number from 0 to 1, without 1. Default: Math.random
   * @param longestPauseMs how long a pause is at most, in ms. Then the first windows are shorter, too. Default: a minute
   */
  constructor(random: () => number = Math.random, longestPauseMs?: number) {
    this.#random = random
    this.#windows =
      longestPauseMs === undefined ? WINDOWS_MS : PARTS_OF_THE_LONGEST.map((part) => part * longestPauseMs)
  }

  /** How long to wait before the next try, in ms. */
  next(): number {
    const length = this.#windows[this.#window] as number
    this.#window = Math.min(this.#window + 1, this.#windows.length - 1)
    const moment = this.#random() * length
    const pause = this.#rest + moment
    this.#rest = length - moment
    return pause
  }

  /** Begins again with the first window. */
  reset(): void {
    this.#window = 0
    this.#rest = 0
  }
}
