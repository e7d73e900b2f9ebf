/**
 * What goes into the parts of a step, and what comes out of them.
 *
 * @since 0.26.0
 */
import type { RaftMessage } from './raft-messages.ts'
import type { RaftState } from './raft-state.ts'

/**
 * When something happens. A member has no clock and no dice: it is told.
 *
 * @internal
 */
export interface Moment {
  /** In ms, of a clock that never goes back. */
  readonly now: number
  /** From 0 to 1, and never 1. */
  readonly random: number
}

/**
 * What a member knows from now on, and what it says.
 *
 * @internal
 */
export interface Turn {
  readonly state: RaftState
  readonly messages: readonly RaftMessage[]
}
