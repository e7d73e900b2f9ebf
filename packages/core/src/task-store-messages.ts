/**
 * What goes between a program and the thread that has its task store.
 *
 * @since 0.25.0
 */
import type { TaskHistoryKeep } from './task-log-history.ts'
import type { TaskHistoryPage, TaskHistoryQuery } from './task-log-history-page.ts'

/**
 * What the thread needs to begin.
 *
 * @internal
 */
export interface TaskThreadOptions {
  folder: string
  keep: TaskHistoryKeep
}

/**
 * From the program.
 *
 * @internal
 */
export type TaskRequest =
  | { id: number; commit: Uint8Array<ArrayBuffer> }
  | { id: number; history: TaskHistoryQuery }

/**
 * From the thread.
 *
 * @internal
 */
export type TaskReply =
  /** Why the store cannot be used. */
  | { refused: string[] }
  /** Events that were there, as bytes: some of them, and then that these were all. */
  | { recovered: Uint8Array<ArrayBuffer> }
  | { began: true }
  /** To the log. */
  | { warning: string }
  | { id: number; page?: TaskHistoryPage }
  /** What went wrong, in words. */
  | { id: number; trouble: string }
