/** What the webserver knows of the work: the tables of the primary, and the pictures. */
import { Mirror } from '@rpi-cluster/core/live'
import { failedRow, queueRow, type TaskClient, workerRow } from '@rpi-cluster/core/tasks'
import { Pictures } from './pictures.ts'

export class Work {
  readonly pictures = new Pictures()
  readonly #queue = new Mirror(queueRow)
  readonly #workers = new Mirror(workerRow)
  readonly #failed = new Mirror(failedRow)
  #isBehind = true

  readonly queue = this.#queue.table
  readonly workers = this.#workers.table
  readonly failed = this.#failed.table

  /** What it subscribes to. */
  readonly topics = ['task_end', 'queue', 'workers', 'failed']
  readonly handlers = {
    task_end: this.pictures.take,
    queue: this.#queue.take,
    workers: this.#workers.take,
    failed: this.#failed.take,
    missed: () => {
      this.#isBehind = true
    },
  }

  /** There is a new connection, and nothing has come on it. */
  begin() {
    for (const mirror of [this.#queue, this.#workers, this.#failed]) mirror.begin()
    this.#isBehind = true
  }

  /** Asks for the tiles that were drawn while nothing came: without a connection, or since this was too slow. */
  async catchUp(tasks: TaskClient) {
    if (!this.#isBehind || !this.#queue.isLive) return
    this.#isBehind = false
    const groups = this.queue.entries().flatMap(([, row]) => ('group' in row ? [row] : []))
    await this.pictures.catchUp(tasks, groups)
  }
}
