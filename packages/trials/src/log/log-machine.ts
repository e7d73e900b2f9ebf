/**
 * A machine of a member: a clock of its own, a card, and a program that takes one thing after the other. What a step has to save
 * is waited for; what it appends to the log is not.
 */
import type {
  LogMember,
  LogPosition,
  LogSnapshot,
  ReplicaInput,
  ReplicaMessage,
  ReplicaSettings,
  ReplicaState,
  ReplicaStep,
} from '@rpi-cluster/core/replica'
import { Disk, type Stored } from './disk.ts'
import { Queue, type Wish } from './queue.ts'
import type { TaskOutput } from './task-model.ts'

/** What a member says to a client: what came of its wish, or who may know. */
export type Reply = { readonly output: TaskOutput } | { readonly leader: string | null }

/** What a client sends. */
export interface Request {
  readonly wish: Wish
  readonly reply: (reply: Reply) => void
}

/** What a program is told: the time is looked at when it gets to it. */
export type Happening =
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: ReplicaMessage }
  | { readonly kind: 'hand_over'; readonly to?: string | undefined }
  | { readonly kind: 'durable'; readonly last: LogPosition }
  | { readonly kind: 'snapshotted'; readonly last: LogPosition }
  | { readonly kind: 'members'; readonly members: readonly LogMember[] }
  | { readonly kind: 'met'; readonly member: string }
  | { readonly kind: 'request'; readonly request: Request }

export interface Copy {
  readonly stored: Stored
  readonly process: number
}

export class LogMachine {
  readonly name: string
  readonly rate: number
  settings: ReplicaSettings
  disk: Disk
  /** What the card was like at crashes, as a backup has it, and which program's it was. */
  copies: Copy[] = []
  /** The copy to which the card was put back, and which program was the last before that. */
  restored: { readonly copy: Copy; readonly last: number } | undefined
  /** Which programs somebody has heard vote, or say that something is on the disk. */
  promised = new Set<number>()
  /** What its program knows. Nothing when it does not run. */
  state: ReplicaState | undefined
  /** What has come, and waits. */
  inbox: Happening[] = []
  /** A step whose result is on its way to the disk, and whether it is there. */
  saving: { readonly step: ReplicaStep; isSaved: boolean } | undefined
  isFrozen = false
  /** Which of its programs this is: what was planned for one before does not concern it. */
  process = 0
  /** Which program of each other member it has heard last. */
  met = new Map<string, number>()
  /** When it is woken next, as planned. */
  wakesAt = Number.POSITIVE_INFINITY
  isTimeWaiting = false
  queue = new Queue()
  applied = 0
  /** After which entry the next snapshot is taken, and whether one is on its way to the disk. */
  snapshotAfter = 0
  isTakingSnapshot = false
  /** Who waits for an entry to be applied. */
  waiting = new Map<number, { readonly term: number; readonly request: Request }>()
  /** Who wants to read, and from which entry on that may be. */
  reads = new Map<number, { readonly request: Request; from?: number }>()
  lastRead = 0
  /** What its clock shows at time 0 of the world: another number after each start. */
  #offset = 0

  constructor(name: string, rate: number, settings: ReplicaSettings, stored: Stored) {
    this.name = name
    this.rate = rate
    this.settings = settings
    this.disk = new Disk(stored)
  }

  get id(): string {
    return this.settings.id
  }

  /** Whether it has promised something of which its card, since it was put back, knows nothing. */
  get hasForgotten(): boolean {
    const { restored } = this
    if (!restored) return false
    return [...this.promised].some((process) => process > restored.copy.process && process <= restored.last)
  }

  clockAt(time: number): number {
    return this.#offset + this.rate * time
  }

  timeAt(clock: number): number {
    return (clock - this.#offset) / this.rate
  }

  /** A program begins, with the state machine as the card's snapshot has it. */
  begin(offset: number): void {
    this.#offset = offset
    this.process += 1
    this.isFrozen = false
    this.isTimeWaiting = false
    this.wakesAt = Number.POSITIVE_INFINITY
    this.restore(this.disk.stored.snapshot)
  }

  restore({ last, pieces = [] }: LogSnapshot): void {
    this.queue = Queue.restored(pieces)
    this.applied = last.index
    this.snapshotAfter = last.index
    this.waiting.clear()
  }

  /** A program ends, in the middle of whatever it did. */
  end(): void {
    this.process += 1
    this.state = undefined
    this.saving = undefined
    this.isTakingSnapshot = false
    this.inbox = []
    this.waiting.clear()
    this.reads.clear()
    this.met.clear()
  }

  /** The card is a new one, and with it the member. */
  replace(id: string, stored: Stored): void {
    this.settings = { ...this.settings, id }
    this.disk = new Disk(stored)
    this.copies = []
    this.promised.clear()
    this.restored = undefined
  }

  /** What the machine of the core is given. Of a request it gets the data, or the number of a read. */
  input(happening: Exclude<Happening, { kind: 'request' }>, time: number, random: number): ReplicaInput {
    return { ...happening, now: this.clockAt(time), random }
  }
}
