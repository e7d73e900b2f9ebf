/**
 * What becomes of tasks, as a list of events that can be kept: who has them all, in order, has every task and its state.
 * Where they are kept is not said here; without any such place, tasks live as long as the program.
 *
 * @since 0.24.0
 */

/** What has become of a task. Times are in ms since 1970. */
export type TaskEvent =
  | {
      kind: 'submitted'
      id: string
      name: string
      /** JSON text. */
      input: string
      by: string
      group?: string
      requires?: string[]
      at: number
    }
  | { kind: 'tried'; id: string; attempts: number; lost: number; node?: string }
  | {
      kind: 'ended'
      id: string
      state: 'done' | 'failed' | 'cancelled'
      /** JSON text. */
      result?: string
      failure?: string
      reason?: string
      node?: string
      attempts: number
      lost: number
      ms?: number
      at: number
    }
  | { kind: 'retried'; id: string }

/** Where events are kept. */
export interface TaskJournal {
  /** What was there when it was opened: as events, in order, that the queue takes first. */
  recovered(): Iterable<TaskEvent>
  /** Resolves when it is durable; one rejection (disk full) refuses what waits for it. */
  write(events: readonly TaskEvent[]): Promise<void>
}
