/**
 * What a member of a cluster knows that keeps a log together with others: values of plain data, and how they are after a start.
 *
 * @since 0.27.0
 */
import { EntryLog, type LogEntry } from './entry-log.ts'
import { type Durable, type LogPosition, type RaftSettings, type RaftState, startRaft } from './raft-state.ts'

/** What a member is told. Who the others are stands in the log. */
export interface ReplicaSettings extends Pick<RaftSettings, 'electionMs' | 'heartbeatMs'> {
  /** The id of this member: of its store, and not of its machine. A store that was lost is never in the cluster again. */
  readonly id: string
  /** How many entries are kept that a snapshot has as well, for those who are not far behind. Default: 10,000. */
  readonly kept?: number
  /** How many characters of data go into one message, unless one entry has more. Default: 131,072. */
  readonly batch?: number
}

/** A member of the cluster. */
export interface LogMember {
  readonly id: string
  /** A learner gets the log, has no vote, and counts in no majority, until it has caught up. Then it becomes a voter. */
  readonly isVoter: boolean
  /** What else there is to know about it: where it is reached. */
  readonly about?: unknown
}

/** What stands for the beginning of a log. */
export interface LogSnapshot {
  /** The last entry that is in it. */
  readonly last: LogPosition
  /** The time of that. */
  readonly time: number
  /** Who the members are there. */
  readonly members: readonly LogMember[]
  /** The state machine, in pieces. The pure machine has none of it: who sends a snapshot puts them in. */
  readonly pieces?: readonly string[]
}

/** A start of a member's program: the how many-th it is, and a word for it that nobody can guess. */
export interface MemberStart {
  readonly number: number
  readonly token: string
  /** The words of the starts before it, the last one first, with a blank between them. */
  readonly before: string
}

/** What a member must not forget, beside its log. */
export interface ReplicaDurable extends Durable {
  readonly start: MemberStart
  /** The newest start that it has heard of, of each other member. */
  readonly seen: Readonly<Record<string, Pick<MemberStart, 'number' | 'token'>>>
}

/** How far another member is, as a leader knows it. */
export interface Follower {
  /** Up to which entry it is known to have the leader's log on its disk. */
  readonly match: number
  /** Which entry it is sent next. */
  readonly next: number
  /**
   * `probe`: it is found out where its log agrees with this one, a message at a time. `stream`: it gets what there is as it
   * comes, with several messages under way. `snapshot`: one is on its way.
   */
  readonly mode: 'probe' | 'stream' | 'snapshot'
  /** The messages under way: the last entry of each, and how many characters it has. */
  readonly underWay: readonly { readonly through: number; readonly size: number }[]
  /** When it was sent something, or has answered, last. */
  readonly at: number
  /** Up to which entry it has said to know that all is committed. */
  readonly commit: number
}

/** Who the members are, from an entry on. */
export interface LogMembers {
  readonly index: number
  readonly members: readonly LogMember[]
}

/** All that a member knows. Never changed: a step makes a new one. */
export interface ReplicaState extends Pick<ReplicaDurable, 'start' | 'seen'> {
  /** Who leads, in which term. */
  readonly raft: RaftState
  readonly log: EntryLog
  /** The newest snapshot of this member. It has all that is not in the log. */
  readonly snapshot: LogSnapshot
  /** Who the members are: as the snapshot has them, and as each entry since then has changed that. The last one counts. */
  readonly members: readonly LogMembers[]
  /** Up to which entry all is known to be committed: a majority has it on its disks. */
  readonly commit: number
  /** Up to which entry the log is on the disk of this member. */
  readonly durable: number
  /** Up to which entry its log is that of the leader of this term. */
  readonly matched: number
  /** How far the others are, where this one leads. */
  readonly followers: Readonly<Record<string, Follower>>
  /** The entry with which it began to lead; 0 where it does not. */
  readonly began: number
  /** What the cluster's time is, and when on its own clock, where this one leads. */
  readonly clock: { readonly time: number; readonly at: number }
  /** When this start was, who has said that there is no later one, and when the others are asked again. */
  readonly startedAt: number
  readonly cleared: readonly string[]
  readonly askStartAt: number
  /** Who has said that there was a later one. From then on this member does nothing any more. */
  readonly older: string | null
}

/**
 * How a member begins, also after a crash.
 *
 * @param durable what it had saved, with its new `start`
 * @param found its snapshot, and what it has of the log behind that
 * @throws RangeError when the settings cannot be right
 */
export function startReplica(
  settings: ReplicaSettings,
  durable: ReplicaDurable,
  { snapshot, entries = [] }: { readonly snapshot: LogSnapshot; readonly entries?: readonly LogEntry[] },
  { now, random }: { readonly now: number; readonly random: number },
): ReplicaState {
  const { id, electionMs, heartbeatMs } = settings
  const log = EntryLog.after(snapshot.last, entries)
  const raft = startRaft({ id, electionMs, heartbeatMs, members: [id] }, durable, { now, random })
  return {
    raft: { ...raft, lastEntry: positionOf(log.last) },
    start: durable.start,
    seen: durable.seen,
    log,
    snapshot,
    members: [{ index: snapshot.last.index, members: snapshot.members }, ...membersIn(entries)],
    commit: snapshot.last.index,
    durable: log.last.index,
    matched: 0,
    followers: {},
    began: 0,
    clock: { time: 0, at: now },
    startedAt: now,
    cleared: [],
    askStartAt: now,
    older: null,
  }
}

/** Who the members are now, as far as this one knows: it goes by the last entry about it, committed or not (§6). */
export function membersOf({ members }: Pick<ReplicaState, 'members'>): readonly LogMember[] {
  return members.at(-1)?.members ?? []
}

/** Which of them have a vote. */
export function votersOf(state: Pick<ReplicaState, 'members'>): string[] {
  return membersOf(state).flatMap(({ id, isVoter }) => (isVoter ? [id] : []))
}

/**
 * How the election of 26 sees it: among voters.
 *
 * @internal
 */
export function raftSettings(settings: ReplicaSettings, members: readonly string[]): RaftSettings {
  const { id, electionMs, heartbeatMs } = settings
  return { id, electionMs, heartbeatMs, members }
}

/** @internal */
export function membersIn(entries: readonly LogEntry[]): LogMembers[] {
  return entries.flatMap(({ kind, index, data }) =>
    kind === 'members' ? [{ index, members: JSON.parse(data) as LogMember[] }] : [],
  )
}

/** @internal */
export function positionOf({ term, index }: LogPosition): LogPosition {
  return { term, index }
}

/** The time of the last entry of a log. */
export function lastTimeOf({ log, snapshot }: Pick<ReplicaState, 'log' | 'snapshot'>): number {
  return log.at(log.last.index)?.time ?? snapshot.time
}

/** Entries of a log, from one number to another, both included, as far as they are there. */
export function entriesOf({ log }: Pick<ReplicaState, 'log'>, from: number, through: number): LogEntry[] {
  return log.slice(from, through)
}
