/**
 * A node that does tasks: named functions of a file that every node has, done by processes of their own, each of them within
 * its limits.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.24.0
 */

// Tasks, and what they may take.
export {
  defineTasks,
  type TaskContext,
  type TaskDefinition,
  type TaskDefinitions,
} from './task-definition.ts'
// How they fail.
export { TaskFailure, type TaskFailureKind } from './task-failure.ts'
// Processes that do them.
export { type RunOptions, TaskPool, type TaskPoolOptions, type TaskWork } from './task-pool.ts'
// The node that is handed them.
export { TaskWorker, type TaskWorkerOptions } from './task-worker.ts'
