/**
 * A log that no single node can lose: all members have the same entries in the same order, and apply them to the same state. It
 * is Raft's log replication, which `replica` has as a pure machine; here that gets the time and the disk of a machine, and
 * connections between members that have proven who they are.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.27.0
 */

// What an entry is.
export type { LogEntry } from './entry-log.ts'
// Who its members are, and how that changes.
export { changeMembers, type MembersChange } from './log-changes.ts'
// A member of it.
export {
  type LogDetails,
  type LogReign,
  openReplicatedLog,
  type ReplicatedLog,
  type ReplicatedLogOptions,
} from './replicated-log-member.ts'
// What it is for.
export type { StateMachine } from './state-machine.ts'
