/**
 * The log of a replica on its disk: entries, the state that it must never forget, and snapshots that stand for what was before
 * them. It is an append-only log as that of `task-log`, with its records, its mark and its recovery: what was acknowledged is
 * there after the process was killed and after the power went, and damage to it is not taken for its end.
 *
 * | File | What is in it |
 * | --- | --- |
 * | `000007.log` | records, in pieces of 8 MiB that are full of zeros first |
 * | `mark` | up to which record it is acknowledged, and a copy of the last commit |
 * | `000006.kept` | a snapshot, and what still counts of all pieces up to the sixth, which are removed |
 *
 * A snapshot is written beside, while the log goes on, and counts when it has its name. What there is after a crash is the old
 * one with all pieces, or the new one, and perhaps pieces that it stands for, which are removed then. One that was made here
 * leaves the newest piece as it is: entries in it that the snapshot has, too, are passed over. One that another member has sent
 * (`install`) makes void whatever stands before it: so the newest piece ends with it, and what comes next stands in another.
 *
 * @since 0.27.0
 */
import { randomInt } from 'node:crypto'
import { OperationalError } from './lifecycle.ts'
import { peekRecord } from './replica-records.ts'
import { ReplicaTail } from './replica-store-tail.ts'
import { beginLog, openWriter, SEGMENT_BYTES } from './task-log-begin.ts'
import { encodeRaw, splitEvents } from './task-log-event.ts'
import { type LogFiles, reasonOf } from './task-log-files.ts'
import type { LogOwner } from './task-log-head.ts'
import { type Kept, KeptInMaking, neededOf, type Source, sourcesOf } from './task-log-kept.ts'
import { type LogRecord, putRecord, RECORD_HEAD, seedOf } from './task-log-record.ts'
import { findKept, recover } from './task-log-recovery.ts'
import type { LogWriter } from './task-log-writer.ts'

const REPLICA_STORE: LogOwner = {
  name: 'replica store',
  version: 1,
  whatToDo:
    'A member does not vote with what is left of what it knew: remove the folder, and start it again. It joins anew then, as a learner under another id, and the others send it the log. A copy of the folder would be older, and is no help. Is the disk failing?',
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** How many of them make an identity. */
const IDENTITY_LENGTH = 8

/** @internal */
export interface ReplicaLogOptions {
  folder: string
  files: LogFiles
  /** How large a piece is, in bytes. Default: 8 MiB. */
  segmentBytes?: number
  /** Where is told that what was written last was mended. */
  warn: (line: string) => void
}

/** A snapshot that is being written. */
interface Making {
  file: KeptInMaking
  /** The index of the last entry that it stands for. */
  through: number
}

/**
 * Such a log, open.
 *
 * @internal
 */
export class ReplicaLog {
  readonly #files: LogFiles
  readonly #folder: string
  readonly #writer: LogWriter
  readonly #tail: ReplicaTail
  readonly #seed: number
  #kept: Kept | undefined
  #making: Making | undefined
  /** Its identity. */
  readonly store: string
  /** Whether there was nothing in it when it was opened. */
  readonly isNew: boolean

  constructor(
    { files, folder }: ReplicaLogOptions,
    store: string,
    { writer, tail, kept }: { writer: LogWriter; tail: ReplicaTail; kept: Kept | undefined },
  ) {
    this.#files = files
    this.#folder = folder
    this.#writer = writer
    this.#tail = tail
    this.#seed = seedOf(store)
    this.#kept = kept
    this.store = store
    this.isNew = !kept && tail.last === 0 && tail.others.length === 0
  }

  /** The index of the last entry. */
  get last(): number {
    return this.#tail.last
  }

  /** All that counts, some records at a time, as bytes: how the cluster began, the state, the snapshot, and the entries behind it. */
  async *recovered(): AsyncGenerator<Buffer[], void, void> {
    yield this.#tail.others
    const sources = sourcesOf(this.#kept, this.#writer.pieces)
    const counting = this.#counting(sources, ({ number, content }) => this.#tail.counts(number, content))
    for await (const records of counting) yield records.map(({ content }) => content)
  }

  /**
   * Resolves when these records, as `encodeRecords` writes them, are on the disk. One at a time.
   *
   * @throws OperationalError when the disk does not take them: then none of them is there, and it can be tried again
   */
  async commit(records: Uint8Array): Promise<void> {
    const contents = [...splitEvents(records)]
    await this.#writer.commit(contents)
    const first = this.#writer.last - contents.length + 1
    for (const [place, content] of contents.entries()) this.#tail.apply(first + place, content)
  }

  /**
   * Begins a snapshot, with its head. One that was not finished is given up for it.
   *
   * @throws OperationalError when the disk does not take it
   */
  async begin(head: Uint8Array): Promise<void> {
    await this.#snapshotting(async () => {
      const [content = Buffer.alloc(0)] = splitEvents(head)
      const { index: through } = peekRecord(content)
      this.#making?.file.abandon()
      this.#making = { file: new KeptInMaking(this.#files, this.#folder, REPLICA_STORE), through }
      await this.add(head)
    })
  }

  /** Writes pieces of the snapshot that was begun. */
  async add(pieces: Uint8Array): Promise<void> {
    await this.#snapshotting(() => this.#begun.file.write(this.#recordsOf([...splitEvents(pieces)])))
  }

  /**
   * Finishes the snapshot: it stands for all entries up to its last one, and counts from now on. Commits go on meanwhile.
   *
   * @throws OperationalError when the disk does not take it
   */
  async snapshot(): Promise<void> {
    await this.#snapshotting(async () => {
      const { file, through } = this.#begun
      const sealed = [...this.#writer.sealed]
      const place = this.#placeBehind()
      const needed = this.#tail.behind(through, place.through)
      await file.write(this.#recordsOf(this.#tail.others))
      // In the order of the log, which is that of their numbers.
      const [first = Number.POSITIVE_INFINITY] = needed
      const sources = sourcesOf(this.#kept, sealed).filter(({ last }) => last >= first)
      for await (const some of this.#counting(sources, ({ number }) => needed.has(number)))
        await file.write(some)
      await this.#finish(place)
      this.#tail.snapshot(through)
      this.#writer.drop(sealed)
    })
  }

  /**
   * Finishes the snapshot: it stands for the whole log, and nothing else that is in it counts from now on. No commit may be
   * under way.
   *
   * @throws OperationalError when the disk does not take it. Then the log is as it was, or it is the snapshot: that shows when
   *   it is opened again. Until then it may get states, and another snapshot to be installed, and nothing else.
   */
  async install(): Promise<void> {
    await this.#snapshotting(async () => {
      const { file, through } = this.#begun
      await this.#writer.seal()
      await file.write(this.#recordsOf(this.#tail.others))
      await this.#finish(this.#placeBehind())
      this.#tail.install(through)
      this.#writer.drop([...this.#writer.sealed])
    })
  }

  /** Ends it. What was committed is on the disk. */
  async close(): Promise<void> {
    this.#making?.file.abandon()
    await this.#writer.close()
  }

  get #begun(): Making {
    if (!this.#making) throw new Error('No snapshot was begun.')
    return this.#making
  }

  /** Behind which piece, and which record, one comes that stands for all that nothing is written to any more. */
  #placeBehind(): { index: number; through: number } {
    const newest = this.#writer.sealed.at(-1)
    if (newest) return { index: newest.index, through: newest.last }
    const { index = 0, through = 0 } = this.#kept ?? {}
    return { index, through }
  }

  async #finish(place: { index: number; through: number }): Promise<void> {
    const before = this.#kept
    this.#kept = await this.#begun.file.finish({ store: this.store, ...place })
    this.#making = undefined
    // The next one before a piece is full has the same name, and has replaced it.
    if (before && before.path !== this.#kept.path) this.#files.remove(before.path)
  }

  /** Does something about a snapshot, and leaves nothing of it when that fails. */
  async #snapshotting(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#making?.file.abandon()
      this.#making = undefined
      // It may have its name, although nobody knows whether the disk has that.
      this.#kept = await findKept(this.#files, this.#folder, this.store, REPLICA_STORE).catch(
        () => this.#kept,
      )
      if (error instanceof OperationalError) throw error
      throw new OperationalError(`Cannot write a snapshot to ${this.#folder}: ${reasonOf(error)}.`, {
        cause: error,
      })
    }
  }

  #counting(
    sources: readonly Source[],
    counts: (record: LogRecord) => boolean,
  ): AsyncGenerator<LogRecord[], void, void> {
    return neededOf(this.#files, sources, this.#seed, counts, REPLICA_STORE)
  }

  /** Records as a snapshot has them: they follow nothing, and have no numbers. */
  #recordsOf(contents: readonly Buffer[]): { bytes: Buffer }[] {
    return contents.map((content) => {
      const bytes = Buffer.allocUnsafe(RECORD_HEAD + content.length)
      putRecord(bytes, 0, { number: 0, place: 0, content }, this.#seed)
      return { bytes }
    })
  }
}

/**
 * Opens the log of a replica, and makes a new one where there is none. Who calls has made sure that nobody else does.
 *
 * @throws OperationalError when something is damaged that was acknowledged, or is no part of this store; the system's error
 *   when its files cannot be read or written
 * @internal
 */
export async function openReplicaLog(options: ReplicaLogOptions): Promise<ReplicaLog> {
  const { folder, files, segmentBytes = SEGMENT_BYTES, warn } = options
  const owner = REPLICA_STORE
  const { marked, kept } = await beginLog(files, folder, owner, newIdentity)
  const tail = new ReplicaTail()
  const take = ({ number, content }: LogRecord) => tail.apply(number, content)
  const recovered = await recover(files, folder, marked, kept, take, owner)
  const writer = await openWriter(files, folder, { owner, segmentBytes, marked, kept, recovered })
  const log = new ReplicaLog(options, marked.store, { writer, tail, kept })
  if (recovered.mended !== undefined) warn(recovered.mended)
  if (recovered.copy.length > 0) await log.commit(encodeRaw(recovered.copy.map(({ content }) => content)))
  if (tail.isTorn)
    throw new OperationalError(
      `${folder} has entries up to ${tail.last}, and later ones that do not follow these. ${owner.whatToDo}`,
    )
  writer.prepare()
  return log
}

function newIdentity(): string {
  return Array.from({ length: IDENTITY_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}
