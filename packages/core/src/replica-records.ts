/**
 * How the entries of a replica's log, and what it must never forget, stand in the records on its disk. The first byte says
 * what it is; text stands last, as UTF-8.
 *
 * | Kind | Behind the first byte |
 * | --- | --- |
 * | an entry, or the head of a snapshot | term, index and time (of a snapshot, of the last entry that it stands for), 8 bytes each; its data (of a snapshot, the members as JSON) |
 * | a piece of a snapshot | the piece |
 * | the state: term, vote, starts | JSON |
 * | how the cluster began | JSON |
 * | blank: written to see how long that takes | nothing |
 *
 * An entry replaces all from its index on, as in etcd's write-ahead log: nothing has to be taken out of the file for it.
 *
 * @since 0.27.0
 */

import type { LogEntry } from './entry-log.ts'
import { OperationalError } from './lifecycle.ts'
import type { LogMember, LogSnapshot } from './replica-state.ts'
import { MOST_EVENT_BYTES } from './task-log-event.ts'

/** In the order of their numbers in a file, which never change. */
const KINDS = ['blank', 'begin', 'data', 'members', 'snapshot', 'piece', 'state', 'founding'] as const

type Kind = (typeof KINDS)[number]

/** What stands before the text: the kind, and where there is one, the place in the log and the time. */
const KIND_BYTES = 1
const PLACE_BYTES = 24

/**
 * What a record has in it.
 *
 * @internal
 */
export type ReplicaRecord =
  | LogEntry
  | (Omit<LogEntry, 'kind'> & { readonly kind: 'snapshot' })
  | { readonly kind: 'blank' | 'piece' | 'state' | 'founding'; readonly data: string }

/**
 * Whether a record is an entry of the log.
 *
 * @internal
 */
export function isEntry(record: ReplicaRecord): record is LogEntry {
  return isEntryKind(record.kind)
}

/**
 * @param kind as {@link peekRecord} finds it
 * @internal
 */
export function isEntryKind(kind: Kind | undefined): boolean {
  return kind === 'data' || kind === 'begin' || kind === 'members'
}

/**
 * How many bytes a record has.
 *
 * @throws OperationalError when it is too large for one
 * @internal
 */
export function bytesOf({ kind, data }: ReplicaRecord): number {
  const bytes = startOf(kind) + Buffer.byteLength(data)
  if (bytes > MOST_EVENT_BYTES)
    throw new OperationalError(
      `${kind === 'piece' ? 'A piece of a snapshot' : 'What is to be written to the log'} has ${bytes} bytes, and a record may have ${MOST_EVENT_BYTES}.`,
    )
  return bytes
}

/**
 * Records one after the other, each with its length before it: what a thread is handed over.
 *
 * @param size what {@link bytesOf} says of all of them together
 * @internal
 */
export function encodeRecords(records: readonly ReplicaRecord[], size: number): Uint8Array<ArrayBuffer> {
  // A memory of its own, which can be handed over to a thread.
  const bytes = Buffer.allocUnsafeSlow(size + 4 * records.length)
  let at = 0
  for (const record of records) {
    const { kind, data } = record
    const begin = at + 4
    at = bytes.writeUInt8(KINDS.indexOf(kind), begin)
    if ('index' in record) {
      at = bytes.writeDoubleLE(record.term, at)
      at = bytes.writeDoubleLE(record.index, at)
      at = bytes.writeDoubleLE(record.time, at)
    }
    at += bytes.write(data, at)
    bytes.writeUInt32LE(at - begin, begin - 4)
  }
  return bytes
}

/**
 * What the disk looks at: the kind, and the index of an entry or a snapshot; 0 where there is none.
 *
 * @internal
 */
export function peekRecord(content: Buffer): { kind: Kind | undefined; index: number } {
  const kind = KINDS[content[0] ?? -1]
  return { kind, index: kind && startOf(kind) > KIND_BYTES ? content.readDoubleLE(KIND_BYTES + 8) : 0 }
}

/**
 * The record itself.
 *
 * @internal
 */
export function decodeRecord(content: Buffer): ReplicaRecord {
  const kind = KINDS[content[0] ?? -1] ?? 'blank'
  const data = content.toString('utf8', startOf(kind))
  if (kind === 'blank' || kind === 'piece' || kind === 'state' || kind === 'founding') return { kind, data }
  const [term, index, time] = [content.readDoubleLE(1), content.readDoubleLE(9), content.readDoubleLE(17)]
  return { index, term, time, kind, data }
}

/**
 * The head of a snapshot, as a record.
 *
 * @internal
 */
export function headOfSnapshot({ last, time, members }: LogSnapshot): ReplicaRecord {
  return { kind: 'snapshot', ...last, time, data: JSON.stringify(members) }
}

/**
 * The snapshot that such a head is of.
 *
 * @internal
 */
export function snapshotOf(
  { term, index, time, data }: Omit<LogEntry, 'kind'>,
  pieces: readonly string[],
): LogSnapshot {
  const members: readonly LogMember[] = JSON.parse(data)
  return { last: { term, index }, time, members, pieces }
}

function startOf(kind: Kind): number {
  return isEntryKind(kind) || kind === 'snapshot' ? KIND_BYTES + PLACE_BYTES : KIND_BYTES
}
