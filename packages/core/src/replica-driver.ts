/**
 * What gives the pure machine of `replica` the time and the disk of a real one, and a state machine its entries. To write
 * entries nobody waits; to save a vote everybody does.
 *
 * @since 0.27.0
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import type { LogEntry } from './entry-log.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { nameOfMember } from './member-ids.ts'
import type { LogPosition, RaftState } from './raft.ts'
import type { DriverInput, ElectionDriver, TakenStep } from './raft-driver.ts'
import {
  entriesOf,
  isSure,
  type LogMember,
  type LogSnapshot,
  lastOf,
  lastTimeOf,
  membersOf,
  type ReplicaDurable,
  type ReplicaInput,
  type ReplicaMessage,
  type ReplicaSettings,
  type ReplicaState,
  type ReplicaStep,
  stepReplica,
  timeAt,
  wakeReplicaAt,
} from './replica.ts'
import type { ReplicaStore } from './replica-store.ts'
import type { StateMachine } from './state-machine.ts'
import { StepDriver, type StepInput } from './step-driver.ts'

/** How many entries are applied before others have their turn. */
const APPLIED_AT_ONCE = 500

/** How much has to be applied until a snapshot is made, in characters: at least this, and at least as much as the last one had. */
const SNAPSHOT_SIZE = 8 * 1024 * 1024

/** What an entry is counted with beside its data. */
const ENTRY_SIZE = 50

/** How many characters of data an entry may have: as much as a record of the disk may have bytes, with four for each. */
const MOST_DATA = 4 * 1024 * 1024 - 1024

/** How soon is written again what the disk did not take, in ms. */
const AFTER_TROUBLE_MS = 1_000

type Pure<Input> = Input extends unknown ? Omit<Input, 'now' | 'random'> : never
type Others = Exclude<Pure<ReplicaInput>, { kind: 'time' } | { kind: 'message' }>
type Input = StepInput<ReplicaMessage, Others>

/** Data that waits to be in the log, and to be applied. */
interface Proposal {
  readonly data: string
  readonly term: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** @internal */
export interface ReplicaDriverOptions {
  settings: ReplicaSettings
  state: ReplicaState
  store: ReplicaStore
  machine: StateMachine
  send: (message: ReplicaMessage, via: Connection | undefined) => void
  stepped: (step: TakenStep) => void
  /** Called when its store is older than it was, or something else has it end. */
  ended: (error: OperationalError) => void
  log: Logger
}

/** @internal */
export class ReplicaDriver
  extends StepDriver<ReplicaMessage, Others, ReplicaStep, ReplicaDurable>
  implements ElectionDriver
{
  readonly #options: ReplicaDriverOptions
  #state: ReplicaState
  #lastStepAt = performance.now()
  /** What is not in the log yet, in the order in which it will be, and what is, by its number. */
  #waiting: Proposal[] = []
  readonly #proposed = new Map<number, Proposal>()
  #isProposing = false
  readonly #reads = new Map<number, { index: number | undefined; resolve: () => void }>()
  #lastRead = 0
  #applied: LogPosition
  #appliedTime: number
  #isApplying = false
  #sinceSnapshot = 0
  #snapshotSize = 0
  #isSnapshotting = false
  /** When it is written again what the disk did not take: the store has told that. */
  #again: NodeJS.Timeout | undefined

  constructor(options: ReplicaDriverOptions) {
    const { settings, store, log, state } = options
    super({ longMs: settings.electionMs, save: (durable) => store.save(durable), log })
    this.#options = options
    this.#state = state
    this.#applied = state.snapshot.last
    this.#appliedTime = state.snapshot.time
  }

  /** What the election knows, with names in place of ids. A leader whose process stood still has found out before. */
  get state(): RaftState {
    const { settings } = this.#options
    if (this.#state.raft.role === 'leader' && performance.now() >= wakeReplicaAt(settings, this.#state))
      this.give({ kind: 'time' })
    return namedRaft(this.#state.raft)
  }

  /** All that it knows. */
  get replica(): ReplicaState {
    return this.#state
  }

  /** The last entry that is applied here, and the cluster's time there. */
  get applied(): LogPosition & { time: number } {
    return { ...this.#applied, time: this.#appliedTime }
  }

  /** Whether nobody else can lead, and all that was committed before is applied here. */
  get holdsLead(): boolean {
    const state = this.#state
    return isSure(this.#options.settings, state, performance.now()) && this.#applied.index >= state.began
  }

  /** The cluster's time, as this member knows it: what it leads by, or the last that it has heard. */
  get time(): number {
    const state = this.#state
    return state.began > 0 ? timeAt(state, performance.now()) : lastTimeOf(state)
  }

  /**
   * Has data in the log.
   *
   * @param term the term in which this is to be; in none after it
   * @returns when a majority has it on its disks, and it is applied here
   * @throws OperationalError when this member does not lead in that term any more. Nobody knows then what becomes of the data;
   *   when it is too large for an entry
   */
  propose(data: string, term: number): Promise<void> {
    if (data.length > MOST_DATA)
      return Promise.reject(
        new OperationalError(
          `An entry of the log may have ${MOST_DATA} characters of data, and this has ${data.length}.`,
        ),
      )
    return new Promise((resolve, reject) => {
      this.#waiting.push({ data, term, resolve, reject })
      if (this.#isProposing) return
      this.#isProposing = true
      // What else comes in this turn goes into the log together.
      setImmediate(() => {
        this.#isProposing = false
        this.give({ kind: 'propose', data: this.#waiting.map((one) => one.data) })
      })
    })
  }

  /**
   * Resolves when all is applied here that was committed when it was called. While nobody leads it waits.
   *
   * @throws the signal's reason, an AbortError, when `stop` is aborted first
   */
  async caughtUp(stop: AbortSignal): Promise<void> {
    stop.throwIfAborted()
    this.#lastRead += 1
    const id = this.#lastRead
    const ask = () => this.give({ kind: 'read', read: id })
    const again = setInterval(ask, this.#options.settings.heartbeatMs)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#reads.set(id, { index: undefined, resolve })
        stop.addEventListener('abort', () => reject(stop.reason), { once: true })
        ask()
      })
    } finally {
      clearInterval(again)
      this.#reads.delete(id)
    }
  }

  /** These are the members with which the cluster began. Only of one that knows of none yet. */
  become(members: readonly LogMember[]): void {
    const { snapshot } = this.#state
    this.#state = {
      ...this.#state,
      snapshot: { ...snapshot, members },
      members: [{ index: snapshot.last.index, members }],
    }
    this.give({ kind: 'time' })
  }

  /** Takes an input, in which members may have their names in place of their ids. */
  override give(input: Input | DriverInput): void {
    if (input.kind !== 'hand_over' || input.to === undefined) super.give(input as Input)
    else super.give({ kind: 'hand_over', to: this.idOf(input.to) ?? input.to })
  }

  /** The id of the member of that name. */
  idOf(name: string): string | undefined {
    return membersOf(this.#state).find(({ id }) => nameOfMember(id) === name)?.id
  }

  override async run(stop: AbortSignal): Promise<void> {
    try {
      await super.run(stop)
    } finally {
      this.#refuse(() => true, 'This member is stopped.')
    }
  }

  protected get wakesAt(): number {
    return wakeReplicaAt(this.#options.settings, this.#state)
  }

  /** It was given its state when it was made. A moment ago; and what it may have promised before that counts from now. */
  protected begin(now: number): void {
    const { electionMs } = this.#options.settings
    this.#lastStepAt = now
    const { raft } = this.#state
    this.#state = {
      ...this.#state,
      startedAt: now,
      askStartAt: now,
      raft: { ...raft, heardAt: now, electionAt: now + electionMs * (1 + Math.random()) },
    }
  }

  protected step(input: Input, now: number, random: number): ReplicaStep {
    if (input.kind === 'propose') this.#refuseLate()
    const given = input.kind === 'propose' ? { ...input, data: this.#waiting.map(({ data }) => data) } : input
    return stepReplica(this.#options.settings, this.#state, {
      ...withoutVia(given),
      now,
      random,
    } as ReplicaInput)
  }

  protected took(step: ReplicaStep, input: Input, now: number): void {
    const { stepped, send, ended, log } = this.#options
    const before = this.#state
    const sinceLastMs = now - this.#lastStepAt
    this.#state = step.state
    this.#lastStepAt = now
    if (step.install) this.#install(step.install)
    this.#write(step.append)
    this.#number(step.append, input)
    const [from, via] = input.kind === 'message' ? [input.message.from, input.via] : []
    for (const message of step.messages) send(message, message.to === from ? via : undefined)
    for (const { id, index } of step.reads) this.#mayRead(id, index)
    if (step.state.raft.role !== 'leader' && before.raft.role === 'leader')
      this.#refuse(() => true, 'This member leads no more.')
    if (step.state.older !== null && before.older === null) {
      log.error(`${nameOfMember(step.state.older)} knows of a later start of this member than its store does`)
      ended(new OperationalError('Its store is older than it was.'))
    }
    if (step.state.commit > this.#applied.index) void this.#apply()
    stepped({
      before: namedRaft(before.raft),
      after: namedRaft(step.state.raft),
      from: from === undefined ? undefined : nameOfMember(from),
      sinceLastMs,
    })
  }

  /** What was proposed has its number now, if it is in the log. */
  #number(entries: readonly LogEntry[], input: Input): void {
    if (input.kind !== 'propose') return
    const waiting = this.#waiting
    this.#waiting = []
    const proposed = entries.filter(({ kind }) => kind === 'data')
    for (const [place, proposal] of waiting.entries()) {
      const entry = proposed[place]
      if (entry) this.#proposed.set(entry.index, proposal)
      else proposal.reject(new OperationalError('This member does not lead.'))
    }
  }

  #refuseLate(): void {
    const { term, role } = this.#state.raft
    const late = this.#waiting.filter((one) => one.term !== term || role !== 'leader')
    this.#waiting = this.#waiting.filter((one) => !late.includes(one))
    for (const { reject } of late) reject(new OperationalError('This member leads no more.'))
  }

  #refuse(which: (proposal: Proposal) => boolean, why: string): void {
    for (const [index, proposal] of this.#proposed) {
      if (!which(proposal)) continue
      this.#proposed.delete(index)
      proposal.reject(new OperationalError(`${why} What becomes of what was proposed is not known here.`))
    }
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(new OperationalError(why))
  }

  /** Writes entries, and says so when they are on the disk. What the disk does not take is written again, with what came since. */
  #write(entries: readonly LogEntry[]): void {
    const last = entries.at(-1)
    if (!last) return
    this.#options.store.append(entries).then(
      () => this.give({ kind: 'durable', last: { term: last.term, index: last.index } }),
      () => {
        this.#again ??= setTimeout(() => {
          this.#again = undefined
          const { durable } = this.#state
          this.#write(entriesOf(this.#state, durable + 1, lastOf(this.#state).index))
        }, AFTER_TROUBLE_MS).unref()
      },
    )
  }

  /** A leader's snapshot takes the place of all there is. */
  #install(snapshot: LogSnapshot): void {
    const { machine, log } = this.#options
    const { pieces = [], last, time } = snapshot
    machine.restore(pieces)
    log.info(`Has caught up with a snapshot of ${last.index} entries`)
    this.#applied = last
    this.#appliedTime = time
    this.#sinceSnapshot = 0
    this.#snapshotSize = sizeOf(pieces)
    this.#installed(snapshot, pieces)
  }

  /** Has a snapshot on the disk. What the disk does not take is written again, as it is by then: nothing else counts before. */
  #installed(snapshot: LogSnapshot, pieces: Iterable<string>): void {
    this.#options.store.install(snapshot, pieces).then(
      () => this.give({ kind: 'durable', last: snapshot.last }),
      () => {
        setTimeout(() => {
          const now = this.takeSnapshot()
          this.#installed(now.snapshot, now.pieces)
        }, AFTER_TROUBLE_MS).unref()
      },
    )
  }

  /** Applies what is committed, some of it at a time. */
  async #apply(): Promise<void> {
    if (this.#isApplying) return
    this.#isApplying = true
    try {
      while (this.#applied.index < this.#state.commit) {
        const { index } = this.#applied
        const through = Math.min(this.#state.commit, index + APPLIED_AT_ONCE)
        for (const entry of entriesOf(this.#state, index + 1, through)) this.#applyOne(entry)
        this.#readsDone()
        if (this.#applied.index < this.#state.commit) await turn()
      }
    } finally {
      this.#isApplying = false
    }
    // Who waits for what is applied looks again.
    this.give({ kind: 'time' })
    this.#snapshotIfDue()
  }

  #applyOne(entry: LogEntry): void {
    if (entry.kind === 'data') this.#options.machine.apply(entry)
    this.#applied = { term: entry.term, index: entry.index }
    this.#appliedTime = entry.time
    this.#sinceSnapshot += entry.data.length + ENTRY_SIZE
    const proposal = this.#proposed.get(entry.index)
    if (!proposal) return
    this.#proposed.delete(entry.index)
    if (proposal.term === entry.term) proposal.resolve()
    else proposal.reject(new OperationalError('Another leader has put something else in its place.'))
  }

  #mayRead(id: number, index: number): void {
    const read = this.#reads.get(id)
    if (read) read.index = index
    this.#readsDone()
  }

  #readsDone(): void {
    for (const { index, resolve } of this.#reads.values())
      if (index !== undefined && index <= this.#applied.index) resolve()
  }

  #snapshotIfDue(): void {
    if (this.#isSnapshotting || this.#sinceSnapshot < Math.max(SNAPSHOT_SIZE, this.#snapshotSize)) return
    this.#isSnapshotting = true
    void this.#snapshot().finally(() => {
      this.#isSnapshotting = false
    })
  }

  async #snapshot(): Promise<void> {
    const { store, log } = this.#options
    this.#sinceSnapshot = 0
    const { snapshot, pieces } = this.takeSnapshot()
    try {
      let size = 0
      const counted = function* () {
        for (const piece of pieces) {
          size += piece.length
          yield piece
        }
      }
      await store.snapshot(snapshot, counted())
      this.#snapshotSize = size
      this.give({ kind: 'snapshotted', last: snapshot.last })
    } catch (error) {
      log.warn(`Cannot write a snapshot (${(error as Error).message}): the log goes on growing`)
    }
  }

  /** The state machine as it is now. */
  takeSnapshot(): { snapshot: LogSnapshot; pieces: Iterable<string> } {
    const { members } = this.#state
    const then = members.findLast(({ index }) => index <= this.#applied.index)
    const snapshot = {
      last: this.#applied,
      time: this.#appliedTime,
      members: then?.members ?? membersOf(this.#state),
    }
    return { snapshot, pieces: this.#options.machine.snapshot() }
  }
}

function sizeOf(pieces: readonly string[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

/** An input, as the pure machine knows it: of connections it knows nothing. */
function withoutVia(input: Input) {
  if (input.kind !== 'message') return input
  const { kind, message } = input
  return { kind, message }
}

/** The state of an election, as it is told: members by their names. */
function namedRaft(raft: RaftState): RaftState {
  const named = (id: string | null) => (id === null ? null : nameOfMember(id))
  return {
    ...raft,
    leader: named(raft.leader),
    votedFor: named(raft.votedFor),
    answers: Object.fromEntries(
      Object.entries(raft.answers).map(([id, answer]) => [nameOfMember(id), answer]),
    ),
    handOver: raft.handOver && { ...raft.handOver, to: nameOfMember(raft.handOver.to) },
  }
}
