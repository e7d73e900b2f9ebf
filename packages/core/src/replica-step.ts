/**
 * A step: what a member that keeps a log makes of what happens. First the election has its step, then the log.
 *
 * @since 0.27.0
 */
import type { LogEntry } from './entry-log.ts'
import { holdsLead, stopLeading } from './raft-leader.ts'
import type { RaftMessage } from './raft-messages.ts'
import type { LogPosition, RaftSettings } from './raft-state.ts'
import { type RaftInput, stepRaft, wakeAt } from './raft-step.ts'
import type { Moment } from './raft-turn.ts'
import { Draft } from './replica-draft.ts'
import { sayMatch, takeAppend, takeSnapshot, takeSnapshotted, tellDurable } from './replica-follower.ts'
import { add, beat, begin, changeMembers, commit, meet, takeMatch, takeMismatch } from './replica-leader.ts'
import type { ReplicaMessage } from './replica-messages.ts'
import {
  askOfStart,
  askStranger,
  isCleared,
  takeStart,
  takeStartAnswer,
  wakeForStart,
} from './replica-starts.ts'
import {
  type LogMember,
  type LogSnapshot,
  positionOf,
  type ReplicaDurable,
  type ReplicaSettings,
  type ReplicaState,
  raftSettings,
  votersOf,
} from './replica-state.ts'

/** What happens to a member, and when. */
export type ReplicaInput = Moment &
  (
    | { readonly kind: 'time' }
    | { readonly kind: 'message'; readonly message: ReplicaMessage }
    /** It is to hand its lead over: to a member, or to the one that has most of the log. */
    | { readonly kind: 'hand_over'; readonly to?: string | undefined }
    /** Data for the state machine, an entry each. Who does not lead does nothing with it. */
    | { readonly kind: 'propose'; readonly data: readonly string[] }
    /** All of the log up to this entry is on its disk. */
    | { readonly kind: 'durable'; readonly last: LogPosition }
    /** These are to be the members. Where that cannot be now, nothing comes of it: `whyNoChange` says why. */
    | { readonly kind: 'members'; readonly members: readonly LogMember[] }
    /** The state machine, as it was with all up to this entry applied, is on its disk. */
    | { readonly kind: 'snapshotted'; readonly last: LogPosition }
    /** Somebody wants to read here what is not stale. */
    | { readonly kind: 'read'; readonly read: number }
    /** A connection to a member is a new one: what was on its way may be lost. */
    | { readonly kind: 'met'; readonly member: string }
  )

/** What comes of it. */
export interface ReplicaStep {
  readonly state: ReplicaState
  /** What must be on the disk before the messages go, and before the next input. */
  readonly save?: ReplicaDurable
  /** A snapshot that takes the place of all there is, to be written to the disk: then `durable` is to be said of its last entry. */
  readonly install?: LogSnapshot
  /**
   * Entries to be written to the disk, in order; nobody waits for it. One takes the place of all that stands from its number on.
   * `durable` is to be said of them when they are.
   */
  readonly append: readonly LogEntry[]
  readonly messages: readonly ReplicaMessage[]
  /** What may be read, as soon as all up to `index` is applied. */
  readonly reads: readonly { readonly id: number; readonly index: number }[]
}

/**
 * What a member knows after something has happened, and what it says. Nothing else goes in, and nothing else comes out.
 *
 * @throws Error when the log of a member was lost or changed in a way that it cannot go on with
 */
export function stepReplica(
  settings: ReplicaSettings,
  before: ReplicaState,
  input: ReplicaInput,
): ReplicaStep {
  const draft = new Draft(settings, before, input.now)
  if (before.older === null) {
    elect(draft, electionInput(draft, input), input)
    if (before.raft.role === 'leader' && draft.state.raft.role === 'leader') beatIfDue(draft, before)
    take(draft, input)
    askOfStart(draft)
  }
  const { raft, seen, start } = draft.state
  const isSaved =
    raft.term === before.raft.term && raft.votedFor === before.raft.votedFor && seen === before.seen
  return {
    state: draft.state,
    ...(!isSaved && { save: { term: raft.term, votedFor: raft.votedFor, start, seen } }),
    ...(draft.installed && { install: draft.installed }),
    append: draft.appended,
    messages: draft.messages,
    reads: draft.reads,
  }
}

/** When a member wants to hear of the time, in ms of its clock, if nothing comes before. */
export function wakeReplicaAt(settings: ReplicaSettings, state: ReplicaState): number {
  if (state.older !== null) return Number.POSITIVE_INFINITY
  const election = wakeAt(electionOf(settings, state, Number.POSITIVE_INFINITY), state.raft)
  return Math.min(election, wakeForStart(settings, state) ?? Number.POSITIVE_INFINITY)
}

/**
 * Whether what is read here is not stale: nobody else can lead at this moment, and what was committed in earlier terms is known,
 * since something of this term is (thesis, §6.4). That is a lease: it takes for granted that no clock goes slower than another
 * by more than a tenth.
 */
export function isSure(settings: ReplicaSettings, state: ReplicaState, now: number): boolean {
  const { began, commit: through, raft } = state
  return began > 0 && through >= began && holdsLead(electionOf(settings, state, now), raft, now)
}

/** Between whom is elected, as far as this member knows. Itself not among them, where it must not stand. */
function electionOf(settings: ReplicaSettings, state: ReplicaState, now: number): RaftSettings {
  const voters = votersOf(state)
  const mayStand = state.raft.role === 'leader' || isCleared(settings, state, now)
  return raftSettings(settings, mayStand ? voters : voters.filter((id) => id !== settings.id))
}

/** What an input is to the election. What it does not know is to it that time has passed. */
function electionInput(draft: Draft, input: ReplicaInput): RaftInput {
  const { now, random } = input
  if (input.kind === 'message') {
    const message = electionMessage(draft, input.message)
    if (message) return { kind: 'message', message, now, random }
  }
  if (input.kind === 'hand_over')
    return { kind: 'hand_over', to: input.to ?? mostComplete(draft), now, random }
  return { kind: 'time', now, random }
}

function electionMessage(draft: Draft, message: ReplicaMessage): RaftMessage | undefined {
  const { settings, state, now } = draft
  const { raft } = state
  const { from, to, term } = message
  switch (message.type) {
    case 'append':
    case 'snapshot':
      // Who sends that leads in its term: for an election that is its heartbeat.
      if (term === raft.term && raft.leader === from) return undefined
      return { type: 'heartbeat', from, to, term, at: 0 }
    case 'append_answer':
    case 'mismatch':
    case 'read':
    case 'read_answer':
      return term > raft.term ? { type: 'heartbeat_answer', from, to, term, at: 0 } : undefined
    case 'start':
    case 'start_answer':
      return undefined
    case 'pre_vote':
    case 'vote':
    case 'time_out_now':
      return isCleared(settings, state, now) ? message : undefined
    default:
      return message
  }
}

/** Lets the election have its step. */
function elect(draft: Draft, input: RaftInput, { now, random }: Moment): void {
  const { state, settings } = draft
  const election = electionOf(settings, state, now)
  const step = stepRaft({ ...election, hears: heardIn(election, input) }, state.raft, input)
  const { raft: before } = state
  const raft = step.state
  const isNewTerm = raft.term !== before.term
  draft.know({ raft, ...(isNewTerm && { matched: 0 }) })
  draft.messages.push(...step.messages.filter((message) => mayBeSaid(draft, message)))
  const leads = raft.role === 'leader'
  if (leads && (before.role !== 'leader' || isNewTerm)) begin(draft)
  else if (!leads && before.role === 'leader') draft.know({ followers: {}, began: 0 })
  // No leader takes its own vote away. Should the log say so, it does not lead.
  else if (leads && !votersOf(draft.state).includes(settings.id))
    draft.know({ raft: stopLeading(election, raft, { now, random }), followers: {}, began: 0 })
}

/** Who may ask without being a voter, as far as this one knows: its log may be behind, or that of who asks (thesis, §4.2). */
function heardIn({ members }: RaftSettings, input: RaftInput): readonly string[] {
  if (input.kind !== 'message') return members
  const { type, from } = input.message
  return type.endsWith('vote_answer') ? members : [...members, from]
}

/** Who takes the lead over must have all of the log first (thesis, §3.10). */
function mayBeSaid({ state }: Draft, { type, to }: RaftMessage): boolean {
  return type !== 'time_out_now' || state.followers[to]?.match === state.log.last.index
}

function mostComplete({ settings, state, now }: Draft): string | undefined {
  const { raft, followers } = state
  const here = votersOf(state).filter(
    (id) => now - (raft.contacts[id]?.answeredAt ?? Number.NEGATIVE_INFINITY) < settings.electionMs,
  )
  const match = (id: string) => followers[id]?.match ?? 0
  return here.filter((id) => id !== settings.id).sort((one, other) => match(other) - match(one))[0]
}

/** The election has just said its heartbeats: the log's are said with them. */
function beatIfDue(draft: Draft, before: ReplicaState): void {
  if (draft.state.raft.sendAt !== before.raft.sendAt) beat(draft)
}

function take(draft: Draft, input: ReplicaInput): void {
  const { state, now } = draft
  const leads = state.raft.role === 'leader'
  switch (input.kind) {
    case 'message':
      hear(draft, input.message)
      break
    case 'propose':
      if (leads && !state.raft.handOver)
        add(
          draft,
          input.data.map((data) => ({ kind: 'data', data })),
        )
      break
    case 'durable':
      takeDurable(draft, input.last)
      break
    case 'members':
      changeMembers(draft, input.members)
      break
    case 'snapshotted':
      takeSnapshotted(draft, input.last.index)
      break
    case 'read':
      read(draft, input.read)
      break
    case 'met':
      if (leads) meet(draft, input.member)
      draft.know({ askStartAt: Math.min(draft.state.askStartAt, now) })
  }
}

/** Whoever leads says up to where must be applied. If that is not sure, nothing is said: it is to be asked again. */
function read(draft: Draft, id: number): void {
  const { state, now, settings } = draft
  const { role, leader } = state.raft
  if (isSure(settings, state, now)) draft.reads.push({ id, index: state.commit })
  else if (role === 'follower' && leader !== null) draft.say(leader, { type: 'read', read: id })
}

/** The disk has the log up to an entry, if that is still the one that stands there. */
function takeDurable(draft: Draft, { index, term }: LogPosition): void {
  const { log, durable } = draft.state
  if (index <= durable || log.termAt(index) !== term) return
  draft.know({ durable: index })
  if (draft.state.raft.role === 'leader') commit(draft)
  else tellDurable(draft, durable)
}

function hear(draft: Draft, message: ReplicaMessage): void {
  const { state, settings } = draft
  if (message.to !== settings.id || message.from === settings.id) return
  if (message.type === 'start') {
    takeStart(draft, message)
    askStranger(draft, message)
  } else if (message.type === 'start_answer') {
    takeStartAnswer(draft, message)
    const { role, leader } = draft.state.raft
    if (role === 'follower' && leader === message.from) sayMatch(draft, leader)
  } else {
    askStranger(draft, message)
    // One of an older term says nothing any more. To a newer one the election has brought this member.
    if (message.term === state.raft.term) hearInTerm(draft, message)
  }
}

function hearInTerm(draft: Draft, message: ReplicaMessage): void {
  const { state, now, settings } = draft
  const { role, leader } = state.raft
  const leads = role === 'leader'
  const isLeaders = role === 'follower' && leader === message.from
  if (message.type === 'append' && isLeaders) takeAppend(draft, message)
  else if (message.type === 'snapshot' && isLeaders) takeSnapshot(draft, message)
  else if (message.type === 'append_answer' && leads) takeMatch(draft, message)
  else if (message.type === 'mismatch' && leads) takeMismatch(draft, message)
  else if (message.type === 'read' && isSure(settings, state, now))
    draft.say(message.from, { type: 'read_answer', read: message.read, index: state.commit })
  else if (message.type === 'read_answer' && isLeaders)
    draft.reads.push({ id: message.read, index: message.index })
}

/** Where a log ends. */
export function lastOf({ log }: ReplicaState): LogPosition {
  return positionOf(log.last)
}
