/**
 * What keeps a member from voting with a store that is older than it was: a copy of its card, from a week ago, has forgotten
 * whom it has voted for since then, and what it has said to be on its disk.
 *
 * Each start is counted in the store, and has a word that nobody can guess. Before a member votes it tells the others which
 * start this is and what the words of those before were, and they remember it on their disks. A store that was put back begins
 * with a number that they know already, by another word; and however often it starts, the word that they know is not among its
 * own. A copy that was made while the member was down is always known by that: since then it has started, and told them. One that was made
 * of files while they were in use may not be, and is no copy that anybody should make.
 *
 * It waits for all of the others, since any one of them may be the one who knows. But if one is down for good, the rest must
 * be able to go on after a power cut: so it waits no longer than ten time-outs.
 *
 * @since 0.27.0
 */
import type { Draft } from './replica-draft.ts'
import type { LogMessage, ReplicaMessage } from './replica-messages.ts'
import { type MemberStart, membersOf, type ReplicaSettings, type ReplicaState } from './replica-state.ts'

/** How many time-outs a member waits for those who say nothing. */
const WAIT_IN_ELECTIONS = 10

/** Of how many starts before it one has the words. */
const MOST_BEFORE = 50

/** The start that comes after one, which goes into the store before anybody hears of it. The first comes after number 0. */
export function startAfter({ number, token, before }: MemberStart, next: string): MemberStart {
  const words = [token, ...before.split(' ')].filter((word) => word !== '').slice(0, MOST_BEFORE)
  return { number: number + 1, token: next, before: words.join(' ') }
}

/**
 * Whether it may vote, and stand for election. Who knows of no other member has nobody to ask, and may yet have been one of many since then: it waits for a leader that
 * knows better. Only who began alone, and has just done so, cannot have been.
 *
 * @internal
 */
export function isCleared(settings: ReplicaSettings, state: ReplicaState, now: number): boolean {
  const isFirst = state.start.number === 1 && membersOf(state).length === 1
  const isKnown = membersOf(state).length > 1 && !isMissing(settings, state)
  return isFirst || isKnown || now >= waitsUntil(settings, state)
}

/**
 * For whom a member waits, before it votes.
 *
 * @internal
 */
export function waitsFor(settings: ReplicaSettings, state: ReplicaState, now: number): string[] {
  return isCleared(settings, state, now) ? [] : missing(settings, state)
}

/**
 * When it has to be looked at that again: undefined when never.
 *
 * @internal
 */
export function wakeForStart(settings: ReplicaSettings, state: ReplicaState): number | undefined {
  return isMissing(settings, state) ? state.askStartAt : undefined
}

/**
 * Asks those who have not answered yet, also when it votes already: who has come back later may be the one who knows.
 *
 * @internal
 */
export function askOfStart(draft: Draft): void {
  const { settings, state, now } = draft
  if (now < state.askStartAt || !isMissing(settings, state)) return
  for (const other of missing(settings, state)) draft.say(other, { type: 'start', start: state.start })
  const pause = now < waitsUntil(settings, state) ? settings.heartbeatMs : settings.electionMs
  draft.know({ askStartAt: now + pause })
}

/**
 * Somebody speaks whom this one does not know as a member. It may be this one that knows too little: with a store from before it
 * knew anybody, it would ask nobody. Two that do not know each other ask once each, and no question is an answer to the other's
 * answer: there would be no end.
 *
 * @internal
 */
export function askStranger(draft: Draft, message: ReplicaMessage): void {
  const { state } = draft
  const { from } = message
  const isStart = message.type === 'start'
  if (isStart && message.isReply) return
  if (state.cleared.includes(from) || membersOf(state).some(({ id }) => id === from)) return
  draft.say(from, { type: 'start', start: state.start, ...(isStart && { isReply: true }) })
}

/**
 * Somebody has started: is that what comes after the last start that is known?
 *
 * @internal
 */
export function takeStart(draft: Draft, { from, start }: Extract<LogMessage, { type: 'start' }>): void {
  const known = draft.state.seen[from]
  const isOlder = known !== undefined && !follows(start, known)
  const isMember = membersOf(draft.state).some(({ id }) => id === from)
  // Of who is no member yet, as far as this one knows, it would remember nothing: it is asked again.
  if (!isOlder && !isMember) return
  if (!isOlder && known?.token !== start.token) {
    const { number, token } = start
    draft.know({ seen: { ...draft.state.seen, [from]: { number, token } } })
  }
  draft.say(from, { type: 'start_answer', token: start.token, isOlder })
}

/** @internal */
export function takeStartAnswer(
  draft: Draft,
  { from, token, isOlder }: Extract<LogMessage, { type: 'start_answer' }>,
): void {
  const { start, cleared } = draft.state
  if (token !== start.token) return // of a start before
  if (isOlder) draft.know({ older: from })
  else if (!cleared.includes(from)) draft.know({ cleared: [...cleared, from] })
}

function follows(start: MemberStart, known: Pick<MemberStart, 'number' | 'token'>): boolean {
  const ago = start.number - known.number
  if (ago === 0) return start.token === known.token
  // Who was not heard from for that many starts is believed.
  return ago > MOST_BEFORE || (ago > 0 && start.before.split(' ')[ago - 1] === known.token)
}

/** Whether somebody has not answered. Each step asks that. */
function isMissing({ id }: ReplicaSettings, state: ReplicaState): boolean {
  return membersOf(state).some((member) => member.id !== id && !state.cleared.includes(member.id))
}

function missing({ id }: ReplicaSettings, state: ReplicaState): string[] {
  return membersOf(state).flatMap((member) =>
    member.id === id || state.cleared.includes(member.id) ? [] : [member.id],
  )
}

function waitsUntil({ electionMs }: ReplicaSettings, { startedAt }: ReplicaState): number {
  return startedAt + WAIT_IN_ELECTIONS * electionMs
}
