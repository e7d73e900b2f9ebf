/**
 * Work that is handed out and not lost: tasks that somebody submits, nodes that do them, and a primary between these that
 * gives each task to a node, and to another one when that is lost.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.24.0
 */

// Handing tasks in, from elsewhere.
export { type FullQueue, type SubmitOptions, TaskClient, type WhichTasks } from './task-client.ts'
// The desk between those who submit and those who do.
export { Tasks, type TasksOptions } from './task-desk.ts'
// Where it writes down what happens, if it does.
export type { TaskEvent, TaskJournal } from './task-journal.ts'
// What is said of a task.
export {
  hasEnded,
  MOST_TASK_BYTES,
  type NewTask,
  TASK_STATES,
  type TaskEnd,
  type TaskState,
} from './task-states.ts'
// What is shown of all.
export {
  type FailedRow,
  failedRow,
  type QueueRow,
  queueRow,
  type WorkerRow,
  workerRow,
} from './task-tables.ts'
