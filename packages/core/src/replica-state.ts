/**
 * What the log of a replica is made of: entries, snapshots, and what a member must never forget.
 *
 * @since 0.27.0
 */
import type { Durable, LogPosition } from './raft-state.ts'

/** An entry of the log. */
export interface LogEntry {
  /** Its number: 1 is the first. */
  readonly index: number
  /** The term in which a leader made it. */
  readonly term: number
  /** Cluster time, in ms. */
  readonly time: number
  /** `begin`: a leader's first entry; `data`: the state machine's; `members`: JSON of {@link LogMember}s. */
  readonly kind: 'begin' | 'data' | 'members'
  readonly data: string
}

/** A member, as the log has it. */
export interface LogMember {
  readonly id: string
  readonly isVoter: boolean
  readonly about?: unknown
}

/** What stands for the log up to an entry. */
export interface LogSnapshot {
  readonly last: LogPosition
  readonly time: number
  readonly members: readonly LogMember[]
  readonly pieces?: readonly string[]
}

/** What must survive a crash. */
export interface ReplicaDurable extends Durable {
  readonly start: { readonly number: number; readonly token: string; readonly before: string }
  readonly seen: Readonly<Record<string, { readonly number: number; readonly token: string }>>
}
