/**
 * Where a queue of tasks writes down what happens to them, so that another process can go on with it. This is what a journal
 * has to do; who has none keeps its tasks in memory.
 *
 * @since 0.24.0
 */
import { OperationalError } from './lifecycle.ts'

/** What has happened to a task. */
export type TaskEvent =
  /** It was taken from a submitter. `at`: in ms since 1970. */
  | {
      kind: 'submitted'
      id: string
      name: string
      /** As JSON. */
      input: string
      by: string
      group?: string
      requires?: string[]
      at: number
    }
  /**
   * It was handed to a node, or a node was lost with it: how often that was, by now. `until`: where those who lead one after
   * the other share a clock, the moment of that until which the node may take, or until which it rests after a failure. `gone`:
   * the nodes that were lost with it and may still come back, and of each whether it counts among `lost`, as it does until it is heard of.
   */
  | {
      kind: 'tried'
      id: string
      attempts: number
      lost: number
      node?: string
      until?: number
      gone?: { node: string; isCounted: boolean }[]
    }
  /**
   * It has ended. `result`: as JSON; `failure`: the kind of it; `ms`: how long it ran; `at`: in ms since 1970; `time`: the
   * same by the clock that those share who lead one after the other, where it was not this process that wrote it down.
   */
  | {
      kind: 'ended'
      id: string
      state: 'done' | 'failed' | 'cancelled'
      result?: string
      failure?: string
      reason?: string
      node?: string
      attempts: number
      lost: number
      ms?: number
      at: number
      time?: number
    }
  /** It had failed, and is to be tried again, from the beginning. */
  | { kind: 'retried'; id: string }

/** What keeps such events. */
export interface TaskJournal {
  /**
   * Whether it lets go of what has ended by a measure of its own, which the queue does not know: what has failed and is tried
   * again is then written down as if it had just been handed in. Default: what it still has is told by `retried`.
   */
  readonly forgets?: boolean
  /** What was there when it was opened: as events, in order, that the queue takes first. */
  recovered(): Iterable<TaskEvent>
  /**
   * Resolves when it is durable; one rejection (disk full) refuses what waits for it.
   *
   * @throws JournalOver when somebody else writes from now on
   */
  write(events: readonly TaskEvent[]): Promise<void>
}

/**
 * Nothing more is written here: another node leads, or nobody does. What was being written may be durable or not; who handed
 * it in hands it in again there, by the same ids.
 */
export class JournalOver extends OperationalError {}
