/**
 * Tasks that have ended, kept for a while and within limits, so that somebody may ask what has become of them.
 *
 * @since 0.24.0
 */
import { LinkedList } from './task-lists.ts'
import type { Ending, Task } from './task-records.ts'

/** How long what has ended is kept, in ms: an hour. */
const DEFAULT_KEPT_MS = 3_600_000

/** How much of it is kept, in bytes: 64 MiB. */
const DEFAULT_KEPT_BYTES = 64 * 1024 * 1024

/** What one is counted with beside its result and its input, in bytes: what it was measured to take, with some room. */
const BYTES_EACH = 500

/** @internal */
export interface TaskEndingsOptions {
  /** How long they are kept, in ms. Default: 3,600,000, an hour. */
  keptMs?: number | undefined
  /** How much memory they may take, in bytes. Of more, the oldest are forgotten. Default: 64 MiB. */
  keptBytes?: number | undefined
}

/**
 * All that have ended and are known.
 *
 * @internal
 */
export class TaskEndings {
  /** Those that failed, in the order in which they did. */
  readonly failed = new Set<Task>()
  readonly #keptMs: number
  readonly #keptBytes: number
  readonly #ended = new LinkedList<Task>()
  #bytes = 0

  constructor({ keptMs, keptBytes }: TaskEndingsOptions) {
    this.#keptMs = keptMs ?? DEFAULT_KEPT_MS
    this.#keptBytes = keptBytes ?? DEFAULT_KEPT_BYTES
  }

  /** A task has ended. One that failed keeps its input: it may be tried again. */
  add(task: Task, ending: Ending): void {
    if (task.state === 'failed') this.failed.add(task)
    else task.input = ''
    task.ending = ending
    this.#bytes += bytesOf(task)
    this.#ended.push(task)
  }

  /** It is to be tried again. */
  remove(task: Task): void {
    this.#bytes -= bytesOf(task)
    task.ending = undefined
    this.failed.delete(task)
    this.#ended.remove(task)
  }

  /** Forgets what is too old, and what is too much, and says what. The newest stays, however large it is. */
  forget(now: number, forgotten: (task: Task) => void): void {
    for (let task = this.#ended.first; task?.ending && this.#ended.size > 1; task = this.#ended.first) {
      if (this.#bytes <= this.#keptBytes && now - task.ending.at <= this.#keptMs) break
      this.remove(task)
      forgotten(task)
    }
  }
}

function bytesOf({ input, ending }: Task): number {
  return BYTES_EACH + input.length + (ending?.result?.length ?? 0) + (ending?.reason?.length ?? 0)
}
