/** What one run of a receiver was found to do. */
export interface Reading {
  /** Messages a second. */
  perSecond: number
  /** The receiver's peak memory, in MiB. */
  peakMiB: number
}

/** How long is measured, in ms, after how long of warming up. */
export interface Window {
  warmUpMs: number
  measureMs: number
}

/**
 * Counts messages, and gives the rate of those that came in the window after the warm-up.
 *
 * @param every looks at the clock at each so many messages only, since a look costs as much as parsing
 *   a tenth of a small message
 */
export function meter(
  { warmUpMs, measureMs }: Window,
  every: number,
  done: (reading: Reading) => void,
): () => void {
  let count = 0
  let firstAt = 0
  let begin: { at: number; count: number } | undefined
  let finished = false
  return () => {
    count += 1
    if (count % every !== 0 || finished) return
    const now = performance.now()
    if (firstAt === 0) firstAt = now
    else if (!begin) {
      if (now - firstAt >= warmUpMs) begin = { at: now, count }
    } else if (now - begin.at >= measureMs) {
      finished = true
      done({
        perSecond: ((count - begin.count) * 1000) / (now - begin.at),
        peakMiB: process.resourceUsage().maxRSS / 1024,
      })
    }
  }
}

/** How many messages of this size go between two looks at the clock. */
export function looksEvery(size: number): number {
  return Math.max(1, Math.min(64, Math.floor(16_384 / size)))
}
