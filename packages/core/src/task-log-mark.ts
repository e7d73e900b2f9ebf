/**
 * The mark: up to which record a log is acknowledged, kept apart from the log, so that a log that was cut short is known to
 * be. It has two places that are written in turn: a write that is torn leaves the other.
 *
 * What was said last is the one thing that nothing behind it in the log can vouch for. To have the mark on the disk before
 * it is said, and after the log, would take two synchronisations, one after the other. So the mark has a copy of what the
 * log gets, as long as that is short: both files are synchronised at the same time, and whichever of them is whole has it.
 * A commit that is too long for a copy pays for two.
 *
 * @since 0.25.0
 */

import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { OperationalError } from './lifecycle.ts'
import type { LogFiles } from './task-log-files.ts'
import { headBytes, readHead, TASK_STORE } from './task-log-head.ts'
import { readStart } from './task-log-reader.ts'
import { type LogRecord, recordAt, seedOf } from './task-log-record.ts'

/** Where the first place begins, and how large each is: whole blocks of a disk. */
const PLACES_AT = 4096
const PLACE_BYTES = 65_536

/** What stands before the copy: a checksum, its length, the number, which write it was, and in which piece the record is. */
const BEFORE_COPY = 32

/**
 * How many bytes a copy may have.
 *
 * @internal
 */
export const MOST_COPY_BYTES = PLACE_BYTES - BEFORE_COPY

/**
 * What a mark says.
 *
 * @internal
 */
export interface Marked {
  /** The identity of the store. */
  store: string
  /** Up to which record: of these, those in the copy may be here alone. */
  through: number
  /** Which piece of the log has that one. */
  index: number
  copy: LogRecord[]
  /** How often it was written. */
  turn: number
}

/**
 * The mark's file, to be written.
 *
 * @internal
 */
export class LogMark {
  readonly #files: LogFiles
  readonly #seed: number
  readonly file: number
  #turn: number

  /** @throws the system's error when the file cannot be opened */
  constructor(files: LogFiles, folder: string, { store, turn }: Marked) {
    this.#files = files
    this.#seed = seedOf(store)
    this.file = files.open(join(folder, 'mark'), 'r+')
    this.#turn = turn
  }

  /** Writes it; who calls synchronises it. */
  write(through: number, index: number, copy: Buffer = Buffer.alloc(0)): void {
    // Counted before: a write that has failed may be there in part, and the next one must not spare it.
    this.#turn += 1
    const bytes = placeBytes({ through, index, turn: this.#turn }, copy, this.#seed)
    this.#files.write(this.file, bytes, PLACES_AT + (this.#turn % 2) * PLACE_BYTES)
  }
}

/**
 * Makes the mark of a new store, under another name first: when it has its own, it is whole.
 *
 * @internal
 */
export async function makeMark(
  files: LogFiles,
  folder: string,
  store: string,
  through = 0,
  owner = TASK_STORE,
): Promise<void> {
  const beside = join(folder, 'mark.new')
  files.remove(beside)
  const file = files.open(beside, 'wx+')
  try {
    const bytes = Buffer.alloc(PLACES_AT + 2 * PLACE_BYTES)
    headBytes({ kind: 'mark', store, index: 0 }, owner).copy(bytes)
    for (const turn of [0, 1])
      placeBytes({ through, index: 0, turn }, Buffer.alloc(0), seedOf(store)).copy(
        bytes,
        PLACES_AT + turn * PLACE_BYTES,
      )
    files.write(file, bytes, 0)
    await files.sync(file)
  } finally {
    files.close(file)
  }
  files.rename(beside, join(folder, 'mark'))
  await files.syncFolder(folder)
}

/**
 * Reads a mark.
 *
 * @throws OperationalError when it is damaged, or none
 * @internal
 */
export async function readMark(files: LogFiles, folder: string, owner = TASK_STORE): Promise<Marked> {
  const path = join(folder, 'mark')
  const bytes = await readStart(files, path, PLACES_AT + 2 * PLACE_BYTES)
  const { store } = readHead(bytes, path, 'mark', undefined, owner)
  const places = [0, 1].flatMap((place) => readPlace(bytes, PLACES_AT + place * PLACE_BYTES, store))
  const [one, other] = places
  const newest = one && other ? (one.turn > other.turn ? one : other) : one
  if (newest) return newest
  throw new OperationalError(
    `${path} is damaged in both places where it says up to which record the store is acknowledged (bytes ${PLACES_AT} and ${PLACES_AT + PLACE_BYTES}). ${owner.whatToDo}`,
  )
}

function placeBytes(
  { through, index, turn }: Pick<Marked, 'through' | 'index' | 'turn'>,
  copy: Buffer,
  seed: number,
): Buffer {
  const bytes = Buffer.alloc(BEFORE_COPY + copy.length)
  bytes.writeUInt32LE(copy.length, 4)
  bytes.writeDoubleLE(through, 8)
  bytes.writeDoubleLE(turn, 16)
  bytes.writeDoubleLE(index, 24)
  copy.copy(bytes, BEFORE_COPY)
  bytes.writeUInt32LE(crc32(bytes.subarray(4), seed), 0)
  return bytes
}

function readPlace(bytes: Buffer, at: number, store: string): Marked[] {
  const seed = seedOf(store)
  if (at + BEFORE_COPY > bytes.length) return []
  const end = at + BEFORE_COPY + bytes.readUInt32LE(at + 4)
  if (end > bytes.length || crc32(bytes.subarray(at + 4, end), seed) !== bytes.readUInt32LE(at)) return []
  const copy: LogRecord[] = []
  for (let from = at + BEFORE_COPY; from < end; ) {
    const record = recordAt(bytes, from, seed)
    if (!record) return []
    copy.push(record)
    from = record.end
  }
  const [through = 0, turn = 0, index = 0] = [8, 16, 24].map((place) => bytes.readDoubleLE(at + place))
  return [{ store, through, turn, index, copy }]
}
