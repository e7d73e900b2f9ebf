/**
 * When something was, on a machine whose clock may be wrong at first: as long as it is, what happens is held, and dated once
 * the clock is right, by the clock that only counts.
 *
 * @since 0.17.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { type ClockState, systemClock } from './system-clock.ts'

/** How often is asked whether the clock is right, as long as it is not, in ms. */
const ASK_INTERVAL_MS = 2_000

/** How long the clock may take to be right before that is told, in ms. */
const TOLD_AFTER_MS = 30_000

/** By how much a clock has to be off at once to be taken for one that was set, in ms. */
const JUMP_MS = 5_000

/** How much is held, unless told otherwise: a minute of a thousand nodes, or a day of seven. */
const DEFAULT_MOST_HELD = 10_000

export interface KnownTimeOptions {
  /** Where is told that the clock is not right, and that it was set. */
  log: Logger
  /** The latest moment that is known to have been, in s since 1970: a clock that nobody sets is not right before it. */
  notBefore?: number | undefined
  /** Ends the asking. Default: the stop signal of this program. */
  stop?: AbortSignal
  /** How much is held; of more the oldest is lost. Default: 10,000. */
  mostHeld?: number
  /** What is known of the clock. Default: {@link systemClock}. */
  ask?: () => Promise<ClockState>
  /** How often, in ms. Default: 2,000. */
  askMs?: number
  /** The clock, in ms since 1970. Default: Date.now. */
  now?: () => number
  /** The clock that only counts, in ms. Default: performance.now. */
  counted?: () => number
}

interface Held {
  /** On the clock that only counts. */
  readonly at: number
  readonly use: (at: number) => void
}

/** The time, where it is known. */
export class KnownTime {
  readonly #log: Logger
  readonly #stop: AbortSignal
  readonly #mostHeld: number
  readonly #ask: () => Promise<ClockState>
  readonly #askMs: number
  readonly #now: () => number
  readonly #counted: () => number
  #held: Held[] = []
  #lost = 0
  #isKnown = false
  /** The latest moment that was given out, in s. */
  #latest: number
  /** What lay between the two clocks at the last look, in ms. */
  #offset: number

  constructor({
    log,
    notBefore = 0,
    stop = stopRequest,
    mostHeld = DEFAULT_MOST_HELD,
    ask = systemClock,
    askMs = ASK_INTERVAL_MS,
    now = Date.now,
    counted = () => performance.now(),
  }: KnownTimeOptions) {
    this.#log = log
    this.#stop = stop
    this.#mostHeld = mostHeld
    this.#ask = ask
    this.#askMs = askMs
    this.#now = now
    this.#counted = counted
    this.#latest = notBefore
    this.#offset = now() - counted()
    void this.#find()
  }

  /** Whether the clock is taken as right. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /**
   * Dates what happens now: calls a function with the time, in s since 1970. Mostly at once, and else when it is known.
   * What has not been dated when the program ends is lost.
   */
  date(use: (at: number) => void): void {
    this.#notice()
    if (this.#isKnown) {
      this.#give(use, this.#now())
      return
    }
    this.#held.push({ at: this.#counted(), use })
    if (this.#held.length <= this.#mostHeld) return
    this.#held.shift()
    this.#lost += 1
    if (this.#lost === 1)
      this.#log.warn(
        `The clock of this machine is not right yet, and ${this.#mostHeld} measurements wait for that: for each that comes, the oldest is lost.`,
      )
  }

  #give(use: (at: number) => void, ms: number): void {
    const at = ms / 1000
    this.#latest = Math.max(this.#latest, at)
    use(at)
  }

  /** Notices that the clock was set since the last look. What is known of it then has to be asked anew. */
  #notice(): void {
    const offset = this.#now() - this.#counted()
    const jump = offset - this.#offset
    this.#offset = offset
    if (!this.#isKnown || Math.abs(jump) < JUMP_MS) return
    this.#log.warn(
      `The clock of this machine has jumped ${jump < 0 ? 'back' : 'forward'} by ${Math.round(Math.abs(jump) / 1000)} s: it was set, or the machine has slept. If it was wrong before, so is what was dated by it.`,
    )
    this.#isKnown = false
    void this.#find()
  }

  /** Asks until the clock is right. */
  async #find(): Promise<void> {
    const began = this.#counted()
    let isTold = false
    while (!this.#stop.aborted) {
      const why = this.#whyWrong(await this.#ask())
      if (why === undefined) {
        this.#release()
        if (isTold) this.#log.info('The clock of this machine is right now.')
        return
      }
      if (!isTold && this.#counted() - began >= TOLD_AFTER_MS) {
        isTold = true
        this.#log.warn(why)
      }
      await sleep(this.#askMs, undefined, { signal: this.#stop }).catch(() => {})
    }
  }

  #whyWrong(state: ClockState): string | undefined {
    if (state === 'not yet')
      return 'The clock of this machine is not synchronised yet, and what is measured waits for that. If it is right as it is, and there is no time server to be reached, say: sudo timedatectl set-ntp false'
    if (state === 'by itself' && this.#now() / 1000 < this.#latest)
      return `The clock of this machine says ${iso(this.#now())}, and something was measured at ${iso(this.#latest * 1000)} already. Is its date right? What is measured waits for that.`
    return undefined
  }

  #release(): void {
    const [now, counted] = [this.#now(), this.#counted()]
    this.#offset = now - counted
    this.#isKnown = true
    const held = this.#held
    this.#held = []
    for (const { at, use } of held) this.#give(use, now - (counted - at))
    if (this.#lost > 0) this.#log.warn(`${this.#lost} measurements were lost before the clock was right.`)
    this.#lost = 0
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
