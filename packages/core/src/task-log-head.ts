/**
 * How each file of a task store begins: one line of JSON that anybody can read, and its checksum.
 *
 * @since 0.25.0
 */
import { crc32 } from 'node:zlib'
import { OperationalError } from './lifecycle.ts'

/**
 * How many bytes it has.
 *
 * @internal
 */
export const HEAD_BYTES = 512

/** What the files are like. Whoever changes that counts on, and takes older files along. The head itself stays as it is. */
const VERSION = 1

const WHAT = 'rpi-cluster task store'

/**
 * What a file says of itself.
 *
 * @internal
 */
export interface FileHead {
  kind: 'mark' | 'log' | 'kept' | 'history'
  /** The identity of the store. */
  store: string
  /** Which of its kind. */
  index: number
  /** Of a kept one: the number of the last record that it stands for, and how many it has of those, in how many bytes. */
  through?: number
  count?: number
  bytes?: number
  /** Of a history: the number of its first record, and the time of that, in ms since 1970. */
  first?: number
  at?: number
}

/**
 * The first bytes of a file are not what they should be.
 *
 * @internal
 */
export class DamagedHead extends OperationalError {}

/**
 * The bytes of a head.
 *
 * @internal
 */
export function headBytes(head: FileHead): Buffer {
  const line = JSON.stringify({ what: WHAT, version: VERSION, ...head })
  const text = `${line.padEnd(HEAD_BYTES - 10)}\n`
  return Buffer.from(`${text}${checksum(text)}\n`)
}

/**
 * Reads a head.
 *
 * @param name what the file is called where somebody reads it
 * @param store the identity that it must have; undefined where that is not known yet
 * @throws OperationalError when it is damaged, another store's, a later version's, or none
 * @internal
 */
export function readHead(bytes: Buffer, name: string, kind: FileHead['kind'], store?: string): FileHead {
  const text = bytes.toString('latin1', 0, HEAD_BYTES - 9)
  const isWhole =
    bytes.length >= HEAD_BYTES &&
    bytes.toString('latin1', HEAD_BYTES - 9, HEAD_BYTES) === `${checksum(text)}\n`
  if (!isWhole && !text.startsWith(`{"what":"${WHAT}"`)) {
    throw new DamagedHead(
      `${name} does not begin as a file of a task store does: either its first ${HEAD_BYTES} bytes are damaged, or it is another program's. ${WHAT_TO_DO}`,
    )
  }
  if (!isWhole) throw new DamagedHead(`${name} is damaged in its first ${HEAD_BYTES} bytes. ${WHAT_TO_DO}`)
  const { what, version, ...head } = JSON.parse(text)
  if (what !== WHAT) throw new OperationalError(`${name} is no file of a task store. ${WHAT_TO_DO}`)
  if (version > VERSION) {
    throw new OperationalError(
      `${name} was written by a later version of this program (its files are version ${version}, and ${VERSION} is known here): use that version, or move the folder away to begin anew.`,
    )
  }
  if (head.kind !== kind || (store !== undefined && head.store !== store)) {
    throw new OperationalError(
      `${name} belongs to another task store, or had another name there (it is ${head.kind} ${head.index} of ${head.store}${store === undefined ? '' : `, and this store is ${store}`}). ${WHAT_TO_DO}`,
    )
  }
  return head
}

/**
 * What a reader can do about damage.
 *
 * @internal
 */
export const WHAT_TO_DO =
  'Put back a copy of the folder, or begin with what is whole in it: salvageTaskStore does that, and keeps the damaged files.'

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
