/**
 * What a leader does: it says so, knows who still listens, stops when too few do, and hands over.
 *
 * @since 0.26.0
 */
import { type RaftMessage, say } from './raft-messages.ts'
import { majorityOf, othersOf, type RaftSettings, type RaftState, timeOut } from './raft-state.ts'
import type { Moment, Turn } from './raft-turn.ts'

/**
 * The part of `electionMs` for which a leader that was heard by a majority can be sure that nobody else was elected. Those
 * who heard it vote for nobody else for `electionMs` of their clocks. The tenth that is missing is for clocks that do not go
 * at the same rate: a leader is right as long as its own is not slower than another's by more than a tenth. A Pi's quartz is
 * wrong by less than a ten-thousandth, and time synchronisation turns it by a two-thousandth at most.
 */
const SURE_PART = 0.9

/**
 * It is elected, and says so to all at once, before one of them stands as well (§5.2).
 *
 * @internal
 */
export function beginToLead(settings: RaftSettings, state: RaftState, { now }: Moment): Turn {
  return sayHeartbeats(
    settings,
    {
      ...state,
      role: 'leader',
      leader: settings.id,
      leadsSince: now,
      contacts: {},
      handOver: null,
    },
    now,
  )
}

/**
 * What the time makes a leader do: a heartbeat when one is due, and to stop when it has heard from no majority for
 * `electionMs`. It may be cut off, and the others may have another one (CheckQuorum; thesis, §6.2).
 *
 * @internal
 */
export function goOnLeading(settings: RaftSettings, state: RaftState, moment: Moment): Turn {
  const { now } = moment
  if (now >= mustStopAt(settings, state)) return { state: stopLeading(settings, state, moment), messages: [] }
  return now >= state.sendAt ? sayHeartbeats(settings, state, now) : { state, messages: [] }
}

/**
 * By when it stops, if nobody answers.
 *
 * @internal
 */
export function mustStopAt(settings: RaftSettings, state: RaftState): number {
  const { contacts, leadsSince, handOver } = state
  const heardAt = sinceMajority(settings, (member) => contacts[member]?.answeredAt ?? leadsSince)
  return Math.min(heardAt + settings.electionMs, handOver?.until ?? Number.POSITIVE_INFINITY)
}

/**
 * Whether nobody else can lead, at this moment: it leads, and a majority has heard from it, counted from when it *asked* them
 * (thesis, §6.4.1). An answer says that the question was heard, not when: it may have lain in a buffer while this program
 * stood still. For the same reason a program that was stopped is told false at once when it goes on. False also while it
 * hands over, and until a majority has answered its first heartbeat.
 *
 * @param now the time of its clock, in ms
 */
export function holdsLead(settings: RaftSettings, state: RaftState, now: number): boolean {
  if (state.role !== 'leader' || state.handOver) return false
  const askedAt = sinceMajority(
    settings,
    (member) => state.contacts[member]?.askedAt ?? Number.NEGATIVE_INFINITY,
  )
  return now < askedAt + SURE_PART * settings.electionMs
}

/**
 * A member has heard a heartbeat.
 *
 * @internal
 */
export function takeHeartbeatAnswer(
  state: RaftState,
  { from, at }: Extract<RaftMessage, { type: 'heartbeat_answer' }>,
  { now }: Moment,
): Turn {
  if (state.role !== 'leader') return { state, messages: [] }
  // Answers overtake each other.
  const askedAt = Math.max(state.contacts[from]?.askedAt ?? 0, Math.min(at, now))
  const contacts = { ...state.contacts, [from]: { askedAt, answeredAt: now } }
  return { state: { ...state, contacts }, messages: [] }
}

/**
 * It is to hand over: to a member, or to the one that it has heard from last. That one is told with each heartbeat to stand at
 * once, without asking around. The others may vote for it although they hear a leader, so from now on this one is not sure
 * that nobody else leads, and never will be in this term: the word may still be under way. When nothing has come of it after
 * `electionMs`, it stops (thesis, §3.10).
 *
 * @internal
 */
export function beginHandOver(
  settings: RaftSettings,
  state: RaftState,
  wanted: string | undefined,
  { now }: Moment,
): Turn {
  const to = wanted ?? lastHeardFrom(settings, state)
  const contact = to === undefined ? undefined : state.contacts[to]
  const isHere = contact !== undefined && now - contact.answeredAt < settings.electionMs
  if (state.role !== 'leader' || state.handOver || to === undefined || !isHere) return { state, messages: [] }
  return sayHeartbeats(settings, { ...state, handOver: { to, until: now + settings.electionMs } }, now)
}

/**
 * A leader is a follower again, and knows no other one yet.
 *
 * @internal
 */
export function stopLeading(settings: RaftSettings, state: RaftState, { now, random }: Moment): RaftState {
  return {
    ...state,
    role: 'follower',
    leader: null,
    electionAt: timeOut(settings, now, random),
    contacts: {},
    handOver: null,
  }
}

function sayHeartbeats(settings: RaftSettings, state: RaftState, now: number): Turn {
  const messages = othersOf(settings).map((member) =>
    say(settings, state, member, { type: 'heartbeat', at: Math.floor(now) }),
  )
  const { handOver } = state
  if (handOver) messages.push(say(settings, state, handOver.to, { type: 'time_out_now' }))
  return { state: { ...state, sendAt: now + settings.heartbeatMs }, messages }
}

/** The time since which a majority has been heard from, where this is one of them: with three, the later of the two times. */
function sinceMajority(settings: RaftSettings, when: (member: string) => number): number {
  const times = othersOf(settings)
    .map(when)
    .sort((a, b) => b - a)
  return [Number.POSITIVE_INFINITY, ...times][majorityOf(settings) - 1] as number
}

function lastHeardFrom(settings: RaftSettings, { contacts }: RaftState): string | undefined {
  const here = othersOf(settings).filter((member) => contacts[member])
  const at = (member: string) => contacts[member]?.askedAt ?? 0
  return here.reduce<string | undefined>((best, one) => (best && at(best) >= at(one) ? best : one), undefined)
}
