/**
 * Where a queue of tasks writes down what happens to them, so that another process can go on with it. This is what a journal
 * has to do; who has none keeps its tasks in memory.
 *
 * @since 0.24.0
 */

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
  /** It was handed to a node, or a node was lost with it: how often that was, by now. */
  | { kind: 'tried'; id: string; attempts: number; lost: number; node?: string }
  /** It has ended. `result`: as JSON; `failure`: the kind of it; `ms`: how long it ran; `at`: in ms since 1970. */
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
    }
  /** It had failed, and is to be tried again, from the beginning. */
  | { kind: 'retried'; id: string }

/** What keeps such events. */
export interface TaskJournal {
  /** What was there when it was opened: as events, in order, that the queue takes first. */
  recovered(): Iterable<TaskEvent>
  /** Resolves when it is durable; one rejection (disk full) refuses what waits for it. */
  write(events: readonly TaskEvent[]): Promise<void>
}
