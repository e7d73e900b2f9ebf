/**
 * Raft's election: how members of a cluster agree on one of them who leads, while any of them may stand still or be cut off.
 * What is here is pure: a state and what happens go in, a state and what to say come out. It has no clock, no disk, no network
 * and no dice, so a test has all of them in its hand. `election` gives it those of a machine.
 *
 * It is the algorithm of Diego Ongaro and John Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended
 * Version)", 2014. A § is a section of that, and, where it says thesis, of Ongaro's "Consensus: Bridging Theory and Practice",
 * 2014. Both are at https://raft.github.io.
 *
 * | Rule | Place | Where |
 * | --- | --- | --- |
 * | time is cut into terms, and each has one leader or none | §5.1, §5.2 | `stand` |
 * | of two terms the higher one counts | §5.1 | `hear` |
 * | term and vote are on the disk before anybody hears of them | Figure 2 | `save` of a {@link RaftStep} |
 * | who hears no leader stands for election, after a time of its own | §5.2, §9.3 | `timeOut` |
 * | one vote in a term, to who asks first | §5.2 | `answerVote` |
 * | no vote for one whose log lacks something | §5.4.1 | `isUpToDate` |
 * | the votes of a majority make a leader | §5.2 | `count` |
 * | its heartbeats keep the others from standing | §5.2 | `follow` |
 * | who wants to stand asks first whether it would be elected | thesis, §9.6 | `askAround` |
 * | who hears a leader elects no other | §6; thesis, §4.2.3 | `hearsALeader` |
 * | who starts gives no vote for a while: it may have promised that | this module's own | {@link startRaft} |
 * | a leader that a majority does not hear stops | thesis, §6.2 | `goOnLeading` |
 * | for how long it can be sure that it is the only one | thesis, §6.4.1 | {@link holdsLead} |
 * | a leader that goes hands over | thesis, §3.10 | `beginHandOver` |
 *
 * @since 0.26.0
 */
export { holdsLead } from './raft-leader.ts'
export { type RaftMessage, type RaftWords, raftMessage } from './raft-messages.ts'
export {
  type Contact,
  type Durable,
  type LogPosition,
  type RaftRole,
  type RaftSettings,
  type RaftState,
  startRaft,
} from './raft-state.ts'
export { type RaftInput, type RaftStep, stepRaft, wakeAt } from './raft-step.ts'
