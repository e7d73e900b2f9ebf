/**
 * The time of a cluster in the page, which can be stopped, slowed and stepped. The page and each worker have a clock
 * of their own, and the page says how they go: they agree, because all read the browser's one clock.
 */

/** How a clock goes. */
export interface Pace {
  /** How much faster than the browser's it goes: 0 stands still. */
  speed: number
  /** What it shows, in ms, ... */
  shows: number
  /** ... when the browser's clock shows this, in ms. */
  when: number
  /** Where it stands still of itself. */
  until?: number
}

/** The browser's clock, which all its threads share, in ms. */
export const browserTime = () => performance.timeOrigin + browserNow()
const browserNow = performance.now.bind(performance)
const browserSetTimeout = globalThis.setTimeout.bind(globalThis)
const browserClearTimeout = globalThis.clearTimeout.bind(globalThis)

/** Something that is due at a time of a clock. */
export interface Due {
  readonly at: number
  readonly run: () => void
}

export class Clock {
  #pace: Pace
  /** In the order in which they are due. */
  readonly #dues: Due[] = []
  readonly #turns = new MessageChannel()
  #isTurnAsked = false
  #waits: ReturnType<typeof setTimeout> | undefined
  #isHeld = false

  constructor(pace: Pace) {
    this.#pace = pace
    this.#turns.port1.onmessage = () => {
      this.#isTurnAsked = false
      this.#turn()
    }
  }

  get pace(): Pace {
    return this.#pace
  }

  /** What it shows, in ms. */
  now(): number {
    const { shows, when, speed, until = Number.POSITIVE_INFINITY } = this.#pace
    return Math.min(until, shows + (browserTime() - when) * speed)
  }

  set(pace: Pace): void {
    this.#pace = pace
    this.#wait()
  }

  /** Whether nothing is run now: it is held, or stands still. */
  get isAtRest(): boolean {
    return this.#isHeld || this.#pace.speed === 0
  }

  /** While it is held, it goes on, and nothing is run: what was due meanwhile is run afterwards. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#wait()
  }

  at(at: number, run: () => void): Due {
    const due = { at, run }
    const before = this.#dues.findLastIndex((other) => other.at <= at)
    this.#dues.splice(before + 1, 0, due)
    if (before === -1) this.#wait()
    return due
  }

  cancel(due: Due): void {
    const index = this.#dues.indexOf(due)
    if (index >= 0) this.#dues.splice(index, 1)
  }

  /** Ends it, with all that was due. */
  close(): void {
    this.#dues.length = 0
    this.#wait()
    this.#turns.port1.close()
  }

  #wait(): void {
    browserClearTimeout(this.#waits)
    const [next] = this.#dues
    const { speed, until = Number.POSITIVE_INFINITY } = this.#pace
    if (!next || this.isAtRest || next.at > until) return
    const ms = next.at - this.now()
    if (ms <= 0) this.#askForTurn()
    else this.#waits = browserSetTimeout(() => this.#turn(), Math.min(Math.ceil(ms / speed), 2 ** 31 - 1))
  }

  /** A message to itself: a timer of the browser's would take 4 ms at least. */
  #askForTurn(): void {
    if (this.#isTurnAsked) return
    this.#isTurnAsked = true
    this.#turns.port2.postMessage(undefined)
  }

  /** Runs one only: what it has promised is to be kept before the next one runs, as in Node. */
  #turn(): void {
    const [next] = this.#dues
    if (next && !this.isAtRest && next.at <= this.now()) {
      this.#dues.shift()
      try {
        next.run()
      } finally {
        this.#wait()
      }
    } else this.#wait()
  }
}
