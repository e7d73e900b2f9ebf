/**
 * What members say to each other about who leads. Any of it may be lost, doubled, delayed, or come in another order.
 *
 * @since 0.26.0
 */
import * as v from 'valibot'
import type { LogPosition, RaftSettings, RaftState } from './raft-state.ts'

/** What is said, apart from by whom. */
export type RaftWords =
  /** "Would you vote for me, in the term after this one?" (thesis, §9.6) */
  | { readonly type: 'pre_vote'; readonly lastEntry: LogPosition }
  | { readonly type: 'pre_vote_answer'; readonly granted: boolean }
  /** "Vote for me." (§5.2) `handedOver` when the leader of the term before wants it so (thesis, §3.10). */
  | { readonly type: 'vote'; readonly lastEntry: LogPosition; readonly handedOver: boolean }
  | { readonly type: 'vote_answer'; readonly granted: boolean }
  /** "I lead." (§5.2) `at` is when that was sent, in whole ms of the sender's clock; the answer has the same. */
  | { readonly type: 'heartbeat'; readonly at: number }
  | { readonly type: 'heartbeat_answer'; readonly at: number }
  /** "Stand for election, at once." (thesis, §3.10) */
  | { readonly type: 'time_out_now' }

/** A message. `term` is the one that its sender was in. */
export type RaftMessage = { readonly from: string; readonly to: string; readonly term: number } & RaftWords

const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(100))
const envelope = { from: name, to: name, term: wholeNumber }
const lastEntry = v.object({ term: wholeNumber, index: wholeNumber })

/** What a message that came in must look like. */
export const raftMessage = v.variant('type', [
  v.object({ ...envelope, type: v.literal('pre_vote'), lastEntry }),
  v.object({ ...envelope, type: v.literal('pre_vote_answer'), granted: v.boolean() }),
  v.object({ ...envelope, type: v.literal('vote'), lastEntry, handedOver: v.boolean() }),
  v.object({ ...envelope, type: v.literal('vote_answer'), granted: v.boolean() }),
  v.object({ ...envelope, type: v.literal('heartbeat'), at: wholeNumber }),
  v.object({ ...envelope, type: v.literal('heartbeat_answer'), at: wholeNumber }),
  v.object({ ...envelope, type: v.literal('time_out_now') }),
]) satisfies v.GenericSchema<unknown, RaftMessage>

/** @internal */
export function say({ id }: RaftSettings, { term }: RaftState, to: string, words: RaftWords): RaftMessage {
  return { from: id, to, term, ...words }
}
