/**
 * A step: what a member makes of what happens. First of the time that has passed, then of what has come.
 *
 * @since 0.26.0
 */
import { beginHandOver, goOnLeading, mustStopAt, stopLeading, takeHeartbeatAnswer } from './raft-leader.ts'
import { type RaftMessage, say } from './raft-messages.ts'
import { type Durable, type RaftSettings, type RaftState, timeOut } from './raft-state.ts'
import type { Moment, Turn } from './raft-turn.ts'
import { answerPreVote, answerVote, askAround, askForVotes, stand, takeAnswer } from './raft-votes.ts'

/** What happens to a member, and when. */
export type RaftInput = Moment &
  (
    | { readonly kind: 'time' }
    | { readonly kind: 'message'; readonly message: RaftMessage }
    /** It is to hand its lead over: to a member, or to whom it likes. To one that does not lead that says nothing. */
    | { readonly kind: 'hand_over'; readonly to?: string | undefined }
  )

/** What comes of it. */
export interface RaftStep {
  readonly state: RaftState
  /** What must be on the disk before the messages go, and before the next input. Missing when that is what it was. */
  readonly save?: Durable
  readonly messages: readonly RaftMessage[]
}

/**
 * What a member knows after something has happened, and what it says. Nothing else goes in, and nothing else comes out: the
 * same state and input give the same step.
 *
 * Whatever comes, the time is looked at first. So a leader whose program stood still finds that it leads no more before it
 * reads a single message.
 */
export function stepRaft(settings: RaftSettings, before: RaftState, input: RaftInput): RaftStep {
  const first = passTime(settings, before, input)
  const then = take(settings, first.state, input)
  const { term, votedFor } = then.state
  const isSaved = term === before.term && votedFor === before.votedFor
  return {
    state: then.state,
    ...(!isSaved && { save: { term, votedFor } }),
    messages: [...first.messages, ...then.messages],
  }
}

/** When a member wants to hear of the time, in ms of its clock, if nothing comes before. */
export function wakeAt(settings: RaftSettings, state: RaftState): number {
  if (state.role === 'follower') return state.electionAt
  return Math.min(state.sendAt, state.role === 'leader' ? mustStopAt(settings, state) : state.electionAt)
}

function passTime(settings: RaftSettings, state: RaftState, moment: Moment): Turn {
  if (state.role === 'leader') return goOnLeading(settings, state, moment)
  if (moment.now >= state.electionAt)
    return settings.members.includes(settings.id)
      ? askAround(settings, state, moment)
      : waitOn(settings, state, moment)
  if (state.role !== 'follower' && moment.now >= state.sendAt) return askForVotes(settings, state, moment.now)
  return { state, messages: [] }
}

/** Who is no member does not stand. It knows of no leader any more. */
function waitOn(settings: RaftSettings, state: RaftState, { now, random }: Moment): Turn {
  const electionAt = timeOut(settings, now, random)
  return { state: { ...state, role: 'follower', leader: null, electionAt }, messages: [] }
}

function take(settings: RaftSettings, state: RaftState, input: RaftInput): Turn {
  if (input.kind === 'message') return hear(settings, state, input.message, input)
  if (input.kind === 'hand_over') return beginHandOver(settings, state, input.to, input)
  return { state, messages: [] }
}

function hear(settings: RaftSettings, state: RaftState, message: RaftMessage, moment: Moment): Turn {
  const { from, to, term } = message
  const isHeard = settings.members.includes(from) || settings.hears?.includes(from)
  if (to !== settings.id || from === to || !isHeard) return { state, messages: [] }
  // Before its term is looked at: a stranger to the leader must not get the others to leave it (§6; thesis, §4.2.3).
  if (asksForAVote(message) && hearsALeader(settings, state, moment)) return { state, messages: [] }
  // Of two terms the higher one counts, for all members and all messages (§5.1).
  if (term < state.term) return { state, messages: tellTerm(settings, state, message) }
  const current = term > state.term ? enterTerm(settings, state, term, moment) : state
  switch (message.type) {
    case 'pre_vote':
      return answerPreVote(settings, current, message)
    case 'vote':
      return answerVote(settings, current, message, moment)
    case 'pre_vote_answer':
    case 'vote_answer':
      return takeAnswer(settings, current, message, moment)
    case 'heartbeat':
      return follow(settings, current, message, moment)
    case 'heartbeat_answer':
      return takeHeartbeatAnswer(current, message, moment)
    case 'time_out_now':
      // Who has no vote cannot begin with its own.
      return current.role === 'leader' || !settings.members.includes(settings.id)
        ? { state: current, messages: [] }
        : stand(settings, current, moment, { isHandedOver: true })
  }
}

/** One that a leader itself has asked to stand is another matter (thesis, §4.2.3). */
function asksForAVote(message: RaftMessage): boolean {
  return message.type === 'pre_vote' || (message.type === 'vote' && !message.handedOver)
}

/** Whether there is a leader as far as it knows: itself, or one that it has heard from within `electionMs`. */
function hearsALeader({ electionMs }: RaftSettings, { role, heardAt }: RaftState, { now }: Moment): boolean {
  return role === 'leader' || now - heardAt < electionMs
}

/** A member that is in an older term is told, so that it comes along: above all, a leader that was replaced (§5.1). */
function tellTerm(settings: RaftSettings, state: RaftState, message: RaftMessage): RaftMessage[] {
  const { from, type } = message
  if (type === 'pre_vote') return [say(settings, state, from, { type: 'pre_vote_answer', granted: false })]
  if (type === 'vote') return [say(settings, state, from, { type: 'vote_answer', granted: false })]
  if (type === 'heartbeat') return [say(settings, state, from, { type: 'heartbeat_answer', at: message.at })]
  return []
}

/**
 * There is a newer term: whatever it was, it is a follower in that one, and has not voted in it (§5.1). What it has promised
 * to the leader of an older one still holds, and so does the time at which it stands itself: else one that cannot be elected
 * could keep all others from it.
 */
function enterTerm(settings: RaftSettings, state: RaftState, term: number, moment: Moment): RaftState {
  const stopped = state.role === 'leader' ? stopLeading(settings, state, moment) : state
  return { ...stopped, term, votedFor: null, role: 'follower', leader: null }
}

/** Somebody leads in this term, so nobody else does: who stood for election stops (§5.2). */
function follow(
  settings: RaftSettings,
  state: RaftState,
  { from, at }: Extract<RaftMessage, { type: 'heartbeat' }>,
  { now, random }: Moment,
): Turn {
  const following: RaftState = {
    ...state,
    role: 'follower',
    leader: from,
    heardAt: now,
    electionAt: timeOut(settings, now, random),
  }
  return { state: following, messages: [say(settings, following, from, { type: 'heartbeat_answer', at })] }
}
