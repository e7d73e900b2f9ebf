/**
 * Keeps a flood of warnings from drowning a log. A peer may cause as many of them as it likes, and
 * what it did is said as well by a few of them and a count.
 *
 * @since 0.2.0
 */

/**
 * How many warnings that begin alike are written in one period, and how long a period is, in ms: the
 * numbers by which Linux limits its kernel's messages (DEFAULT_RATELIMIT_BURST and _INTERVAL).
 */
const WRITTEN = 10
const PERIOD_MS = 5_000

/** How many beginnings are told apart at once, so that whoever makes up new ones does not fill the memory. */
const MAX_BEGINNINGS = 1_000

/** What a line is about: all before its first colon, other than one of an IPv6 address in brackets. */
const BEGINNING = /^(?:\[[^\]]*\]|[^:])*/

/**
 * Lets the first ten of the warnings that begin alike through, up to the first colon, as in `A frame
 * from the slave at 192.168.1.20`. The others are counted, and one more line says how many they were:
 * every five seconds while they come, and when the program ends.
 */
export class FloodGate {
  readonly #write: (line: string) => void
  /** How many warnings came of each beginning in the period that has not ended. */
  readonly #counts = new Map<string, { count: number; timer: NodeJS.Timeout }>()
  #isWriting = false

  /** @param write writes the line with a count, which has the same beginning */
  constructor(write: (line: string) => void) {
    this.#write = write
  }

  /** Whether a warning is to be written. If not, it has been counted. */
  lets(warning: string): boolean {
    if (this.#isWriting) return true
    const [own = ''] = BEGINNING.exec(warning) ?? []
    const beginning = this.#counts.has(own) || this.#counts.size < MAX_BEGINNINGS ? own : 'Several things'
    const counted = this.#counts.get(beginning) ?? this.#startPeriod(beginning, 0)
    counted.count += 1
    return counted.count <= WRITTEN
  }

  #startPeriod(beginning: string, count: number): { count: number } {
    // Before the line that says how the program ended.
    if (this.#counts.size === 0) process.prependListener('exit', this.#endAll)
    const timer = setTimeout(() => this.#endPeriod(beginning), PERIOD_MS).unref()
    const counted = { count, timer }
    this.#counts.set(beginning, counted)
    return counted
  }

  #endPeriod(beginning: string): void {
    const { count = 0, timer } = this.#counts.get(beginning) ?? {}
    clearTimeout(timer)
    this.#counts.delete(beginning)
    if (this.#counts.size === 0) process.off('exit', this.#endAll)
    const more = count - WRITTEN
    if (more <= 0) return
    this.#isWriting = true
    const warnings = more === 1 ? 'warning that begins so' : 'warnings that begin so'
    this.#write(`${beginning}: ${more} more ${warnings}, within ${PERIOD_MS / 1000} s`)
    this.#isWriting = false
    this.#startPeriod(beginning, WRITTEN) // the flood may go on, and ten more lines of it tell nothing new
  }

  readonly #endAll = () => {
    for (const beginning of [...this.#counts.keys()]) this.#endPeriod(beginning)
  }
}
