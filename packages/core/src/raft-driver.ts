/**
 * What gives the pure machine of `raft` time and a disk: one input after the other, each with the time at which it is looked
 * at, and what a step has to remember on the disk before anybody hears of it.
 *
 * @since 0.26.0
 */
import type { Connection } from './connection.ts'
import type { Logger } from './logging.ts'
import {
  type Durable,
  holdsLead,
  type RaftMessage,
  type RaftSettings,
  type RaftState,
  startRaft,
  stepRaft,
  wakeAt,
} from './raft.ts'

/** How many inputs wait while the disk is busy. The oldest messages are given up first: Raft says again what matters. */
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
 * What a member is given: that time has passed, a message and over which connection it came, the wish to hand over.
 *
 * @internal
 */
export type DriverInput =
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: RaftMessage; readonly via: Connection }
  | { readonly kind: 'hand_over'; readonly to?: string }

/**
 * A step that was taken.
 *
 * @internal
 */
export interface TakenStep {
  readonly before: RaftState
  readonly after: RaftState
  readonly input: DriverInput
  /** How long there was no step before this one, in ms. */
  readonly sinceLastMs: number
}

/** @internal */
export interface RaftDriverOptions {
  settings: RaftSettings
  durable: Durable
  /** Has it on the disk when it resolves. */
  save: (durable: Durable) => Promise<void>
  /** Sends a message, if that can be done at once: over the connection `via`, on which its receiver has just spoken, or another. */
  send: (message: RaftMessage, via: Connection | undefined) => void
  stepped: (step: TakenStep) => void
  log: Logger
}

/** @internal */
export class RaftDriver {
  readonly #options: RaftDriverOptions
  readonly #inputs: DriverInput[] = []
  #state: RaftState
  #lastStepAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #isAtWork = false
  /** Until when the clock alone gives no input, since the disk took nothing, in ms. */
  #restsUntil = 0
  #isInTrouble = false
  #fail: (error: unknown) => void = () => {}

  constructor(options: RaftDriverOptions) {
    this.#options = options
    this.#state = this.#begin()
  }

  /** What it knows now. A leader whose process was stopped has found out before anybody reads this. */
  get state(): RaftState {
    const { settings } = this.#options
    // Node hears of what has come before it looks at its timers: whoever asks then must not be told the state of before.
    if (this.#state.role === 'leader' && performance.now() >= wakeAt(settings, this.#state))
      this.give({ kind: 'time' })
    return this.#state
  }

  /** Whether nobody else can lead at this moment. The clock says so, and not the last step. */
  get holdsLead(): boolean {
    return holdsLead(this.#options.settings, this.#state, performance.now())
  }

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
    this.#state = this.#begin()
    this.#setTimer()
    try {
      await Promise.race([failed, stopped])
    } finally {
      this.#isRunning = false
      clearTimeout(this.#timer)
    }
  }

  #begin(): RaftState {
    const { settings, durable } = this.#options
    this.#lastStepAt = performance.now()
    return startRaft(settings, durable, { now: this.#lastStepAt, random: draw() })
  }

  /** Takes an input. It is worked on at once, unless the disk is busy with an earlier one. */
  give(input: DriverInput): void {
    if (!this.#isRunning) return
    if (input.kind === 'time' && this.#inputs.some(({ kind }) => kind === 'time')) return
    if (this.#inputs.length >= MOST_WAITING) this.#inputs.shift()
    this.#inputs.push(input)
    if (!this.#isAtWork) void this.#work().catch((error) => this.#fail(error))
  }

  async #work(): Promise<void> {
    this.#isAtWork = true
    clearTimeout(this.#timer)
    try {
      for (let input = this.#inputs.shift(); input && this.#isRunning; input = this.#inputs.shift()) {
        const wait = this.#step(input)
        if (wait) await wait
      }
    } finally {
      this.#isAtWork = false
    }
    this.#setTimer()
  }

  /** Takes a step. Only one that has something to save takes time. */
  #step(input: DriverInput): Promise<void> | undefined {
    const { settings } = this.#options
    const [now, random] = [performance.now(), draw()]
    const step = stepRaft(settings, this.#state, { ...withoutVia(input), now, random })
    if (!step.save) {
      this.#take(step, input, now)
      return undefined
    }
    return this.#saved(step.save).then((isSaved) => {
      // What is not on the disk has not happened: nobody was told, and the state is that of before.
      if (isSaved) this.#take(step, input, now)
    })
  }

  #take({ state, messages }: ReturnType<typeof stepRaft>, input: DriverInput, now: number): void {
    const before = this.#state
    const sinceLastMs = now - this.#lastStepAt
    this.#state = state
    this.#lastStepAt = now
    const [from, via] = input.kind === 'message' ? [input.message.from, input.via] : []
    for (const message of messages) this.#options.send(message, message.to === from ? via : undefined)
    this.#options.stepped({ before, after: state, input, sinceLastMs })
  }

  async #saved(durable: Durable): Promise<boolean> {
    const { save, settings, log } = this.#options
    const begin = performance.now()
    try {
      await save(durable)
      const took = performance.now() - begin
      if (took > settings.electionMs)
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
    const at = Math.max(wakeAt(this.#options.settings, this.#state), this.#restsUntil)
    // Node fires a timer up to 1 ms early.
    const ms = Math.max(1, Math.ceil(at - performance.now()))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.give({ kind: 'time' }), ms)
  }
}

function draw(): number {
  return Math.random() ** EARLY
}

/** An input, as the pure machine knows it: of connections it knows nothing. */
function withoutVia(input: DriverInput) {
  if (input.kind !== 'message') return input
  const { kind, message } = input
  return { kind, message }
}
