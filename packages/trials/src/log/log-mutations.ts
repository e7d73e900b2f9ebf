/** Rules of a replicated log, each broken in one place of the core's source text. */
import { type Mutation, mutated } from '../simulated/mutated.ts'
import type { Replica } from './log-world.ts'

export const LOG_MUTATIONS: Readonly<Record<string, Mutation>> = {
  'older-term-commits': {
    rule: 'a leader commits what is of its own term (§5.4.2, figure 8)',
    file: 'replica-leader.ts',
    from: 'through <= state.commit || state.log.termAt(through) !== state.raft.term',
    to: 'through <= state.commit',
  },
  'half-commits': {
    rule: 'what is on the disks of more than half is committed (§5.3)',
    file: 'replica-leader.ts',
    from: 'majorityOf(raftSettings(settings, voters)) - 1',
    to: 'Math.ceil(voters.length / 2) - 1',
  },
  'learner-counts': {
    rule: 'a learner counts in no majority (thesis, §4.2.1)',
    file: 'replica-leader.ts',
    from: 'const matches = voters\n',
    to: 'const matches = membersOf(state).map(({ id }) => id)\n',
  },
  'leader-unwritten': {
    rule: "a leader's own entry counts when it is on its disk (thesis, §10.2.1)",
    file: 'replica-leader.ts',
    from: 'id === settings.id ? state.durable :',
    to: 'id === settings.id ? state.log.last.index :',
  },
  'answer-unwritten': {
    rule: 'a follower says what is on its disk (Figure 2)',
    file: 'replica-follower.ts',
    from: 'match: Math.min(durable, matched)',
    to: 'match: Math.max(durable, matched)',
  },
  'unmatched-answer': {
    rule: "what a follower has beyond what it has compared is not yet the leader's (§5.3)",
    file: 'replica-follower.ts',
    from: 'match: Math.min(durable, matched)',
    to: 'match: durable',
  },
  'log-unmatched': {
    rule: 'an entry is taken where the one before it is the same (§5.3)',
    file: 'replica-follower.ts',
    from: 'own !== before.term',
    to: 'own === undefined',
  },
  'conflict-kept': {
    rule: 'an entry that is another one than the leader has goes (§5.3)',
    file: 'replica-follower.ts',
    from: 'log.termAt(index) !== term)',
    to: 'log.at(index) === undefined)',
  },
  'commit-beyond-match': {
    rule: "of what is committed a follower knows as far as its log is the leader's (Figure 2)",
    file: 'replica-follower.ts',
    from: 'Math.min(commit, matched)',
    to: 'Math.min(commit, draft.state.log.last.index)',
  },
  'match-of-older-term': {
    rule: 'what was compared with one leader says nothing of the next (§5.3)',
    file: 'replica-step.ts',
    from: '...(isNewTerm && { matched: 0 })',
    to: '...(isNewTerm && {})',
  },
  'no-first-entry': {
    rule: 'a leader begins with an entry of its own (§8)',
    file: 'replica-leader.ts',
    from: "add(draft, [{ kind: 'begin', data: '' }])",
    to: '',
  },
  'members-too-soon': {
    rule: "no change of members before an entry of the leader's own term is committed (raft-dev, 2015)",
    file: 'replica-leader.ts',
    from: 'if (state.commit < state.began)',
    to: 'if (false)',
  },
  'members-overlap': {
    rule: 'no change of members before the one before is committed (thesis, §4.1)',
    file: 'replica-leader.ts',
    from: 'if ((state.members.at(-1)?.index ?? 0) > state.commit)',
    to: 'if (false)',
  },
  'two-voters': {
    rule: 'one voter comes or goes at a time (thesis, §4.1)',
    file: 'replica-leader.ts',
    from: 'return changed > 1 ?',
    to: 'return changed > 2 ?',
  },
  'members-stay': {
    rule: 'who the members are goes back with the entry that has said so (§6)',
    file: 'replica-draft.ts',
    from: '...members.filter(({ index }) => index <= kept)',
    to: '...members',
  },
  'members-when-committed': {
    rule: 'members count from when the entry is in the log, not from when it is committed (§6)',
    file: 'replica-state.ts',
    from: 'return members.at(-1)?.members ?? []',
    to: 'return (members.at(-2) ?? members.at(-1))?.members ?? []',
  },
  'voteless-stands': {
    rule: 'who has no vote does not stand, and not with a vote of its own',
    file: 'raft-step.ts',
    from: 'return settings.members.includes(settings.id)\n      ? askAround',
    to: 'return true\n      ? askAround',
  },
  'read-without-lease': {
    rule: 'a leader lets read while nobody else can lead (thesis, §6.4)',
    file: 'replica-step.ts',
    from: '&& holdsLead(electionOf(settings, state, now), raft, now)',
    to: "&& raft.role === 'leader'",
  },
  'read-too-soon': {
    rule: 'and when it knows what earlier leaders have committed (thesis, §6.4)',
    file: 'replica-step.ts',
    from: 'began > 0 && through >= began &&',
    to: 'began > 0 &&',
  },
  'pruned-unsent': {
    rule: 'who lacks what is pruned gets a snapshot (§7)',
    file: 'replica-leader.ts',
    from: "draft.say(id, { type: 'snapshot', snapshot })",
    to: '',
  },
  'snapshot-over-newer': {
    rule: 'a snapshot takes the place of nothing that is newer (§7)',
    file: 'replica-follower.ts',
    from: 'last.index > commit && log.termAt(last.index) !== last.term',
    to: 'true',
  },
  'vote-unsaved': {
    rule: 'a vote is saved before it is told (Figure 2)',
    file: 'replica-step.ts',
    from: 'votedFor: raft.votedFor, start, seen',
    to: 'votedFor: null, start, seen',
  },
  'log-ignored': {
    rule: 'no vote for a log that lacks something (§5.4.1)',
    file: 'raft-votes.ts',
    from: '(theirs.term === own.term && theirs.index >= own.index)',
    to: 'theirs.term === own.term',
  },
  'older-store-votes': {
    rule: 'who has an older store does not vote: it asks the others first',
    file: 'replica-starts.ts',
    from: 'return isFirst || isKnown ||',
    to: 'return true || isFirst || isKnown ||',
  },
  'older-store-unknown': {
    rule: 'and they know: two starts with the same number are told apart by their words',
    file: 'replica-starts.ts',
    from: 'if (ago === 0) return start.token === known.token',
    to: 'if (ago === 0) return true',
  },
  'strangers-without-end': {
    rule: 'a question is no answer to an answer: two that do not know each other ask once each',
    file: 'replica-starts.ts',
    from: 'if (isStart && message.isReply) return',
    to: '',
  },
  'start-unsaved': {
    rule: 'a start that was heard of is not forgotten',
    file: 'replica-step.ts',
    from: ' && seen === before.seen',
    to: '',
  },
  'time-jumps': {
    rule: 'the time goes on where the last leader has left it',
    file: 'replica-leader.ts',
    from: 'clock: { time: lastTimeOf(state), at: now }',
    to: 'clock: { time: now, at: now }',
  },
  'own-clock': {
    rule: "and is no member's own",
    file: 'replica-leader.ts',
    from: 'Math.max(lastTimeOf(state), timeAt(state, now))',
    to: 'Math.floor(now)',
  },
  'commit-told-once': {
    rule: 'that something is committed is told until it is known',
    file: 'replica-leader.ts',
    from: 'commit: Math.max(followerOf(draft, from).commit, through),',
    to: 'commit: log.last.index,',
  },
}

/**
 * The core's `replica` with a rule broken.
 *
 * @throws Error when the place to change is not there, or twice
 */
export function mutatedReplica(mutation: Mutation): Promise<Replica> {
  return mutated<Replica>(mutation, 'replica.ts', /^(raft|replica|entry-log)(-.*)?\.ts$/)
}
