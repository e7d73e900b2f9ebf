/**
 * The end of a log, which is written: it commits records to the newest piece, makes the next one before it is needed, and
 * takes back what the disk has not taken.
 *
 * @since 0.25.0
 */
import { OperationalError } from './lifecycle.ts'
import { type LogFiles, reasonOf } from './task-log-files.ts'
import type { LogOwner } from './task-log-head.ts'
import { type LogMark, MOST_COPY_BYTES } from './task-log-mark.ts'
import { putRecord, RECORD_HEAD, seedOf } from './task-log-record.ts'
import { makeSegment, type OpenSegment, type Segment } from './task-log-segment.ts'

/**
 * What it is made of.
 *
 * @internal
 */
export interface WriterParts {
  files: LogFiles
  folder: string
  store: string
  owner: LogOwner
  segmentBytes: number
  mark: LogMark
  /** The newest piece that is not there any more: a file stands for all up to it. */
  before: number
  /** The pieces that nothing is written to any more, and the one that is written. */
  sealed: Segment[]
  current: OpenSegment | undefined
  /** The number of the last record. */
  last: number
}

/**
 * Such an end. `openWriter` makes it.
 *
 * @internal
 */
export class LogWriter {
  readonly #parts: WriterParts
  readonly #seed: number
  #spare: Promise<OpenSegment | undefined> | undefined
  #hasFailed = false
  #isClosed = false

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#seed = seedOf(parts.store)
  }

  /** The number of the last record. */
  get last(): number {
    return this.#parts.last
  }

  /** The pieces that nothing is written to any more. */
  get sealed(): readonly Segment[] {
    return this.#parts.sealed
  }

  /** All pieces. */
  get pieces(): readonly Segment[] {
    const { sealed, current } = this.#parts
    return current ? [...sealed, current] : sealed
  }

  /**
   * Resolves when these are on the disk, as records whose numbers follow the last one. One at a time.
   *
   * @throws OperationalError when the disk does not take them: then none of them is there, and it can be tried again
   */
  async commit(contents: readonly Buffer[]): Promise<void> {
    try {
      if (this.#hasFailed) await this.#takeBack()
      const bytes = contents.reduce((sum, content) => sum + RECORD_HEAD + content.length, 0)
      const segment = await this.#roomFor(bytes)
      await this.#write(segment, contents, bytes)
    } catch (error) {
      throw new OperationalError(`Cannot write to ${this.#parts.folder}: ${reasonOf(error)}.`, {
        cause: error,
      })
    }
    this.prepare()
  }

  /** Makes the next piece before it is needed. Where there is no room for it, that is told when it is needed. */
  prepare(): void {
    const { current } = this.#parts
    if (this.#spare || this.#isClosed || (current && current.end < current.size / 2)) return
    this.#spare = this.#make().catch(() => undefined)
  }

  /**
   * Has what is written next stand in another piece. Not while a commit is under way.
   *
   * @throws the system's error when a commit had failed before, and still cannot be taken back
   */
  async seal(): Promise<void> {
    if (this.#hasFailed) await this.#takeBack()
    const { files, current, sealed } = this.#parts
    if (!current) return
    files.close(current.file)
    sealed.push(current)
    this.#parts.current = undefined
  }

  /** Removes pieces that something else stands for now. */
  drop(segments: readonly Segment[]): void {
    this.#parts.sealed = this.#parts.sealed.filter((segment) => !segments.includes(segment))
    for (const { index, path } of segments) {
      this.#parts.before = Math.max(this.#parts.before, index)
      this.#parts.files.remove(path)
    }
  }

  /** Ends it. What was committed is on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    const { files, current, mark } = this.#parts
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
    return next
  }

  #make(): Promise<OpenSegment> {
    const { files, folder, store, owner, segmentBytes, current, sealed, before, last } = this.#parts
    const index = (current?.index ?? sealed.at(-1)?.index ?? before) + 1
    return makeSegment(files, folder, { store, index, bytes: segmentBytes, last }, owner)
  }
}
