/**
 * Bounds what a log grows by, whatever peers do. Each of them may cause as many lines as it likes, and what
 * it did is said as well by some of them and a count.
 *
 * A line is paid for twice: out of what all lines that begin alike have, and out of what all lines together
 * have. Both are filled up a little, every five seconds.
 *
 * @since 0.2.0
 */

/** How often it is filled up, and what was left out is said, in ms: the period of Linux for its kernel's messages (DEFAULT_RATELIMIT_INTERVAL). */
const PERIOD_MS = 5_000

/** What is paid for as one line, in characters of the log file. A heartbeat of chapter 06 has 180. A longer line costs more. */
const LINE_LENGTH = 256

/** How many lines that begin alike get through in each period, as with Linux (DEFAULT_RATELIMIT_BURST). */
const LINES = 10

/** How many of them may come at once, after a quiet time: enough for a reader who sends a hundred messages to see them. */
const LINES_AT_ONCE = 100

/**
 * How many lines of all kinds get through in each period: the heartbeats of 160 slaves, or 8 KiB a second, which
 * is 0.7 GB a day for a log that is flooded day and night.
 */
const ALL_LINES = 160

/** How many lines of all kinds may come at once: 250 KiB, or four from each of 250 slaves that start together. */
const ALL_LINES_AT_ONCE = 1_000

/** What a beginning gets nothing of that is new in this period: whoever connects anew for each message leaves half to the others. */
const KEPT_FROM_NEW = ALL_LINES_AT_ONCE / 2

/** What one gets nothing of that had its first lines in this period, or is a new warning: the first lines of each come first. */
const KEPT_FROM_BUSY = ALL_LINES_AT_ONCE / 4
const FIRST_LINES = 2

/** How many beginnings are told apart, and for how many periods after their last line. So nobody fills the memory by making up new ones. */
const MAX_BEGINNINGS = 1_000
const PERIODS_KEPT = 12

/** How many characters of a line may be its beginning. */
const LONGEST_BEGINNING = 100

/** How many lines say what was left out in a period. */
const MAX_COUNTS = 10

/** Levels, as pino's numbers. A fatal line ends a program, and is left out as little as what explains it. */
const WARNING = 40
const FATAL = 60

/** What a line is about: all before its first colon, other than one of an IPv6 address in brackets. So no port is in it. */
const KIND = /^(?:\[[^\]]*\]|[^:])*/

/** All before the first colon that ends a word, and so not before the one of an address and its port. */
const BEGINNING = /^.*?(?=:\s|:$|$)/s

/** What is known of the lines that begin alike. */
interface Beginning {
  readonly isWarning: boolean
  /** How many more may come. */
  lines: number
  /** The period in which the first one came, and the one in which the last came. */
  readonly since: number
  last: number
  /** How many of them were let through in that. */
  count: number
  /** Whether some of those were left out. */
  isTooMuch: boolean
}

/** Lines that were left out in this period. */
interface LeftOut {
  count: number
  /** The highest of their levels. */
  level: number
}

/**
 * Lets the lines of a log through, within bounds, and counts the others. Of those that begin alike, as in
 * `Received message from 192.168.1.20:51234: ...`, a hundred may come at once, and then ten in five seconds.
 * Of warnings and errors it is ten, whatever port a peer has, and no more while they keep coming. And there is a
 * bound for all lines together.
 *
 * What was left out is said every five seconds, and when the program ends.
 */
export class FloodGate {
  readonly #write: (line: string, level: number) => void
  readonly #beginnings = new Map<string, Beginning>()
  readonly #leftOut = new Map<string, LeftOut>()
  #lines = ALL_LINES_AT_ONCE
  #period = 0
  #timer: NodeJS.Timeout | undefined
  /** The level from which lines have to pay. */
  #paysFrom: number
  #isPaying = false
  /** The beginning of the line that is being written. */
  #payer: Beginning | undefined

  /**
   * @param write writes a line that says what was left out, at the highest level of that
   * @param options `everyLine`: lets all lines below a warning through. Default: false.
   */
  constructor(write: (line: string, level: number) => void, { everyLine = false } = {}) {
    this.#write = write
    this.#paysFrom = everyLine ? WARNING : 0
  }

  /**
   * Whether a line is to be written. If not, it has been counted.
   *
   * @param text what it says
   * @param level pino's number: 20 for debug, 30 for info, 40 for a warning
   */
  lets(text: string, level: number): boolean {
    if (level >= FATAL) this.open()
    this.#isPaying = level >= this.#paysFrom
    if (!this.#isPaying) return true
    this.#timer ??= this.#start()
    const isWarning = level >= WARNING
    const kind = beginningOf(text, KIND)
    const own = isWarning ? kind : beginningOf(text, BEGINNING)
    const known = this.#beginnings.get(own)
    if (known && known.last !== this.#period) {
      known.last = this.#period
      known.count = 0
      known.isTooMuch = false
    }
    if (!this.#affords(known, isWarning)) {
      if (known) known.isTooMuch = true
      this.#leaveOut(known ? own : kind, level)
      return false
    }
    this.#payer = known ?? this.#remember(own, isWarning)
    if (this.#payer) this.#payer.count += 1
    return true
  }

  /** Takes what the line costs that was let through, as it goes to the log file. Returns it. */
  charge(line: string): string {
    if (!this.#isPaying) return line
    const lines = Math.max(1, line.length / LINE_LENGTH)
    this.#lines -= lines
    if (this.#payer) this.#payer.lines -= this.#payer.isWarning ? 1 : lines
    this.#payer = undefined
    return line
  }

  /** Lets everything through from now on. */
  open(): void {
    this.#sayWhatIsLeftOut()
    this.#paysFrom = Number.POSITIVE_INFINITY
  }

  #affords(known: Beginning | undefined, isWarning: boolean): boolean {
    const isNew = known === undefined || known.since === this.#period
    const isBusy = known !== undefined && known.count >= FIRST_LINES
    const kept = isNew && !isWarning ? KEPT_FROM_NEW : isNew || isBusy ? KEPT_FROM_BUSY : 0
    return this.#lines > kept && (known === undefined || known.lines > 0)
  }

  #remember(beginning: string, isWarning: boolean): Beginning | undefined {
    if (this.#beginnings.size >= MAX_BEGINNINGS) return undefined
    const known: Beginning = {
      isWarning,
      lines: isWarning ? LINES : LINES_AT_ONCE,
      since: this.#period,
      last: this.#period,
      count: 0,
      isTooMuch: false,
    }
    this.#beginnings.set(copyOf(beginning), known)
    return known
  }

  #leaveOut(beginning: string, level: number): void {
    const name =
      this.#leftOut.size < MAX_BEGINNINGS || this.#leftOut.has(beginning) ? beginning : 'Other lines'
    const leftOut = this.#leftOut.get(name)
    if (!leftOut) this.#leftOut.set(copyOf(name), { count: 1, level })
    else {
      leftOut.count += 1
      leftOut.level = Math.max(leftOut.level, level)
    }
  }

  #start(): NodeJS.Timeout {
    if (gates.size === 0) process.prependListener('exit', openAll)
    gates.add(this)
    return setInterval(() => this.#endPeriod(), PERIOD_MS).unref()
  }

  #endPeriod(): void {
    this.#sayWhatIsLeftOut()
    this.#lines = Math.min(this.#lines + ALL_LINES, ALL_LINES_AT_ONCE)
    for (const [beginning, known] of this.#beginnings) {
      if (known.isWarning) known.lines = known.last === this.#period && known.isTooMuch ? 0 : LINES
      else known.lines = Math.min(known.lines + LINES, LINES_AT_ONCE)
      if (known.last <= this.#period - PERIODS_KEPT) this.#beginnings.delete(beginning)
    }
    this.#period += 1
    if (this.#beginnings.size > 0 || this.#lines < ALL_LINES_AT_ONCE) return
    clearInterval(this.#timer)
    this.#timer = undefined
    gates.delete(this)
    if (gates.size === 0) process.off('exit', openAll)
  }

  #sayWhatIsLeftOut(): void {
    const all = [...this.#leftOut].sort(([, a], [, b]) => b.count - a.count)
    const rest = all.splice(all.length > MAX_COUNTS ? MAX_COUNTS - 1 : MAX_COUNTS)
    if (rest.length > 0) {
      const count = rest.reduce((sum, [, leftOut]) => sum + leftOut.count, 0)
      const level = Math.max(...rest.map(([, leftOut]) => leftOut.level))
      all.push([`Lines of ${rest.length} other kinds`, { count, level }])
    }
    this.#leftOut.clear()
    const paysFrom = this.#paysFrom
    this.#paysFrom = Number.POSITIVE_INFINITY
    for (const [beginning, { count, level }] of all) {
      const what = level >= WARNING ? 'warning' : 'line'
      const lines = count === 1 ? `${what} that begins so` : `${what}s that begin so`
      this.#write(`${beginning}: ${count} more ${lines}, within ${PERIOD_MS / 1000} s`, level)
    }
    this.#paysFrom = paysFrom
  }
}

/** Those that may have left something out. */
const gates = new Set<FloodGate>()

/** The program ends. That is said after this, and nothing may be in the way. */
function openAll(): void {
  for (const gate of gates) gate.open()
}

function beginningOf(text: string, pattern: RegExp): string {
  return pattern.exec(text.slice(0, LONGEST_BEGINNING))?.[0] || 'Lines without a beginning'
}

/** The same text, without the long one that it was cut from: a text that was cut from another keeps that in memory. */
function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
