/**
 * Reads a file of records in pieces, so that a large one needs no more memory than a small one.
 *
 * @since 0.25.0
 */

import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES } from './task-log-head.ts'
import { type LogRecord, lengthAt, recordAt } from './task-log-record.ts'

/** How many bytes are read at a time. */
const PIECE_BYTES = 1024 * 1024

/**
 * The first bytes of a file, or all that there are.
 *
 * @internal
 */
export async function readStart(files: LogFiles, path: string, length: number): Promise<Buffer> {
  const file = files.open(path, 'r')
  try {
    const bytes = Buffer.alloc(Math.min(length, files.size(file)))
    return bytes.subarray(0, await files.read(file, bytes, 0))
  } finally {
    files.close(file)
  }
}

/**
 * The whole records of a file, one after the other, up to the first place where there is none.
 *
 * @internal
 */
export class RecordReader {
  readonly #files: LogFiles
  readonly #file: number
  readonly #seed: number
  readonly #size: number
  #piece: Buffer = Buffer.alloc(0)
  /** Where the piece begins in the file. */
  #at = HEAD_BYTES

  /** @throws the system's error when the file cannot be opened */
  constructor(files: LogFiles, path: string, seed: number) {
    this.#files = files
    this.#seed = seed
    this.#file = files.open(path, 'r')
    this.#size = files.size(this.#file)
  }

  /** Where the last whole record ends in the file. */
  get end(): number {
    return this.#at
  }

  /** Some more of them; undefined when there are no more. */
  async next(): Promise<LogRecord[] | undefined> {
    for (let want = PIECE_BYTES; ; ) {
      await this.#fill(want)
      const records: LogRecord[] = []
      let end = 0
      for (let record = this.#recordAt(0); record; record = this.#recordAt(end)) {
        records.push(record)
        end = record.end
      }
      this.#piece = this.#piece.subarray(end)
      this.#at += end
      if (records.length > 0) return records
      const length = lengthAt(this.#piece, 0) ?? 0
      if (length <= this.#piece.length || this.#at + this.#piece.length >= this.#size) return undefined
      want = length
    }
  }

  close(): void {
    this.#files.close(this.#file)
  }

  /** All records, a piece at a time; it is closed then. */
  async *[Symbol.asyncIterator](): AsyncGenerator<LogRecord[], void, void> {
    try {
      for (let records = await this.next(); records; records = await this.next()) yield records
    } finally {
      this.close()
    }
  }

  #recordAt(at: number): LogRecord | undefined {
    return recordAt(this.#piece, at, this.#seed)
  }

  async #fill(want: number): Promise<void> {
    const length = Math.min(want, this.#size - this.#at)
    if (length <= this.#piece.length) return
    // Never into the same memory: who has records of the piece before may keep them.
    const piece = Buffer.allocUnsafeSlow(length)
    this.#piece.copy(piece)
    const { length: had } = this.#piece
    const count = await this.#files.read(this.#file, piece.subarray(had), this.#at + had)
    this.#piece = piece.subarray(0, had + count)
  }
}
