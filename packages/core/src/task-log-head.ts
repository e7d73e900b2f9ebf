/**
 * How each file of a log begins: one line of JSON that anybody can read, and its checksum.
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

/**
 * Whose files they are: what is said of them, and to whom.
 *
 * @internal
 */
export interface LogOwner {
  /** What such a log is called, in a file and in words: "task store". */
  readonly name: string
  /** What its files are like. Whoever changes that counts on, and takes older files along. The head itself stays as it is. */
  readonly version: number
  /** What a reader can do about damage. */
  readonly whatToDo: string
}

/**
 * A store of tasks.
 *
 * @internal
 */
export const TASK_STORE: LogOwner = {
  name: 'task store',
  version: 1,
  whatToDo:
    'Put back a copy of the folder, or begin with what is whole in it: salvageTaskStore does that, and keeps the damaged files.',
}

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
export function headBytes(head: FileHead, owner = TASK_STORE): Buffer {
  const line = JSON.stringify({ what: whatOf(owner), version: owner.version, ...head })
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
export function readHead(
  bytes: Buffer,
  name: string,
  kind: FileHead['kind'],
  store?: string,
  owner = TASK_STORE,
): FileHead {
  const text = bytes.toString('latin1', 0, HEAD_BYTES - 9)
  const isWhole =
    bytes.length >= HEAD_BYTES &&
    bytes.toString('latin1', HEAD_BYTES - 9, HEAD_BYTES) === `${checksum(text)}\n`
  if (!isWhole && !text.startsWith(`{"what":"${whatOf(owner)}"`)) {
    throw new DamagedHead(
      `${name} does not begin as a file of a ${owner.name} does: either its first ${HEAD_BYTES} bytes are damaged, or it is another program's. ${owner.whatToDo}`,
    )
  }
  if (!isWhole)
    throw new DamagedHead(`${name} is damaged in its first ${HEAD_BYTES} bytes. ${owner.whatToDo}`)
  const { what, version, ...head } = JSON.parse(text)
  if (what !== whatOf(owner))
    throw new OperationalError(`${name} is no file of a ${owner.name}. ${owner.whatToDo}`)
  if (version > owner.version) {
    throw new OperationalError(
      `${name} was written by a later version of this program (its files are version ${version}, and ${owner.version} is known here): use that version, or move the folder away to begin anew.`,
    )
  }
  if (head.kind !== kind || (store !== undefined && head.store !== store)) {
    throw new OperationalError(
      `${name} belongs to another ${owner.name}, or had another name there (it is ${head.kind} ${head.index} of ${head.store}${store === undefined ? '' : `, and this store is ${store}`}). ${owner.whatToDo}`,
    )
  }
  return head
}

function whatOf({ name }: LogOwner): string {
  return `rpi-cluster ${name}`
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
