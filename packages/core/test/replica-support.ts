/** What replicas keep, for tests. */

import type { LogEntry } from '../src/entry-log.ts'
import { OperationalError } from '../src/lifecycle.ts'
import {
  bytesOf,
  decodeRecord,
  encodeRecords,
  headOfSnapshot,
  isEntry,
  type ReplicaRecord,
} from '../src/replica-records.ts'
import type { LogSnapshot, ReplicaDurable } from '../src/replica-state.ts'
import { openReplicaLog, type ReplicaLog } from '../src/replica-store-log.ts'
import type { FilesInMemory } from './files-in-memory.ts'

export const FOLDER = '/state/queue'

export function entry(index: number, data = `entry ${index}`, term = 1): LogEntry {
  return { index, term, time: 1000 * index, kind: 'data', data }
}

/** Some entries, from an index on. */
export function entriesFrom(index: number, count: number, term = 1): LogEntry[] {
  return Array.from({ length: count }, (_, place) =>
    entry(index + place, `entry ${index + place} of ${term}`, term),
  )
}

export function snapshotAt(index: number, term = 1): LogSnapshot {
  return { last: { term, index }, time: 1000 * index, members: [{ id: 'node-1~aaaaaaaa', isVoter: true }] }
}

export function durable(term: number, votedFor: string | null = null): ReplicaDurable {
  return { term, votedFor, start: { number: term, token: `token ${term}`, before: '' }, seen: {} }
}

export function state(term: number): ReplicaRecord {
  return { kind: 'state', data: JSON.stringify(durable(term)) }
}

export function encoded(records: readonly ReplicaRecord[]): Uint8Array<ArrayBuffer> {
  return encodeRecords(
    records,
    records.reduce((sum, record) => sum + bytesOf(record), 0),
  )
}

/** Writes a snapshot, up to its last piece. */
export async function begin(log: ReplicaLog, index: number, pieces: readonly string[]): Promise<void> {
  await log.begin(encoded([headOfSnapshot(snapshotAt(index))]))
  await log.add(encoded(pieces.map((data) => ({ kind: 'piece', data }))))
}

/** What is in a log. */
export interface Found {
  state: string | undefined
  founding: string | undefined
  /** Its index and its pieces. */
  snapshot: string | undefined
  through: number
  entries: LogEntry[]
}

export async function foundIn(log: ReplicaLog): Promise<Found> {
  const found: Found = {
    state: undefined,
    founding: undefined,
    snapshot: undefined,
    through: 0,
    entries: [],
  }
  for await (const contents of log.recovered())
    for (const record of contents.map(decodeRecord)) {
      if (isEntry(record)) found.entries.push(record)
      else if (record.kind === 'snapshot') {
        found.snapshot = `${record.index}:`
        found.through = record.index
      } else if (record.kind === 'piece') found.snapshot += record.data
      else if (record.kind === 'state') found.state = record.data
      else if (record.kind === 'founding') found.founding = record.data
    }
  return found
}

/** Opens a log of short pieces. */
export async function opened(
  files: FilesInMemory,
  segmentBytes = 2048,
): Promise<{ log: ReplicaLog; found: Found; warnings: string[] }> {
  const warnings: string[] = []
  const warn = (line: string) => void warnings.push(line)
  const log = await openReplicaLog({ folder: FOLDER, files, segmentBytes, warn })
  return { log, found: await foundIn(log), warnings }
}

/** What was found in these files; or in which words they were refused. */
export async function triedOn(
  files: FilesInMemory,
): Promise<{ log: ReplicaLog; found: Found } | { refused: string }> {
  try {
    return await opened(files)
  } catch (error) {
    if (error instanceof OperationalError) return { refused: error.message }
    throw error
  }
}
