/**
 * A record of a log: a few bytes that say how long it is and which number it has, and its content, under one checksum.
 * Numbers have no gaps: a record that is not there is missed.
 *
 * | Byte | What |
 * | --- | --- |
 * | 0 | `task`: where a record begins, for who looks for one behind what is damaged |
 * | 4 | CRC-32 of all that follows; it begins with the store, so that another store's records are none here |
 * | 8 | how many bytes the content has |
 * | 12 | how many records of the same commit stand before it |
 * | 16 | its number |
 * | 24 | the content |
 *
 * A record that is the first of its commit tells of all before it that they were synchronised: a commit begins when the one
 * before has ended.
 *
 * @since 0.25.0
 */
import { crc32 } from 'node:zlib'
import { MOST_EVENT_BYTES } from './task-log-event.ts'

/** How a record begins: "task". */
const MAGIC = Buffer.from('task')
const MAGIC_NUMBER = MAGIC.readUInt32LE()

/**
 * How many bytes a record has before its content.
 *
 * @internal
 */
export const RECORD_HEAD = 24

/**
 * A record as it stands in a piece of a file.
 *
 * @internal
 */
export interface LogRecord {
  number: number
  /** How many records of the same commit stand before it. */
  place: number
  content: Buffer
  /** All of it, as it is copied. */
  bytes: Buffer
  /** Where it ends in that piece. */
  end: number
}

/**
 * What the checksums of a store begin with.
 *
 * @param store its identity
 * @internal
 */
export function seedOf(store: string): number {
  return crc32(store)
}

/**
 * Writes a record into a piece of memory, which has room for it.
 *
 * @returns where it ends
 * @internal
 */
export function putRecord(
  target: Buffer,
  at: number,
  { number, place, content }: Pick<LogRecord, 'number' | 'place' | 'content'>,
  seed: number,
): number {
  const end = at + RECORD_HEAD + content.length
  target.writeUInt32LE(MAGIC_NUMBER, at)
  target.writeUInt32LE(content.length, at + 8)
  target.writeUInt32LE(place, at + 12)
  target.writeUInt32LE(number % 2 ** 32, at + 16)
  target.writeUInt32LE(Math.floor(number / 2 ** 32), at + 20)
  content.copy(target, at + RECORD_HEAD)
  target.writeUInt32LE(crc32(target.subarray(at + 8, end), seed), at + 4)
  return end
}

/**
 * How long the record at a place says that it is; undefined where none begins.
 *
 * @internal
 */
export function lengthAt(bytes: Buffer, at: number): number | undefined {
  if (at + RECORD_HEAD > bytes.length || bytes.readUInt32LE(at) !== MAGIC_NUMBER) return undefined
  const length = bytes.readUInt32LE(at + 8)
  return length > MOST_EVENT_BYTES ? undefined : RECORD_HEAD + length
}

/**
 * The record at a place; undefined where there is none that is whole.
 *
 * @internal
 */
export function recordAt(bytes: Buffer, at: number, seed: number): LogRecord | undefined {
  const length = lengthAt(bytes, at)
  if (length === undefined || at + length > bytes.length) return undefined
  const end = at + length
  if (crc32(bytes.subarray(at + 8, end), seed) !== bytes.readUInt32LE(at + 4)) return undefined
  return {
    number: bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20) * 2 ** 32,
    place: bytes.readUInt32LE(at + 12),
    content: bytes.subarray(at + RECORD_HEAD, end),
    bytes: bytes.subarray(at, end),
    end,
  }
}

/**
 * All whole records from a place on, wherever they begin.
 *
 * @internal
 */
export function* wholeRecords(bytes: Buffer, from: number, seed: number): Generator<LogRecord, void, void> {
  for (let at = bytes.indexOf(MAGIC, from); at >= 0; ) {
    const record = recordAt(bytes, at, seed)
    if (record) yield record
    at = bytes.indexOf(MAGIC, record?.end ?? at + 1)
  }
}
