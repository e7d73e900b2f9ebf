/**
 * What members that keep a log together say to each other, beside what an election needs. Any of it may be lost, doubled,
 * delayed, or come in another order.
 *
 * @since 0.27.0
 */
import * as v from 'valibot'
import type { LogEntry } from './entry-log.ts'
import { type RaftMessage, raftMessage } from './raft-messages.ts'
import type { LogPosition } from './raft-state.ts'
import type { LogSnapshot, MemberStart, ReplicaState } from './replica-state.ts'

/** What is said about a log, apart from by whom. */
export type LogWords =
  /** "Behind `before` stands this, and all up to `commit` is committed." (§5.3) With no entries: it only says that. */
  | {
      readonly type: 'append'
      readonly before: LogPosition
      readonly entries: readonly LogEntry[]
      readonly commit: number
    }
  /** "My log is yours up to `match`, and on my disk. I know that all up to `commit` is committed." */
  | { readonly type: 'append_answer'; readonly match: number; readonly commit: number }
  /** "Mine has something else where yours has `before`, or nothing. Try it from `hint` on." */
  | { readonly type: 'mismatch'; readonly before: number; readonly hint: LogPosition }
  /** "What you lack is not in my log any more. This is what came of it." (§7) */
  | { readonly type: 'snapshot'; readonly snapshot: LogSnapshot }
  /** "Up to which entry must I have applied what is committed, so that what I read is not stale?" (thesis, §6.4) */
  | { readonly type: 'read'; readonly read: number }
  | { readonly type: 'read_answer'; readonly read: number; readonly index: number }
  /** "I have started. Do you know of a later start of mine?" With `isReply`, since the other one has asked the same. */
  | { readonly type: 'start'; readonly start: MemberStart; readonly isReply?: boolean | undefined }
  | { readonly type: 'start_answer'; readonly token: string; readonly isOlder: boolean }

/** A message about a log. `term` is the one that its sender was in. */
export type LogMessage = { readonly from: string; readonly to: string; readonly term: number } & LogWords

/** Any message of such a member. */
export type ReplicaMessage = RaftMessage | LogMessage

const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(100))
const token = v.pipe(v.string(), v.maxLength(100))
const envelope = { from: name, to: name, term: wholeNumber }
const position = v.object({ term: wholeNumber, index: wholeNumber })
const time = v.pipe(v.number(), v.finite(), v.minValue(0))

const entry = v.object({
  term: wholeNumber,
  index: wholeNumber,
  time,
  kind: v.picklist(['begin', 'data', 'members']),
  data: v.string(),
})

const member = v.object({ id: name, isVoter: v.boolean(), about: v.optional(v.unknown()) })

/**
 * Members, as an entry has them.
 *
 * @internal
 */
export const logMembers = v.pipe(v.array(member), v.minLength(1), v.maxLength(100))

const snapshot = v.object({
  last: position,
  time,
  members: logMembers,
  pieces: v.optional(v.array(v.string())),
})

/** What a message that came in must look like. */
export const replicaMessage = v.union([
  v.variant('type', [
    v.object({
      ...envelope,
      type: v.literal('append'),
      before: position,
      entries: v.array(entry),
      commit: wholeNumber,
    }),
    v.object({
      ...envelope,
      type: v.literal('append_answer'),
      match: wholeNumber,
      commit: wholeNumber,
    }),
    v.object({ ...envelope, type: v.literal('mismatch'), before: wholeNumber, hint: position }),
    v.object({ ...envelope, type: v.literal('snapshot'), snapshot }),
    v.object({ ...envelope, type: v.literal('read'), read: wholeNumber }),
    v.object({ ...envelope, type: v.literal('read_answer'), read: wholeNumber, index: wholeNumber }),
    v.object({
      ...envelope,
      type: v.literal('start'),
      start: v.object({ number: wholeNumber, token, before: v.pipe(v.string(), v.maxLength(10_000)) }),
      isReply: v.optional(v.boolean()),
    }),
    v.object({ ...envelope, type: v.literal('start_answer'), token, isOlder: v.boolean() }),
  ]),
  raftMessage,
]) as v.GenericSchema<unknown, ReplicaMessage>

/** @internal */
export function sayOf(id: string, { raft }: ReplicaState, to: string, words: LogWords): LogMessage {
  return { from: id, to, term: raft.term, ...words }
}
