/**
 * A log that all members of a cluster have alike, entry by entry, and that no single one of them can lose: Raft's log
 * replication, on top of the election of `raft`. What is here is pure, as that is: a state and what happens go in, a state and
 * what to say and to write come out.
 *
 * A § is a section of "In Search of an Understandable Consensus Algorithm (Extended Version)", 2014, and, where it says thesis, of
 * "Consensus: Bridging Theory and Practice", 2014, both at https://raft.github.io.
 *
 * | Rule | Place | Where |
 * | --- | --- | --- |
 * | only a leader adds entries, at the end of its log | §5.3 | `add` |
 * | an entry is taken where the one before it is the same | §5.3 | `takeAppend` |
 * | what a follower has instead goes, and was never committed | §5.3 | `firstNew` |
 * | where two logs agree is found by terms | §5.3; thesis, §4.2.1 | `takeMismatch`, `lastUpTo` |
 * | what is on the disks of a majority is committed | §5.3 | {@link commit} |
 * | and only if it is of the leader's own term, or stands before that | §5.4.2, figure 8 | {@link commit} |
 * | so a leader begins with an entry that says nothing | §8 | `begin` |
 * | an answer tells what is on the disk, and not what is in memory | Figure 2 | `sayMatch` |
 * | who lacks what is pruned gets a snapshot | §7 | `sendTo`, `takeSnapshot` |
 * | members change by an entry, and one voter at a time | §6; thesis, §4.1 | `changeMembers` |
 * | and not before an entry of the leader's own term is committed | raft-dev, 10 July 2015 | {@link whyNoChange} |
 * | who is new learns first | thesis, §4.2.1 | `promote` |
 * | what is read is not stale | thesis, §6.4 | {@link isSure} |
 * | who takes over has all of the log | thesis, §3.10 | `mayBeSaid` |
 * | who has an older store does not vote | this module's own | `isCleared` |
 *
 * @since 0.27.0
 */
export { EntryLog, type LogEntry } from './entry-log.ts'
export type { LogPosition } from './raft-state.ts'
export { commit, timeAt, whyNoChange } from './replica-leader.ts'
export {
  type LogMessage,
  type LogWords,
  logMembers,
  type ReplicaMessage,
  replicaMessage,
} from './replica-messages.ts'
export { startAfter, waitsFor } from './replica-starts.ts'
export {
  entriesOf,
  type Follower,
  type LogMember,
  type LogMembers,
  type LogSnapshot,
  lastTimeOf,
  type MemberStart,
  membersOf,
  type ReplicaDurable,
  type ReplicaSettings,
  type ReplicaState,
  startReplica,
  votersOf,
} from './replica-state.ts'
export {
  isSure,
  lastOf,
  type ReplicaInput,
  type ReplicaStep,
  stepReplica,
  wakeReplicaAt,
} from './replica-step.ts'
