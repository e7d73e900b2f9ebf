/**
 * An append-only log of what becomes of tasks, in a folder of its own. What {@link TaskLog.commit} has taken is there after
 * the process was killed and after the power went, and damage to it is not taken for its end.
 *
 * | File | What is in it |
 * | --- | --- |
 * | `000007.log` | records, in pieces of 8 MiB that are full of zeros first |
 * | `mark` | up to which record it is acknowledged, and a copy of the last commit |
 * | `000006.kept` | what is still needed of all pieces up to the sixth, which are removed |
 * | `history-000001.log` | a line for each task that has ended |
 *
 * A commit writes its records to the log, and the number of the last one with a copy of them to the mark, synchronises both
 * at the same time, and is acknowledged. What there is after a crash, step by step:
 *
 * | The crash comes | What is there | What is made of it |
 * | --- | --- | --- |
 * | before anything is on the disk | nothing, or a part of the records, and the mark of the commit before | the part is cut off: nobody was told |
 * | when the log is, and the mark is not, or is torn | all records; the mark's other place counts to the commit before | they are taken: they were submitted, and to keep them is no harm |
 * | when the mark is, and the log is not, or is torn | the records in the mark's copy | they are taken from there, and written to the log |
 * | after both, acknowledged or not | both | the records |
 *
 * So what was acknowledged is in two places when it is the last, and in one when something stands behind it: then each
 * record behind it says, by its number, that it was there. A commit that is too long for a copy (64 KiB) synchronises first
 * the log, then the mark.
 *
 * A commit that fails is taken back before it is refused: the piece is cut where it began, and another one is begun, since
 * after a failed synchronisation nobody knows what the disk has.
 *
 * @since 0.25.0
 */
import { OperationalError } from './lifecycle.ts'
import { splitEvents } from './task-log-event.ts'
import { type LogFiles, reasonOf } from './task-log-files.ts'
import type { TaskHistory } from './task-log-history.ts'
import { type Kept, makeKept, neededOf, sourcesOf } from './task-log-kept.ts'
import { seedOf } from './task-log-record.ts'
import type { TaskTable } from './task-log-table.ts'
import type { LogWriter } from './task-log-writer.ts'

/** After how many pieces what is done is thrown away. */
const PIECES = 4

/** The same, where pieces are short because the program was started often. */
const MOST_PIECES = 64

/**
 * What a log is made of.
 *
 * @internal
 */
export interface LogParts {
  files: LogFiles
  folder: string
  store: string
  segmentBytes: number
  writer: LogWriter
  table: TaskTable
  history: TaskHistory
  kept: Kept | undefined
  /** Where is told what goes wrong with nobody waiting for it. */
  warn: (line: string) => void
}

/**
 * Such a log, open. `openTaskLog` makes it.
 *
 * @internal
 */
export class TaskLog {
  readonly #parts: LogParts
  readonly #seed: number
  /** What was committed, and is not in the table yet: that is done when nobody waits for it. */
  #fresh: { number: number; content: Buffer }[] = []
  #tidying: Promise<void> | undefined
  #isTold = false
  #isClosed = false

  constructor(parts: LogParts) {
    this.#parts = parts
    this.#seed = seedOf(parts.store)
  }

  get history(): TaskHistory {
    this.#apply()
    return this.#parts.history
  }

  /** How many tasks are not done, or done not long ago. */
  get size(): number {
    this.#apply()
    return this.#parts.table.size
  }

  /** How many tasks have not ended. */
  get open(): number {
    this.#apply()
    return this.#parts.table.open
  }

  /** The number of the last record. */
  get last(): number {
    return this.#parts.writer.last
  }

  /** What is to be known of all tasks that matter, in order, some records at a time: their contents. */
  async *recovered(): AsyncGenerator<Buffer[], void, void> {
    this.#apply()
    const { files, table, kept, writer } = this.#parts
    const sources = sourcesOf(kept, writer.pieces)
    const needed = neededOf(files, sources, this.#seed, ({ number, content }) => table.needs(number, content))
    for await (const records of needed) yield records.map(({ content }) => content)
  }

  /**
   * Resolves when these events, as `encodeEvents` writes them, are on the disk. One at a time.
   *
   * @throws OperationalError when the disk does not take them: then none of them is there, and it can be tried again
   */
  async commit(events: Uint8Array): Promise<void> {
    const { writer } = this.#parts
    const sealed = writer.sealed.at(-1)
    const contents = [...splitEvents(events)]
    try {
      await writer.commit(contents)
    } finally {
      if (writer.sealed.at(-1) !== sealed && this.#isLong()) void this.tidy()
    }
    const first = writer.last - contents.length + 1
    for (const [place, content] of contents.entries()) this.#fresh.push({ number: first + place, content })
    setImmediate(() => this.#apply())
  }

  /** Throws away what is done and long ago, as far as it is in pieces that are full. Resolves when that is done. */
  tidy(): Promise<void> {
    this.#tidying ??= this.#tidy()
      .catch((error) => {
        if (!this.#isClosed && !this.#isTold)
          this.#parts.warn(
            error instanceof OperationalError
              ? error.message
              : `Cannot tidy up ${this.#parts.folder} (${reasonOf(error)}): it goes on growing until that is mended.`,
          )
        this.#isTold = true
      })
      .finally(() => {
        this.#tidying = undefined
      })
    return this.#tidying
  }

  /** Ends it. What was committed is on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    const { writer, history } = this.#parts
    await this.#tidying
    await history.flush().catch(() => {})
    history.close()
    await writer.close()
  }

  #apply(): void {
    const { table, history } = this.#parts
    const fresh = this.#fresh
    this.#fresh = []
    for (const { number, content } of fresh) {
      const ended = table.apply(number, content)
      if (ended) history.add(ended, number)
    }
  }

  #isLong(): boolean {
    const { writer, segmentBytes, kept } = this.#parts
    const { sealed } = writer
    const bytes = sealed.reduce((sum, { end }) => sum + end, 0)
    return sealed.length >= MOST_PIECES || bytes >= Math.max((PIECES - 0.5) * segmentBytes, kept?.bytes ?? 0)
  }

  async #tidy(): Promise<void> {
    const { files, folder, store, writer, table, history, kept } = this.#parts
    const sealed = [...writer.sealed]
    const newest = sealed.at(-1)
    if (!newest) return
    // All that is in these pieces is in the table now, and what has ended by them in the history.
    this.#apply()
    table.settle()
    await history.sync()
    const made = await makeKept(
      files,
      folder,
      { store, index: newest.index, through: newest.last },
      neededOf(files, sourcesOf(kept, sealed), this.#seed, ({ number, content }) =>
        table.needs(number, content),
      ),
    )
    this.#parts.kept = made
    if (kept) files.remove(kept.path)
    writer.drop(sealed)
    this.#isTold = false
  }
}
