/**
 * How a member of an election sees it: what it answers to who asks.
 *
 * @since 0.26.0
 */
import * as v from 'valibot'

/** A member of an election, and where it is reached. */
export interface ElectionMember {
  /** What it is called, and its key: `node-1`. */
  readonly name: string
  /** A name or an address: `192.168.1.21`. */
  readonly host: string
  /** The port on which it listens for the others, always: 1 to 65535. */
  readonly port: number
}

/** Who leads. */
export interface Leader {
  readonly name: string
  /** In which term: no two lead in one. */
  readonly term: number
}

/**
 * The question that a member answers with its view, and what that answer is called. It says the same unasked to who has asked,
 * when somebody else leads.
 *
 * @internal
 */
export const STATE = 'election_state'

/**
 * The question by which a leader is asked to hand over, and what its answer is called.
 *
 * @internal
 */
export const HAND_OVER = 'hand_over'

/** How long a name may be, in characters, and how many members there may be. */
const LONGEST_NAME = 100
const MOST_MEMBERS = 100

const name = v.pipe(v.string(), v.maxLength(LONGEST_NAME))
const names = v.pipe(v.array(name), v.maxLength(MOST_MEMBERS))

/**
 * A view, as it is answered.
 *
 * @internal
 */
export const electionView = v.object({
  name,
  term: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  role: v.picklist(['follower', 'pre-candidate', 'candidate', 'leader']),
  leader: v.nullable(name),
  votedFor: v.nullable(name),
  members: names,
  reachable: names,
  details: v.record(v.string(), v.unknown()),
})

/**
 * What a member knows: its `name`, the `term`, its `role` in it, who is `leader`, whom it has `votedFor` in this term, who the
 * `members` are, which of them are `reachable` from it, and the `details` that its program adds.
 */
export type ElectionView = v.InferOutput<typeof electionView>

/**
 * What is answered to who wants a hand-over.
 *
 * @internal
 */
export const handOverAnswer = v.object({ done: v.boolean(), why: v.optional(v.string()) })

/** A member, seen by who is connected to it. */
export interface MemberView {
  /** What it said last; undefined while it has not said anything yet. */
  readonly view: ElectionView | undefined
  /** Whether it is reached now. */
  readonly isReachable: boolean
  /** Since when it is, or is not. */
  readonly since: Date
}
