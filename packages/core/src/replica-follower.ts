/**
 * What a follower does with what its leader sends: it has the same log, and says so when that is on its disk.
 *
 * @since 0.27.0
 */
import type { LogEntry } from './entry-log.ts'
import type { Draft } from './replica-draft.ts'
import type { LogMessage } from './replica-messages.ts'
import { positionOf } from './replica-state.ts'

/** How many entries are kept that a snapshot has as well, unless told otherwise, and how many characters of data they may have. */
const KEPT = 10_000
const KEPT_SIZE = 4 * 1024 * 1024

/**
 * Takes entries, if they stand behind something that it has, too: then its log is the leader's up to their end (§5.3, Log
 * Matching). What it has in their place was never committed, and goes.
 *
 * @throws Error when that would undo something that is committed: a log has been lost or changed that must not be
 * @internal
 */
export function takeAppend(draft: Draft, message: Extract<LogMessage, { type: 'append' }>): void {
  const { from, before, commit } = message
  const { log } = draft.state
  const own = log.termAt(before.index)
  // What stands before the base of this log is committed, and the same in all logs.
  if (before.index >= log.base.index && own !== before.term) {
    const hint = log.lastUpTo(before.index, before.term)
    draft.say(from, { type: 'mismatch', before: before.index, hint })
    return
  }
  draft.write(firstNew(draft, message.entries))
  const through = Math.max(message.entries.at(-1)?.index ?? before.index, draft.state.log.base.index)
  const matched = Math.max(draft.state.matched, Math.min(through, draft.state.log.last.index))
  draft.know({ matched, commit: Math.max(draft.state.commit, Math.min(commit, matched)) })
  sayMatch(draft, from)
}

/**
 * What is on its disk is what counts for a majority. The leader must know of this start first: else nobody could tell, were the
 * card put back to before it, that something was said to be there.
 *
 * @internal
 */
export function sayMatch(draft: Draft, leader: string): void {
  const { durable, matched, commit, cleared } = draft.state
  if (!cleared.includes(leader)) return
  draft.say(leader, { type: 'append_answer', match: Math.min(durable, matched), commit })
}

/**
 * Something is on its disk: a leader that waits for it is told.
 *
 * @internal
 */
export function tellDurable(draft: Draft, before: number): void {
  const { raft, durable, matched } = draft.state
  const isNews = Math.min(durable, matched) > Math.min(before, matched)
  if (raft.role === 'follower' && raft.leader !== null && isNews) sayMatch(draft, raft.leader)
}

/** From the first one on that is not there, or is another one there. */
function firstNew({ state }: Draft, entries: readonly LogEntry[]): readonly LogEntry[] {
  const { log, commit } = state
  const place = entries.findIndex(({ index, term }) => index > log.base.index && log.termAt(index) !== term)
  const first = entries[place]
  if (!first) return []
  if (first.index <= commit)
    throw new Error(
      `Entry ${first.index} is committed, of term ${log.termAt(first.index)}, and a leader has another one there, of term ${first.term}: the log of one of the members was lost, or changed.`,
    )
  return entries.slice(place)
}

/**
 * Takes a snapshot, where it lacks what is in it.
 *
 * @internal
 */
export function takeSnapshot(
  draft: Draft,
  { from, snapshot }: Extract<LogMessage, { type: 'snapshot' }>,
): void {
  const { last } = snapshot
  const { log, commit } = draft.state
  if (last.index > commit && log.termAt(last.index) !== last.term) draft.install(snapshot)
  // It has all that is in it, and what stands behind that may be the leader's as well.
  else
    draft.know({
      matched: Math.max(draft.state.matched, Math.min(last.index, log.last.index)),
      commit: Math.max(commit, last.index),
    })
  sayMatch(draft, from)
}

/**
 * A snapshot of its own state machine is on its disk: most of what is in it can go from the log.
 *
 * @internal
 */
export function takeSnapshotted(draft: Draft, index: number): void {
  const { log, commit, snapshot, members } = draft.state
  const entry = log.at(index)
  if (!entry || index > commit || index <= snapshot.last.index) return
  const then = members.findLast((one) => one.index <= index)
  draft.know({
    snapshot: { last: positionOf(entry), time: entry.time, members: then?.members ?? [] },
    log: log.without(keptFrom(draft, index) - 1),
    members: members.filter((one) => one === then || one.index > index),
  })
}

/** From where on entries are kept beside a snapshot: who was away for as long as they took gets them, and no snapshot. */
function keptFrom({ state, settings }: Draft, index: number): number {
  let [from, size] = [index + 1, 0]
  for (let entry = state.log.at(index); entry; entry = state.log.at(from - 1)) {
    size += entry.data.length
    if (size > KEPT_SIZE || index - from + 1 >= (settings.kept ?? KEPT)) break
    from = entry.index
  }
  return from
}
