/**
 * What gives a pure machine time and a disk: one input after the other, each with the time at which it is looked at, and what a
 * step has to remember on the disk before anybody hears of it.
 *
 * @since 0.26.0
 */
import type { Connection } from './connection.ts'
import type { Logger } from './logging.ts'

/** How many messages wait while the disk is busy. The oldest are given up first: Raft says again what matters. */
const MOST_WAITING = 256

/** How soon something is tried again that the disk did not take, in ms. */
const AFTER_TROUBLE_MS = 1_000

/**
 * How a member draws its time-out: this power of a number from 0 to 1 is early more often than late. Who wakes first decides how
 * long there is no leader, and with two who wait that is a seventh of a time-out sooner so than with an even draw; that both wake
 * at the same moment, and neither is elected, becomes a third more likely, which is still rare.
 */
const EARLY = 1.5

/**
 * That a message has come, and over which connection; that time has passed; or what else a machine knows.
 *
 * @internal
 */
export type StepInput<Message, Other> =
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: Message; readonly via: Connection }
  | Other

/** @internal */
export interface StepDriverOptions<Saved> {
  /** How long the disk may take for what is saved until that is told, in ms. */
  longMs: number
  /** Has it on the disk when it resolves. */
  save: (saved: Saved) => Promise<void>
  log: Logger
}

/** @internal */
export abstract class StepDriver<
  Message,
  Other extends { readonly kind: string },
  Step extends { save?: Saved },
  Saved,
> {
  readonly #options: StepDriverOptions<Saved>
  readonly #inputs: StepInput<Message, Other>[] = []
  #messages = 0
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #isAtWork = false
  /** Until when the clock alone gives no input, since the disk took nothing, in ms. */
  #restsUntil = 0
  #isInTrouble = false
  #fail: (error: unknown) => void = () => {}

  constructor(options: StepDriverOptions<Saved>) {
    this.#options = options
  }

  /** The machine, as it begins. */
  protected abstract begin(now: number, random: number): void
  /** What comes of an input. Nothing of that holds before {@link took}. */
  protected abstract step(input: StepInput<Message, Other>, now: number, random: number): Step
  /** A step holds from now on: what it saves is on the disk. */
  protected abstract took(step: Step, input: StepInput<Message, Other>, now: number): void
  /** When it wants to hear of the time, in ms. */
  protected abstract get wakesAt(): number

  /**
   * Takes part, from now on and until `stop` is aborted.
   *
   * @throws whatever is a mistake
   */
  async run(stop: AbortSignal): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    const stopped = new Promise<void>((resolve) => {
      if (stop.aborted) resolve()
      else stop.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#isRunning = true
    this.begin(performance.now(), draw())
    this.#setTimer()
    try {
      await Promise.race([failed, stopped])
    } finally {
      this.#isRunning = false
      clearTimeout(this.#timer)
    }
  }

  /** Takes an input. It is worked on at once, unless the disk is busy with an earlier one. */
  give(input: StepInput<Message, Other>): void {
    if (!this.#isRunning) return
    const inputs = this.#inputs
    if (input.kind === 'time' && inputs.some(({ kind }) => kind === 'time')) return
    if (input.kind === 'message') {
      if (this.#messages >= MOST_WAITING) this.#take(inputs.findIndex(({ kind }) => kind === 'message'))
      this.#messages += 1
    }
    inputs.push(input)
    if (!this.#isAtWork) void this.#work().catch((error) => this.#fail(error))
  }

  #take(place: number): StepInput<Message, Other> | undefined {
    const [input] = this.#inputs.splice(place, 1)
    if (input?.kind === 'message') this.#messages -= 1
    return input
  }

  async #work(): Promise<void> {
    this.#isAtWork = true
    clearTimeout(this.#timer)
    try {
      for (let input = this.#take(0); input && this.#isRunning; input = this.#take(0)) {
        const wait = this.#step(input)
        if (wait) await wait
      }
    } finally {
      this.#isAtWork = false
    }
    this.#setTimer()
  }

  /** Takes a step. Only one that has something to save takes time. */
  #step(input: StepInput<Message, Other>): Promise<void> | undefined {
    const now = performance.now()
    const step = this.step(input, now, draw())
    if (step.save === undefined) {
      this.took(step, input, now)
      return undefined
    }
    return this.#saved(step.save).then((isSaved) => {
      // What is not on the disk has not happened: nobody was told, and the state is that of before.
      if (isSaved) this.took(step, input, now)
    })
  }

  async #saved(saved: Saved): Promise<boolean> {
    const { save, longMs, log } = this.#options
    const begin = performance.now()
    try {
      await save(saved)
      const took = performance.now() - begin
      if (took > longMs)
        log.warn(
          `The disk has taken ${(took / 1_000).toFixed(1)} s for a vote: nothing was decided meanwhile`,
        )
      if (this.#isInTrouble) log.info('The disk takes the vote again')
      this.#isInTrouble = false
      return true
    } catch (error) {
      if (!this.#isInTrouble)
        log.error(
          `Cannot write the vote (${(error as Error).message}): does not vote, and cannot lead, until the disk takes it. It is tried again and again.`,
        )
      this.#isInTrouble = true
      this.#restsUntil = performance.now() + AFTER_TROUBLE_MS
      return false
    }
  }

  #setTimer(): void {
    if (!this.#isRunning) return
    const at = Math.max(this.wakesAt, this.#restsUntil)
    clearTimeout(this.#timer)
    if (at === Number.POSITIVE_INFINITY) return
    // Node fires a timer up to 1 ms early.
    const ms = Math.max(1, Math.ceil(at - performance.now()))
    this.#timer = setTimeout(() => this.give({ kind: 'time' }), ms)
  }
}

function draw(): number {
  return Math.random() ** EARLY
}
