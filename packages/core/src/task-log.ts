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
import { HEAD_BYTES } from './task-log-head.ts'
import type { TaskHistory } from './task-log-history.ts'
import { type Kept, makeKept, neededOf } from './task-log-kept.ts'
import { MOST_COPY_BYTES, type TaskMark } from './task-log-mark.ts'
import { putRecord, RECORD_HEAD, seedOf } from './task-log-record.ts'
import { makeSegment, type OpenSegment, type Segment } from './task-log-segment.ts'
import type { TaskTable } from './task-log-table.ts'

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
  mark: TaskMark
  table: TaskTable
  history: TaskHistory
  kept: Kept | undefined
  /** The pieces that nothing is written to any more, and the one that is written. */
  sealed: Segment[]
  current: OpenSegment | undefined
  /** The number of the last record. */
  last: number
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
  #spare: Promise<OpenSegment | undefined> | undefined
  /** What was committed, and is not in the table yet: that is done when nobody waits for it. */
  #fresh: { number: number; content: Buffer }[] = []
  #hasFailed = false
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
    return this.#parts.last
  }

  /** What is to be known of all tasks that matter, in order, some records at a time: their contents. */
  async *recovered(): AsyncGenerator<Buffer[], void, void> {
    this.#apply()
    const { files, table, kept, sealed, current } = this.#parts
    const sources = [...sourcesOf(kept, sealed), ...sourcesOf(undefined, current ? [current] : [])]
    const needed = neededOf(files, sources, this.#seed, ({ number, content }) => table.needs(number, content))
    for await (const records of needed) yield records.map(({ content }) => content)
  }

  /**
   * Resolves when these events, as `encodeEvents` writes them, are on the disk. One at a time.
   *
   * @throws OperationalError when the disk does not take them: then none of them is there, and it can be tried again
   */
  async commit(events: Uint8Array): Promise<void> {
    try {
      if (this.#hasFailed) await this.#takeBack()
      const contents = [...splitEvents(events)]
      const bytes = contents.reduce((sum, content) => sum + RECORD_HEAD + content.length, 0)
      const segment = await this.#roomFor(bytes)
      await this.#write(segment, contents, bytes)
    } catch (error) {
      throw new OperationalError(`Cannot write to ${this.#parts.folder}: ${reasonOf(error)}.`, {
        cause: error,
      })
    }
    setImmediate(() => this.#apply())
    this.prepare()
  }

  /** Makes the next piece before it is needed. Where there is no room for it, that is told when it is needed. */
  prepare(): void {
    const { current } = this.#parts
    if (this.#spare || this.#isClosed || (current && current.end < current.size / 2)) return
    this.#spare = this.#make().catch(() => undefined)
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
    const { files, current, mark, history } = this.#parts
    await this.#tidying
    await history.flush().catch(() => {})
    history.close()
    const spare = await this.#spare
    for (const file of [mark.file, current?.file, spare?.file]) if (file !== undefined) files.close(file)
  }

  async #write(segment: OpenSegment, contents: readonly Buffer[], length: number): Promise<void> {
    const { files, mark, last } = this.#parts
    const bytes = Buffer.allocUnsafe(length)
    let end = 0
    for (const [place, content] of contents.entries())
      end = putRecord(bytes, end, { number: last + 1 + place, place, content }, this.#seed)
    const through = last + contents.length
    try {
      files.write(segment.file, bytes, segment.end)
      if (length <= MOST_COPY_BYTES) {
        mark.write(through, segment.index, bytes)
        await files.sync(segment.file, mark.file)
      } else {
        await files.sync(segment.file)
        mark.write(through, segment.index)
        await files.sync(mark.file)
      }
    } catch (error) {
      this.#hasFailed = true
      await this.#takeBack().catch(() => {})
      throw error
    }
    segment.end += length
    segment.last = through
    this.#parts.last = through
    for (const [place, content] of contents.entries()) this.#fresh.push({ number: last + 1 + place, content })
  }

  /** Takes what may be there of a commit that has failed off the disk, and goes on in another piece. */
  async #takeBack(): Promise<void> {
    const { files, mark, current, last } = this.#parts
    if (current) {
      files.truncate(current.file, current.end)
      mark.write(last, current.index)
      await files.sync(current.file, mark.file)
      current.size = 0
    }
    this.#hasFailed = false
  }

  /** The piece that so many bytes are written to: this one, or the next, where it is too short. */
  async #roomFor(bytes: number): Promise<OpenSegment> {
    const { current } = this.#parts
    if (current && current.end + bytes <= current.size) return current
    const next = (await this.#spare) ?? (await this.#make())
    this.#spare = undefined
    next.last = this.#parts.last
    if (current) {
      this.#parts.files.close(current.file)
      this.#parts.sealed.push(current)
    }
    this.#parts.current = next
    if (this.#isLong()) void this.tidy()
    return next
  }

  #make(): Promise<OpenSegment> {
    const { files, folder, store, segmentBytes, current, sealed, kept, last } = this.#parts
    const index = (current?.index ?? sealed.at(-1)?.index ?? kept?.index ?? 0) + 1
    return makeSegment(files, folder, { store, index, bytes: segmentBytes, last })
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
    const { sealed, segmentBytes, kept } = this.#parts
    const bytes = sealed.reduce((sum, { end }) => sum + end, 0)
    return sealed.length >= MOST_PIECES || bytes >= Math.max((PIECES - 0.5) * segmentBytes, kept?.bytes ?? 0)
  }

  async #tidy(): Promise<void> {
    const { files, folder, store, table, history, kept } = this.#parts
    const sealed = [...this.#parts.sealed]
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
    this.#parts.sealed = this.#parts.sealed.filter((segment) => !sealed.includes(segment))
    for (const { path } of [...(kept ? [kept] : []), ...sealed]) files.remove(path)
    this.#isTold = false
  }
}

function sourcesOf(
  kept: Kept | undefined,
  segments: readonly Segment[],
): { path: string; last: number; count?: number }[] {
  return [
    ...(kept ? [{ path: kept.path, last: kept.through, count: kept.count }] : []),
    ...segments.map(({ path, last, end }) => ({ path, last, ...(end <= HEAD_BYTES && { count: 0 }) })),
  ]
}
