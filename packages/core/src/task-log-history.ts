/**
 * The history of tasks that have ended: a record each, in files that are a day's or four megabytes, of which the oldest are
 * removed. It is written behind the log, and never waited for: what is not on the disk when the power goes is made of the
 * log again, which keeps it until then.
 *
 * @since 0.25.0
 */
import { join } from 'node:path'
import type { LogFiles } from './task-log-files.ts'
import { DamagedHead, type FileHead, HEAD_BYTES, headBytes, readHead } from './task-log-head.ts'
import {
  type HistoryFile,
  pageOf,
  type TaskHistoryPage,
  type TaskHistoryQuery,
} from './task-log-history-page.ts'
import { readStart } from './task-log-reader.ts'
import { putRecord, RECORD_HEAD, seedOf, wholeRecords } from './task-log-record.ts'
import { filesOf, nameOf } from './task-log-segment.ts'
import type { EndedTask } from './task-log-table.ts'

/** How large a file becomes. */
const FILE_BYTES = 4 * 1024 * 1024

const DAY_MS = 86_400_000

/** After how many bytes it is written, when nobody asks before. */
const PENDING_BYTES = 65_536

/** How much of a history is kept. */
export interface TaskHistoryKeep {
  /** For how many days. */
  days: number
  /** How large all its files are at most, in MB. */
  mostMb: number
}

/** What was added, and is not written yet. */
interface Row {
  bytes: Buffer
  at: number
}

/** @internal */
export class TaskHistory {
  readonly #files: LogFiles
  readonly #folder: string
  readonly #store: string
  readonly #seed: number
  readonly #keep: TaskHistoryKeep
  readonly #fileBytes: number
  readonly #warn: (line: string) => void
  readonly #all: HistoryFile[] = []
  /** The last of them, when it is open to be written. */
  #file: number | undefined
  #pending: Row[] = []
  #pendingBytes = 0
  #newestAt = 0
  #flushAt = PENDING_BYTES
  #nextIndex = 1
  #last = 0
  #source = 0
  #work: Promise<void> = Promise.resolve()
  readonly #told = new Set<string>()

  constructor(
    files: LogFiles,
    folder: string,
    store: string,
    keep: TaskHistoryKeep,
    warn: (line: string) => void,
    fileBytes: number = FILE_BYTES,
  ) {
    this.#files = files
    this.#folder = folder
    this.#store = store
    this.#seed = seedOf(store)
    this.#keep = keep
    this.#warn = warn
    this.#fileBytes = fileBytes
  }

  /**
   * Reads where it has ended.
   *
   * @param from what the log does not have any more: what is younger than that is made of the log again
   * @throws OperationalError when a file is no history of this store
   */
  async open(from: number): Promise<void> {
    const found = filesOf(this.#files, this.#folder, 'history')
    for (const { index, path } of found) {
      const start = await readStart(this.#files, path, HEAD_BYTES)
      if (index === found.at(-1)?.index && isUnfinished(start)) {
        this.#files.remove(path)
        continue
      }
      this.#nextIndex = index + 1
      const head = this.#headOf(start, path)
      if (!head) continue
      const { first = 0, at = 0 } = head
      const file = this.#files.open(path, 'r')
      this.#all.push({ index, path, first, at, bytes: this.#files.size(file) })
      this.#files.close(file)
    }
    this.#source = from
    for (const file of this.#all.slice(-2)) await this.#readEnd(file, from)
  }

  /** The number of the last record of the log that it knows. */
  get source(): number {
    return this.#source
  }

  /** Adds a task that has ended by a record of the log. Known ones are not added again. */
  add(task: EndedTask, source: number): void {
    if (source <= this.#source) return
    this.#source = source
    this.#last += 1
    const content = Buffer.from(JSON.stringify({ source, ...task }))
    const bytes = Buffer.alloc(RECORD_HEAD + content.length)
    putRecord(bytes, 0, { number: this.#last, place: 0, content }, this.#seed)
    this.#pending.push({ bytes, at: task.at })
    this.#pendingBytes += bytes.length
    this.#newestAt = task.at
    if (this.#pendingBytes < this.#flushAt) return
    // On a disk that is full, not with each task.
    this.#flushAt = 2 * this.#pendingBytes
    void this.flush().catch(() => {})
  }

  /**
   * Writes what was added.
   *
   * @throws the system's error when there is no room for it: it waits on
   */
  flush(): Promise<void> {
    const work = this.#work.then(() => this.#flush())
    this.#work = work.catch(() => {})
    return work
  }

  /** Has all on the disk that was added. */
  async sync(): Promise<void> {
    await this.flush()
    if (this.#file !== undefined) await this.#files.sync(this.#file)
    await this.#files.syncFolder(this.#folder)
  }

  /**
   * A page of it.
   *
   * @throws OperationalError when the question is none
   */
  async page(query: TaskHistoryQuery): Promise<TaskHistoryPage> {
    await this.flush().catch(() => {})
    return pageOf(this.#files, this.#all, this.#seed, query, (path, at, count) => {
      if (this.#told.has(path)) return
      this.#told.add(path)
      this.#warn(
        `${path} is damaged at byte ${at}: the history lacks ${count} ${count === 1 ? 'task' : 'tasks'} there, and the others are shown. No task that waits is touched by that.`,
      )
    })
  }

  close(): void {
    if (this.#file !== undefined) this.#files.close(this.#file)
    this.#file = undefined
  }

  /** Where even that is damaged, the others are a history still. */
  #headOf(start: Buffer, path: string): FileHead | undefined {
    try {
      return readHead(start, path, 'history', this.#store)
    } catch (error) {
      if (!(error instanceof DamagedHead)) throw error
      this.#warn(`${path} is damaged in its first ${HEAD_BYTES} bytes: the history lacks what is in it.`)
      return undefined
    }
  }

  /** What stands last in a file. What is torn there is made again, if it can be; if not, another file is begun behind it. */
  async #readEnd(file: HistoryFile, from: number): Promise<void> {
    const bytes = await readStart(this.#files, file.path, Number.POSITIVE_INFINITY)
    let [end, last, source, isTorn] = [HEAD_BYTES, file.first - 1, 0, false]
    for (const record of wholeRecords(bytes, HEAD_BYTES, this.#seed)) {
      const row = JSON.parse(record.content.toString())
      // The log has what is younger.
      isTorn = record.number !== last + 1
      if (isTorn && source >= from) break
      isTorn = false
      last = record.number
      source = row.source
      end = record.end
    }
    this.#last = last
    this.#source = Math.max(this.#source, source)
    if (file !== this.#all.at(-1)) return
    const opened = this.#files.open(file.path, 'r+')
    if (end < bytes.length) {
      this.#files.truncate(opened, end)
      await this.#files.sync(opened)
      file.bytes = end
    }
    this.#file = opened
  }

  async #flush(): Promise<void> {
    for (let [oldest] = this.#pending; oldest; [oldest] = this.#pending) {
      const day = dayOf(oldest.at)
      let file = this.#all.at(-1)
      const isFull = file && (file.bytes + oldest.bytes.length > this.#fileBytes || day > dayOf(file.at))
      if (!file || this.#file === undefined || isFull) file = await this.#begin(oldest.at)
      const rows: Row[] = []
      let room = this.#fileBytes - file.bytes
      for (const row of this.#pending) {
        room -= row.bytes.length
        if (rows.length > 0 && (room < 0 || dayOf(row.at) > day)) break
        rows.push(row)
      }
      const written = Buffer.concat(rows.map((row) => row.bytes))
      this.#files.write(this.#file as number, written, file.bytes)
      file.bytes += written.length
      this.#pending.splice(0, rows.length)
      this.#pendingBytes -= written.length
    }
    this.#flushAt = PENDING_BYTES
  }

  /** Begins a file; the one before is on the disk then. */
  async #begin(at: number): Promise<HistoryFile> {
    if (this.#file !== undefined) await this.#files.sync(this.#file)
    await this.#files.syncFolder(this.#folder)
    const index = this.#nextIndex
    const path = join(this.#folder, nameOf('history', index))
    const first = this.#last - this.#pending.length + 1
    const head: FileHead = { kind: 'history', store: this.#store, index, first, at }
    this.#files.remove(path)
    const file = this.#files.open(path, 'wx+')
    try {
      this.#files.write(file, headBytes(head), 0)
    } catch (error) {
      this.#files.close(file)
      this.#files.remove(path)
      throw error
    }
    this.close()
    this.#file = file
    const begun = { index, path, first, at, bytes: HEAD_BYTES }
    this.#all.push(begun)
    this.#nextIndex += 1
    this.#prune()
    return begun
  }

  /** Removes the oldest files: those whose next one begins too long ago, and what is too much. */
  #prune(): void {
    let bytes = this.#all.reduce((sum, file) => sum + file.bytes, 0) + this.#fileBytes
    for (;;) {
      const [oldest, next] = this.#all
      if (!oldest || !next) return
      const isOld = next.at < this.#newestAt - this.#keep.days * DAY_MS
      if (!isOld && bytes <= this.#keep.mostMb * 1e6) return
      this.#files.remove(oldest.path)
      bytes -= oldest.bytes
      this.#all.shift()
    }
  }
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS)
}

function isUnfinished(start: Buffer): boolean {
  return start.length < HEAD_BYTES || start.every((byte) => byte === 0)
}
