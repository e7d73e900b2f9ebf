/**
 * Elections, from both sides: who stands, and who votes for whom.
 *
 * @since 0.26.0
 */
import { beginToLead } from './raft-leader.ts'
import { type RaftMessage, say } from './raft-messages.ts'
import {
  type LogPosition,
  majorityOf,
  othersOf,
  type RaftSettings,
  type RaftState,
  timeOut,
} from './raft-state.ts'
import type { Moment, Turn } from './raft-turn.ts'

/**
 * No leader is heard of. Before a member makes a new term it asks whether it would be elected: who was cut off does not
 * disturb the others when it is back, because they hear a leader, and its term is still theirs (thesis, §9.6).
 *
 * @internal
 */
export function askAround(settings: RaftSettings, state: RaftState, { now, random }: Moment): Turn {
  const asking: RaftState = {
    ...state,
    role: 'pre-candidate',
    leader: null,
    electionAt: timeOut(settings, now, random),
    answers: {},
    isHandedOver: false,
  }
  return count(settings, asking, { now, random }) ?? askForVotes(settings, asking, now)
}

/**
 * To stand for election: a new term, and the first vote in it is its own (§5.2).
 *
 * @internal
 */
export function stand(
  settings: RaftSettings,
  state: RaftState,
  { now, random }: Moment,
  { isHandedOver }: { isHandedOver: boolean },
): Turn {
  const standing: RaftState = {
    ...state,
    term: state.term + 1,
    votedFor: settings.id,
    role: 'candidate',
    leader: null,
    electionAt: timeOut(settings, now, random),
    answers: {},
    isHandedOver,
  }
  return count(settings, standing, { now, random }) ?? askForVotes(settings, standing, now)
}

/**
 * Asks all who have not answered yet. What is lost is said again (§5.1), as often as a leader would say something.
 *
 * @internal
 */
export function askForVotes(settings: RaftSettings, state: RaftState, now: number): Turn {
  const { role, lastEntry, answers, isHandedOver: handedOver } = state
  const missing = othersOf(settings).filter((member) => answers[member] === undefined)
  return {
    state: { ...state, sendAt: now + settings.heartbeatMs },
    messages: missing.map((member) =>
      say(
        settings,
        state,
        member,
        role === 'candidate' ? { type: 'vote', lastEntry, handedOver } : { type: 'pre_vote', lastEntry },
      ),
    ),
  }
}

/**
 * Whether a member would vote for another one in the term after this: only where that one's log has all that is in its own.
 * To say so binds it to nothing.
 *
 * @internal
 */
export function answerPreVote(
  settings: RaftSettings,
  state: RaftState,
  { from, lastEntry }: Extract<RaftMessage, { type: 'pre_vote' }>,
): Turn {
  const granted = isUpToDate(lastEntry, state.lastEntry)
  return { state, messages: [say(settings, state, from, { type: 'pre_vote_answer', granted })] }
}

/**
 * A member votes once in a term, for whoever asks first (§5.2), and only for one whose log has all that is in its own
 * (§5.4.1). Who asks again is told the same again. A voter gives the one that it has elected the time to begin.
 *
 * @internal
 */
export function answerVote(
  settings: RaftSettings,
  state: RaftState,
  { from, lastEntry }: Extract<RaftMessage, { type: 'vote' }>,
  { now, random }: Moment,
): Turn {
  const isFree = state.votedFor === null || state.votedFor === from
  const granted = isFree && isUpToDate(lastEntry, state.lastEntry)
  const after: RaftState = granted
    ? { ...state, role: 'follower', votedFor: from, electionAt: timeOut(settings, now, random) }
    : state
  return { state: after, messages: [say(settings, after, from, { type: 'vote_answer', granted })] }
}

/**
 * An answer to whoever stands, or asks around.
 *
 * @internal
 */
export function takeAnswer(
  settings: RaftSettings,
  state: RaftState,
  { type, from, granted }: Extract<RaftMessage, { type: 'vote_answer' | 'pre_vote_answer' }>,
  moment: Moment,
): Turn {
  if (state.role !== (type === 'vote_answer' ? 'candidate' : 'pre-candidate')) return { state, messages: [] }
  const counted = { ...state, answers: { ...state.answers, [from]: granted } }
  return count(settings, counted, moment) ?? { state: counted, messages: [] }
}

/** With a majority, its own voice included, a pre-candidate stands, and a candidate leads (§5.2). */
function count(settings: RaftSettings, state: RaftState, moment: Moment): Turn | undefined {
  const granted = 1 + Object.values(state.answers).filter(Boolean).length
  if (granted < majorityOf(settings)) return undefined
  return state.role === 'candidate'
    ? beginToLead(settings, state, moment)
    : stand(settings, state, moment, { isHandedOver: false })
}

/** Whether a log has all that is in another one: the later term of the last entry counts, then the higher number (§5.4.1). */
function isUpToDate(theirs: LogPosition, own: LogPosition): boolean {
  return theirs.term > own.term || (theirs.term === own.term && theirs.index >= own.index)
}
