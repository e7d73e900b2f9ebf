/**
 * What a leader does with the log: it adds entries, sends them to all, and finds out which of them a majority has on its disks.
 *
 * @since 0.27.0
 */
import type { LogEntry } from './entry-log.ts'
import { say } from './raft-messages.ts'
import { majorityOf } from './raft-state.ts'
import type { Draft } from './replica-draft.ts'
import type { LogMessage } from './replica-messages.ts'
import {
  type Follower,
  type LogMember,
  lastTimeOf,
  membersOf,
  type ReplicaState,
  raftSettings,
  votersOf,
} from './replica-state.ts'

/** How many characters of data go into one message, unless told otherwise. */
const BATCH = 128 * 1024

/** How many messages are under way to a member at the same time, and with how many characters. */
const MOST_UNDER_WAY = 64
const MOST_SIZE_UNDER_WAY = 1024 * 1024

/** What an entry is counted with beside its data. */
const ENTRY_SIZE = 100

/** How many time-outs a member has to answer before it is sent something again; and for a snapshot, which is large. */
const PATIENCE_IN_ELECTIONS = 1
const SNAPSHOT_IN_ELECTIONS = 30

/** How close to the end of the log a learner has to be to become a voter, in entries. */
const CAUGHT_UP = 100

/**
 * It leads from now on. Its first entry says so: with that one committed, all of earlier terms is that stands before it, and
 * only then does it know what is (§5.4.2, §8).
 *
 * @internal
 */
export function begin(draft: Draft): void {
  const { state, settings, now } = draft
  const next = state.log.last.index + 1
  const fresh: Follower = { match: 0, next, mode: 'probe', underWay: [], at: now, commit: 0 }
  draft.know({
    followers: Object.fromEntries(receiversOf(settings.id, state).map((id) => [id, fresh])),
    began: next,
    clock: { time: lastTimeOf(state), at: now },
  })
  add(draft, [{ kind: 'begin', data: '' }])
}

/**
 * Adds entries, and sends them.
 *
 * @internal
 */
export function add(draft: Draft, all: readonly Pick<LogEntry, 'kind' | 'data'>[]): void {
  const { state, now } = draft
  const { term } = state.raft
  const time = Math.max(lastTimeOf(state), timeAt(state, now))
  const first = state.log.last.index + 1
  draft.write(all.map(({ kind, data }, place) => ({ term, index: first + place, time, kind, data })))
  for (const id of receiversOf(draft.settings.id, draft.state)) sendTo(draft, id)
}

/** The time of the cluster: it stands still while nobody leads. */
export function timeAt({ clock }: Pick<ReplicaState, 'clock'>, now: number): number {
  return Math.floor(clock.time + now - clock.at)
}

/**
 * A heartbeat was due: who has not answered is sent something again, and all are told up to where all is committed. To a learner
 * that is its heartbeat.
 *
 * @internal
 */
export function beat(draft: Draft): void {
  const { settings, state, now } = draft
  const voters = votersOf(state)
  for (const id of receiversOf(settings.id, state)) {
    // That it answers is known before it is a voter: else a leader would lack its voice in that moment.
    if (!voters.includes(id))
      draft.messages.push(
        say(raftSettings(settings, voters), state.raft, id, { type: 'heartbeat', at: Math.floor(now) }),
      )
    const { at, mode, underWay } = followerOf(draft, id)
    const patience = mode === 'snapshot' ? SNAPSHOT_IN_ELECTIONS : PATIENCE_IN_ELECTIONS
    const isAwaited = mode === 'snapshot' || underWay.length > 0
    if (isAwaited && now - at >= patience * settings.electionMs) meet(draft, id)
    else {
      sendTo(draft, id)
      const isTold = voters.includes(id) && followerOf(draft, id).commit >= draft.state.commit
      if (!isTold || followerOf(draft, id).mode === 'probe') sendSome(draft, id, 0)
    }
  }
}

/**
 * What was under way to a member may be lost: it is found out again what it has.
 *
 * @internal
 */
export function meet(draft: Draft, id: string): void {
  if (!receiversOf(draft.settings.id, draft.state).includes(id)) return
  const { match } = followerOf(draft, id)
  change(draft, id, { mode: 'probe', next: Math.max(1, match + 1), underWay: [], commit: 0 })
  sendTo(draft, id)
}

/**
 * A member has this log on its disk, up to somewhere.
 *
 * @internal
 */
export function takeMatch(
  draft: Draft,
  { from, match, commit: through }: Extract<LogMessage, { type: 'append_answer' }>,
): void {
  const { log } = draft.state
  if (!isReceiver(draft, from) || match > log.last.index) return
  const { mode, next, underWay, match: before } = followerOf(draft, from)
  // An answer may be an old one. Of one to a snapshot or to a probe is asked that it says more than was known.
  const isFound = mode === 'stream' || match + 1 >= next || (mode === 'probe' && match > before)
  const known = Math.max(before, match)
  change(draft, from, {
    match: known,
    commit: Math.max(followerOf(draft, from).commit, through),
    ...(isFound && { mode: 'stream', next: Math.max(mode === 'stream' ? next : 0, known + 1) }),
    underWay: underWay.filter(({ through }) => through > match),
    at: draft.now,
  })
  commit(draft)
  sendTo(draft, from)
  promote(draft, from)
}

/**
 * A member's log is not this one at the place where it was to be. A leader finds the last place where it is (§5.3), and skips
 * whole terms on its way.
 *
 * @internal
 */
export function takeMismatch(
  draft: Draft,
  { from, before, hint }: Extract<LogMessage, { type: 'mismatch' }>,
): void {
  if (!isReceiver(draft, from)) return
  const { match, next, mode } = followerOf(draft, from)
  const isOld = before <= match || (mode === 'probe' && before !== next - 1) || mode === 'snapshot'
  if (isOld) return
  const common = draft.state.log.lastUpTo(hint.index, hint.term)
  const wanted = Math.min(before, Math.max(match, common.index) + 1)
  change(draft, from, { mode: 'probe', next: Math.max(1, wanted), underWay: [], at: draft.now })
  sendTo(draft, from)
}

/**
 * Finds out up to where a majority has the log on its disks, this member's own included. Of terms before its own a leader counts
 * nothing: that a majority has such an entry does not keep a later leader from replacing it (§5.4.2, figure 8).
 *
 * @internal
 */
export function commit(draft: Draft): void {
  const { settings, state } = draft
  const voters = votersOf(state)
  const matches = voters
    .map((id) => (id === settings.id ? state.durable : (state.followers[id]?.match ?? 0)))
    .sort((one, other) => other - one)
  const through = matches[majorityOf(raftSettings(settings, voters)) - 1] ?? 0
  if (through <= state.commit || state.log.termAt(through) !== state.raft.term) return
  draft.know({ commit: through })
  const changedAt = state.members.at(-1)?.index ?? 0
  if (changedAt > state.commit && changedAt <= through) tellRemoved(draft, receiversOf(settings.id, state))
}

/** Who was removed by what is committed now gets that, once: it is sent nothing any more. */
function tellRemoved(draft: Draft, receivers: readonly string[]): void {
  for (const id of receivers) if (!isReceiver(draft, id)) sendTo(draft, id)
}

/**
 * Changes who the members are, if that may be now: one voter more or less at a time, so that any majority of before and any of
 * after have a member in common (thesis, §4.1); not before the last change is committed; and not before an entry of this term
 * is, without which two leaders could change the same thing in two ways (Ongaro, "bug in single-server membership changes",
 * raft-dev, 2015).
 *
 * @internal
 */
export function changeMembers(draft: Draft, members: readonly LogMember[]): void {
  if (whyNoChange(draft.settings.id, draft.state, members) !== undefined) return
  const { followers } = draft.state
  const next = draft.state.log.last.index + 1
  const fresh: Follower = { match: 0, next, mode: 'probe', underWay: [], at: draft.now, commit: 0 }
  draft.know({
    followers: {
      ...followers,
      ...Object.fromEntries(
        members.flatMap(({ id }) => (id === draft.settings.id || followers[id] ? [] : [[id, fresh]])),
      ),
    },
  })
  add(draft, [{ kind: 'members', data: JSON.stringify(members) }])
}

/** Why a leader cannot make these the members now, in words; undefined when it can. */
export function whyNoChange(
  id: string,
  state: ReplicaState,
  members: readonly LogMember[],
): string | undefined {
  if (state.raft.role !== 'leader') return 'it does not lead'
  if (state.raft.handOver) return 'it is handing over'
  if (state.commit < state.began) return 'it does not know yet what is committed: try again in a moment'
  if ((state.members.at(-1)?.index ?? 0) > state.commit)
    return 'a change before this one is not committed yet'
  const [before, after] = [votersOf(state), votersOf({ members: [{ index: 0, members }] })]
  if (!after.includes(id)) return 'it leads: have another one lead first'
  const changed =
    before.filter((one) => !after.includes(one)).length + after.filter((one) => !before.includes(one)).length
  return changed > 1 ? 'only one voter at a time may come or go' : undefined
}

/** A learner that has caught up becomes a voter. */
function promote(draft: Draft, id: string): void {
  const { state } = draft
  const learner = membersOf(state).find((member) => member.id === id && !member.isVoter)
  const { match, mode } = followerOf(draft, id)
  const isHeard = draft.now - (state.raft.contacts[id]?.askedAt ?? 0) < draft.settings.electionMs / 2
  if (!learner || !isHeard || mode !== 'stream' || state.log.last.index - match > CAUGHT_UP) return
  changeMembers(
    draft,
    membersOf(state).map((member) => (member === learner ? { ...member, isVoter: true } : member)),
  )
}

/** Sends what a member lacks, as far as it may be under way. */
function sendTo(draft: Draft, id: string): void {
  while (hasRoom(draft, id)) {
    const { next } = followerOf(draft, id)
    const { log, snapshot } = draft.state
    if (log.termAt(next - 1) === undefined) {
      change(draft, id, { mode: 'snapshot', next: snapshot.last.index + 1, underWay: [], at: draft.now })
      draft.say(id, { type: 'snapshot', snapshot })
      return
    }
    sendSome(draft, id, draft.settings.batch ?? BATCH)
  }
}

function hasRoom(draft: Draft, id: string): boolean {
  const { mode, next, underWay } = followerOf(draft, id)
  if (mode === 'snapshot') return false
  // What is found out by a message is not found out sooner by two.
  if (mode === 'probe') return underWay.length === 0
  const size = underWay.reduce((sum, one) => sum + one.size, 0)
  return next <= lastFor(draft, id) && underWay.length < MOST_UNDER_WAY && size < MOST_SIZE_UNDER_WAY
}

/** Sends a message with some entries, or with none. */
function sendSome(draft: Draft, id: string, most: number): void {
  const { log, commit } = draft.state
  const { next, mode, underWay, at } = followerOf(draft, id)
  const term = log.termAt(next - 1)
  if (mode === 'snapshot' || term === undefined) return
  const last = lastFor(draft, id)
  const entries: LogEntry[] = []
  let size = 0
  for (
    let entry = log.at(next);
    entry && entry.index <= last && size < most;
    entry = log.at(next + entries.length)
  ) {
    if (entries.length > 0 && size + entry.data.length + ENTRY_SIZE > most) break
    entries.push(entry)
    size += entry.data.length + ENTRY_SIZE
  }
  const through = next + entries.length - 1
  const isCounted = entries.length > 0 || mode === 'probe'
  change(draft, id, {
    next: mode === 'stream' ? through + 1 : next,
    underWay: isCounted ? [...underWay, { through, size }] : underWay,
    // For how long it says nothing counts from when it was asked something.
    at: underWay.length === 0 ? draft.now : at,
  })
  draft.say(id, { type: 'append', before: { term, index: next - 1 }, entries, commit })
}

/**
 * Up to which entry a member gets the log. Who is to be removed learns that when it is committed, and not before: were it the only
 * one to have that entry, the others could not be elected by it, and it may not stand itself.
 */
function lastFor({ state }: Draft, id: string): number {
  const isMember = membersOf(state).some((member) => member.id === id)
  return isMember ? state.log.last.index : Math.min(state.commit, state.log.last.index)
}

/** To whom the log goes: to all members, and to who was one until a change that is not committed yet. */
function receiversOf(id: string, { members, commit }: ReplicaState): string[] {
  const last = members.at(-1)
  const some = last && last.index > commit ? members.slice(-2) : members.slice(-1)
  const all = new Set(some.flatMap((one) => one.members.map((member) => member.id)))
  all.delete(id)
  return [...all]
}

function isReceiver(draft: Draft, id: string): boolean {
  return receiversOf(draft.settings.id, draft.state).includes(id)
}

function followerOf(draft: Draft, id: string): Follower {
  const { followers, log } = draft.state
  return (
    followers[id] ?? {
      match: 0,
      next: log.last.index + 1,
      mode: 'probe',
      underWay: [],
      at: draft.now,
      commit: 0,
    }
  )
}

function change(draft: Draft, id: string, news: Partial<Follower>): void {
  const { followers } = draft.state
  draft.know({ followers: { ...followers, [id]: { ...followerOf(draft, id), ...news } } })
}
