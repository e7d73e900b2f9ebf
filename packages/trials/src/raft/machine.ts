/**
 * A member's machine: a clock of its own, a disk, and a program that takes one thing after the other, saves what must be saved,
 * and says something only then. That is what `election` does on a real one.
 */
import type {
  Durable,
  RaftInput,
  RaftMessage,
  RaftSettings,
  RaftState,
  RaftStep,
} from '@rpi-cluster/core/raft'

/** What a program is told: the time is looked at when it gets to it. */
export type Happening =
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: RaftMessage }
  | { readonly kind: 'hand_over'; readonly to: string }

export class Machine {
  readonly settings: RaftSettings
  readonly lastEntry: RaftState['lastEntry']
  readonly rate: number
  /** What its clock shows at time 0 of the world: another number after each start. */
  #offset = 0
  disk: Durable = { term: 0, votedFor: null }
  /** What its program knows. Nothing when it does not run. */
  state: RaftState | undefined
  /** What has come, and waits. */
  inbox: Happening[] = []
  /** A step whose result is on its way to the disk. */
  saving: RaftStep | undefined
  isFrozen = false
  /** Which of its programs this is: what was planned for one before does not concern it. */
  process = 0
  /** When it is woken next, as planned. */
  wakesAt = Number.POSITIVE_INFINITY
  isTimeWaiting = false
  /** When each of the others has answered it, by its clock, since it leads. */
  answeredAt = new Map<string, number>()
  leadsSince = 0

  constructor(settings: RaftSettings, rate: number, lastEntry: RaftState['lastEntry']) {
    this.settings = settings
    this.rate = rate
    this.lastEntry = lastEntry
  }

  get name(): string {
    return this.settings.id
  }

  clockAt(time: number): number {
    return this.#offset + this.rate * time
  }

  timeAt(clock: number): number {
    return (clock - this.#offset) / this.rate
  }

  /** A program begins. */
  begin(offset: number): void {
    this.#offset = offset
    this.process += 1
    this.isFrozen = false
    this.isTimeWaiting = false
    this.wakesAt = Number.POSITIVE_INFINITY
  }

  /** A program ends, in the middle of whatever it did. */
  end(): void {
    this.process += 1
    this.state = undefined
    this.saving = undefined
    this.inbox = []
  }

  input(happening: Happening, time: number, random: number): RaftInput {
    const now = this.clockAt(time)
    if (happening.kind === 'message') return { kind: 'message', message: happening.message, now, random }
    return happening.kind === 'time'
      ? { kind: 'time', now, random }
      : { kind: 'hand_over', to: happening.to, now, random }
  }
}
