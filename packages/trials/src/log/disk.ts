/**
 * A member's disk. What is written is on it for good when the next fsync that begins is over, in the order in which it was
 * written; at a crash some of the rest may be on it, too, from its beginning on.
 */
import type { LogEntry, LogSnapshot, ReplicaDurable } from '@rpi-cluster/core/replica'
import { BrokenRule } from '../simulated/broken-rule.ts'
import type { Chance } from '../simulated/chance.ts'

export type Write =
  | { readonly kind: 'save'; readonly durable: ReplicaDurable }
  | { readonly kind: 'append'; readonly entries: readonly LogEntry[] }
  /** A snapshot of the own state machine: the log goes on behind it. */
  | { readonly kind: 'snapshot'; readonly snapshot: LogSnapshot }
  /** One of somebody else's: nothing else of the log counts any more. */
  | { readonly kind: 'install'; readonly snapshot: LogSnapshot }

/** What is on a disk. Never changed: something else is there after a write. */
export interface Stored {
  readonly durable: ReplicaDurable
  readonly snapshot: LogSnapshot
  /** Those behind the snapshot. */
  readonly entries: readonly LogEntry[]
}

export class Disk {
  /** What survives a crash in any case. */
  stored: Stored
  /** What was written since, and what is to happen when that is on the disk. */
  #writes: { readonly write: Write; readonly then: () => void }[] = []
  #syncing = 0

  constructor(stored: Stored) {
    this.stored = stored
  }

  /** Whether an fsync is to begin. */
  get isWaiting(): boolean {
    return this.#syncing === 0 && this.#writes.length > 0
  }

  write(write: Write, then: () => void): void {
    this.#writes.push({ write, then })
  }

  /** An fsync begins, with all that was written by now. */
  sync(): readonly Write[] {
    this.#syncing = this.#writes.length
    return this.#writes.map(({ write }) => write)
  }

  /** It is over. */
  synced(): void {
    const synced = this.#writes.splice(0, this.#syncing)
    this.#syncing = 0
    for (const { write } of synced) this.stored = written(this.stored, write)
    for (const { then } of synced) then()
  }

  /** What was written last is kept in part: as many writes as chance wants, and of the next one as many entries. */
  crash(chance: Chance): void {
    const writes = this.#writes.map(({ write }) => write)
    this.#writes = []
    this.#syncing = 0
    if (writes.length === 0) return
    const kept = chance.is(0.3) ? writes.length : chance.whole(0, writes.length)
    for (const write of writes.slice(0, kept)) this.stored = written(this.stored, write)
    const next = writes[kept]
    if (next?.kind !== 'append') return
    const entries = next.entries.slice(0, chance.whole(0, next.entries.length - 1))
    if (entries.length > 0) this.stored = written(this.stored, { kind: 'append', entries })
  }
}

/** Whether an entry is on a disk, or in a snapshot there. */
export function hasStored({ snapshot, entries }: Stored, term: number, index: number): boolean {
  if (index <= snapshot.last.index) return true
  return entries[index - snapshot.last.index - 1]?.term === term
}

function written(stored: Stored, write: Write): Stored {
  switch (write.kind) {
    case 'save':
      return { ...stored, durable: write.durable }
    case 'append':
      return { ...stored, entries: appended(stored, write.entries) }
    case 'snapshot': {
      const { last } = write.snapshot
      if (last.index <= stored.snapshot.last.index) return stored
      const entries = stored.entries.filter(({ index }) => index > last.index)
      return { ...stored, snapshot: write.snapshot, entries }
    }
    case 'install':
      return { ...stored, snapshot: write.snapshot, entries: [] }
  }
}

function appended({ snapshot, entries }: Stored, more: readonly LogEntry[]): readonly LogEntry[] {
  const behind = more.filter(({ index }) => index > snapshot.last.index)
  const [first] = behind
  if (!first) return entries
  const kept = entries.filter(({ index }) => index < first.index)
  const last = kept.at(-1)?.index ?? snapshot.last.index
  if (first.index !== last + 1)
    throw new BrokenRule(`a log has no gap: behind entry ${last} on a disk, entry ${first.index} is written`)
  return [...kept, ...behind]
}
