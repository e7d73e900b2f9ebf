/**
 * Who leads the cluster: its members elect one of them, and another one as soon as that is gone, cut off, or stands still. The
 * election is that of `raft`; here it gets the time of a machine, a disk that remembers votes, and connections between members
 * that have proven who they are.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.26.0
 */

// A member of the election.
export { type Election, type ElectionOptions, openElection, type Reign } from './election-member.ts'
// Who they are, in a configuration.
export { type ClusterMember, members } from './election-members.ts'
// How members see it.
export type { ElectionMember, ElectionView, Leader, MemberView } from './election-view.ts'
// A program that is no member, and follows who leads.
export { ElectionWatch, type ElectionWatchOptions, type SeenLeader } from './election-watch.ts'
