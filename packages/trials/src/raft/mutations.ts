/**
 * Rules of Raft, each broken in one place of the core's source text: a simulation that does not notice is worth nothing. The
 * core itself knows nothing of it.
 */
import { type Mutation, mutated } from '../simulated/mutated.ts'
import type { Raft } from './world.ts'

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'votes-twice': {
    rule: 'one vote in a term (§5.2)',
    file: 'raft-votes.ts',
    from: 'state.votedFor === null || state.votedFor === from',
    to: 'true',
  },
  'vote-unsaved': {
    rule: 'a vote is saved before it is told (Figure 2)',
    file: 'raft-step.ts',
    from: 'save: { term, votedFor }',
    to: 'save: { term, votedFor: null }',
  },
  'half-elects': {
    rule: 'more than half elect (§5.2)',
    file: 'raft-state.ts',
    from: 'Math.floor(members.length / 2) + 1',
    to: 'Math.ceil(members.length / 2)',
  },
  'log-ignored': {
    rule: 'no vote for a log that lacks something (§5.4.1)',
    file: 'raft-votes.ts',
    from: 'isFree && isUpToDate(lastEntry, state.lastEntry)',
    to: 'isFree',
  },
  'same-term': {
    rule: 'who stands makes a new term (§5.2)',
    file: 'raft-votes.ts',
    from: 'term: state.term + 1',
    to: 'term: Math.max(1, state.term)',
  },
  'older-terms-count': {
    rule: 'what an older term says does not count (§5.1)',
    file: 'raft-step.ts',
    from: 'if (term < state.term)',
    to: "if (term < state.term && !message.type.endsWith('answer'))",
  },
  'answers-kept': {
    rule: 'a vote is for one election (§5.2)',
    file: 'raft-votes.ts',
    from: "role: 'candidate',\n    leader: null,\n    electionAt: timeOut(settings, now, random),\n    answers: {},",
    to: "role: 'candidate',\n    leader: null,\n    electionAt: timeOut(settings, now, random),",
  },
  'newer-terms-ignored': {
    rule: 'who hears of a newer term enters it (§5.1)',
    file: 'raft-step.ts',
    from: 'term > state.term ? enterTerm',
    to: "term > state.term && state.role !== 'leader' ? enterTerm",
  },
  'same-patience': {
    rule: 'time-outs are drawn (§5.2, §9.3)',
    file: 'raft-state.ts',
    from: 'electionMs * (1 + random)',
    to: 'electionMs * (1 + 0 * random)',
  },
  'old-leader-untold': {
    rule: 'a leader of an older term is told of the newer one (§5.1)',
    file: 'raft-step.ts',
    from: "if (type === 'heartbeat')",
    to: 'if (type !== type)',
  },
  'no-pre-vote': {
    rule: 'who wants to stand asks first (thesis, §9.6)',
    file: 'raft-step.ts',
    from: '? askAround(settings, state, moment)',
    to: '? stand(settings, state, moment, { isHandedOver: false })',
  },
  'votes-despite-leader': {
    rule: 'who hears a leader elects no other (§6; thesis, §4.2.3)',
    file: 'raft-step.ts',
    from: 'now - heardAt < electionMs',
    to: 'now - heardAt < 0 * electionMs',
  },
  'no-check-quorum': {
    rule: 'a leader that a majority does not hear stops (thesis, §6.2)',
    file: 'raft-leader.ts',
    from: 'heardAt + settings.electionMs',
    to: 'heardAt + 1_000 * settings.electionMs',
  },
  'sure-by-answer': {
    rule: 'a lead is sure from when it was asked for, not answered (thesis, §6.4.1)',
    file: 'raft-leader.ts',
    from: 'Math.min(at, now)',
    to: 'Math.max(at, now)',
  },
  'sure-for-too-long': {
    rule: 'and less long than others wait, for their clocks (thesis, §6.4.1)',
    file: 'raft-leader.ts',
    from: 'SURE_PART = 0.9',
    to: 'SURE_PART = 1.1',
  },
  'start-forgets': {
    rule: 'who starts may have promised a leader something before it crashed',
    file: 'raft-state.ts',
    from: 'heardAt: now,',
    to: 'heardAt: now - settings.electionMs,',
  },
  'sure-after-hand-over': {
    rule: 'who hands over is not sure any more (thesis, §3.10)',
    file: 'raft-leader.ts',
    from: '|| state.handOver) return false',
    to: ') return false',
  },
  'hand-over-for-ever': {
    rule: 'who hands over and is not followed stops (thesis, §3.10)',
    file: 'raft-leader.ts',
    from: 'handOver?.until ?? Number.POSITIVE_INFINITY',
    to: 'Number.POSITIVE_INFINITY',
  },
}

/**
 * The core's `raft` with a rule broken.
 *
 * @throws Error when the place to change is not there, or twice
 */
export function mutatedRaft(mutation: Mutation): Promise<Raft> {
  return mutated<Raft>(mutation, 'raft.ts', /^raft(-.*)?\.ts$/)
}
