/**
 * How a task can fail: each way has a name of its own, and a reason in words.
 *
 * @since 0.24.0
 */

/**
 * | Kind | What it means |
 * | --- | --- |
 * | `threw` | it threw an error, or left one that nobody caught |
 * | `late` | it took longer than its time, and was ended |
 * | `memory` | it took more memory than it may, and was ended |
 * | `exited` | its process ended: `process.exit`, `process.abort`, a signal; or none can be started |
 * | `cancelled` | somebody has cancelled it |
 * | `too large` | its result does not go into a message |
 * | `no JSON` | its result, or its input, has no JSON form |
 * | `unknown` | there is no task of that name here |
 *
 * @internal
 */
export const TASK_FAILURES = [
  'threw',
  'late',
  'memory',
  'exited',
  'cancelled',
  'too large',
  'no JSON',
  'unknown',
] as const

export type TaskFailureKind = (typeof TASK_FAILURES)[number]

/** Why a task has no result. Its message is for people. */
export class TaskFailure extends Error {
  override readonly name: string = 'TaskFailure'
  readonly kind: TaskFailureKind

  constructor(kind: TaskFailureKind, message: string) {
    super(message)
    this.kind = kind
  }
}
