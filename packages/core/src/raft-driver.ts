/**
 * What gives the pure machine of `raft` the time and the disk of a real one.
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
  type RaftStep,
  startRaft,
  stepRaft,
  wakeAt,
} from './raft.ts'
import { StepDriver, type StepInput } from './step-driver.ts'

interface HandOver {
  readonly kind: 'hand_over'
  readonly to?: string
}

/**
 * What a member is given: that time has passed, a message and over which connection it came, the wish to hand over.
 *
 * @internal
 */
export type DriverInput = StepInput<RaftMessage, HandOver>

/**
 * A step that was taken.
 *
 * @internal
 */
export interface TakenStep {
  readonly before: RaftState
  readonly after: RaftState
  /** Who has said something, if it was that which made the step. */
  readonly from: string | undefined
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

/**
 * What a member of an election asks of whatever decides for it.
 *
 * @internal
 */
export interface ElectionDriver {
  /** What it knows now. A leader whose process was stopped has found out before anybody reads this. */
  readonly state: RaftState
  /** Whether nobody else can lead at this moment. The clock says so, and not the last step. */
  readonly holdsLead: boolean
  run(stop: AbortSignal): Promise<void>
  give(input: DriverInput): void
}

/** @internal */
export class RaftDriver
  extends StepDriver<RaftMessage, HandOver, RaftStep, Durable>
  implements ElectionDriver
{
  readonly #options: RaftDriverOptions
  #state: RaftState
  #lastStepAt = performance.now()

  constructor(options: RaftDriverOptions) {
    const { settings, save, log, durable } = options
    super({ longMs: settings.electionMs, save, log })
    this.#options = options
    this.#state = startRaft(settings, durable, { now: this.#lastStepAt, random: 0 })
  }

  get state(): RaftState {
    const { settings } = this.#options
    // Node hears of what has come before it looks at its timers: whoever asks then must not be told the state of before.
    if (this.#state.role === 'leader' && performance.now() >= wakeAt(settings, this.#state))
      this.give({ kind: 'time' })
    return this.#state
  }

  get holdsLead(): boolean {
    return holdsLead(this.#options.settings, this.#state, performance.now())
  }

  protected get wakesAt(): number {
    return wakeAt(this.#options.settings, this.#state)
  }

  protected begin(now: number, random: number): void {
    const { settings, durable } = this.#options
    this.#lastStepAt = now
    this.#state = startRaft(settings, durable, { now, random })
  }

  protected step(input: DriverInput, now: number, random: number): RaftStep {
    return stepRaft(this.#options.settings, this.#state, { ...withoutVia(input), now, random })
  }

  protected took({ state, messages }: RaftStep, input: DriverInput, now: number): void {
    const before = this.#state
    const sinceLastMs = now - this.#lastStepAt
    this.#state = state
    this.#lastStepAt = now
    const [from, via] = input.kind === 'message' ? [input.message.from, input.via] : []
    for (const message of messages) this.#options.send(message, message.to === from ? via : undefined)
    this.#options.stepped({ before, after: state, from, sinceLastMs })
  }
}

/** An input, as the pure machine knows it: of connections it knows nothing. */
function withoutVia(input: DriverInput) {
  if (input.kind !== 'message') return input
  const { kind, message } = input
  return { kind, message }
}
