/**
 * What is kept of the beginning of a log: the records about tasks that still matter, copied as they are into one file that
 * stands for all that was before it. So a log does not grow with what is done.
 *
 * @since 0.25.0
 */
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { OperationalError } from './lifecycle.ts'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES, headBytes, type LogOwner, TASK_STORE } from './task-log-head.ts'
import { RecordReader } from './task-log-reader.ts'
import type { LogRecord } from './task-log-record.ts'
import { nameOf, type Segment } from './task-log-segment.ts'

/** After how many bytes what was written is synchronised: so that a commit never waits for much of it. */
const SYNC_BYTES = 4 * 1024 * 1024

/**
 * A file that stands for the beginning of a log.
 *
 * @internal
 */
export interface Kept {
  path: string
  /** The last piece of the log that it stands for, and the number of its last record. */
  index: number
  through: number
  /** How many records it has, and how many bytes. */
  count: number
  bytes: number
}

/**
 * A file of records to be copied from, and how many come before what is no part of it.
 *
 * @internal
 */
export interface Source {
  path: string
  /** The number of its last record. */
  last: number
  /** How many it has, where that is known. */
  count?: number
}

/**
 * The records of some files that are about tasks that matter, a few at a time.
 *
 * @throws OperationalError when a file does not have all that it had
 * @internal
 */
export async function* neededOf(
  files: LogFiles,
  sources: readonly Source[],
  seed: number,
  needs: (record: LogRecord) => boolean,
  owner = TASK_STORE,
): AsyncGenerator<LogRecord[], void, void> {
  for (const { path, last, count } of sources) {
    const reader = new RecordReader(files, path, seed)
    let [number, read] = [0, 0]
    for await (const records of reader) {
      const own = records.filter((record) => record.number <= last)
      yield own.filter(needs)
      number = own.at(-1)?.number ?? number
      read += own.length
      // Others have their turn: a commit, or a question.
      await turn()
    }
    if (count === undefined ? number < last : read < count) {
      throw new OperationalError(
        `${path} is damaged at byte ${reader.end}: what stood there after record ${number} is not whole any more. ${owner.whatToDo}`,
      )
    }
  }
}

/**
 * Where all records are, in order, as {@link neededOf} reads them.
 *
 * @internal
 */
export function sourcesOf(kept: Kept | undefined, segments: readonly Segment[]): Source[] {
  return [
    ...(kept ? [{ path: kept.path, last: kept.through, count: kept.count }] : []),
    ...segments.map(({ path, last, end }) => ({ path, last, ...(end <= HEAD_BYTES && { count: 0 }) })),
  ]
}

/**
 * Writes such a file, under another name first: when it has its own, it is whole and on the disk, and what it stands for can
 * be removed.
 *
 * @param records what it gets
 * @throws the system's error when there is no room for it
 * @internal
 */
export async function makeKept(
  files: LogFiles,
  folder: string,
  place: { store: string; index: number; through: number },
  records: AsyncIterable<readonly Pick<LogRecord, 'bytes'>[]>,
): Promise<Kept> {
  const making = new KeptInMaking(files, folder)
  try {
    for await (const some of records) await making.write(some)
    return await making.finish(place)
  } catch (error) {
    making.abandon()
    throw error
  }
}

/**
 * Such a file that is being written, for who does not know from the beginning what it stands for.
 *
 * @internal
 */
export class KeptInMaking {
  readonly #files: LogFiles
  readonly #folder: string
  readonly #owner: LogOwner
  readonly #beside: string
  readonly #file: number
  #end = HEAD_BYTES
  #synced = 0
  #count = 0
  #isOpen = true

  /** @throws the system's error when it cannot be made */
  constructor(files: LogFiles, folder: string, owner = TASK_STORE) {
    this.#files = files
    this.#folder = folder
    this.#owner = owner
    this.#beside = join(folder, 'kept.new')
    files.remove(this.#beside)
    this.#file = files.open(this.#beside, 'wx+')
  }

  /** @throws the system's error when there is no room for them */
  async write(records: readonly Pick<LogRecord, 'bytes'>[]): Promise<void> {
    const bytes = Buffer.concat(records.map((record) => record.bytes))
    this.#files.write(this.#file, bytes, this.#end)
    this.#end += bytes.length
    this.#count += records.length
    if (this.#end - this.#synced <= SYNC_BYTES) return
    await this.#files.sync(this.#file)
    this.#synced = this.#end
  }

  /**
   * Gives it its name: when that is on the disk, it counts.
   *
   * @throws the system's error when that fails: then it may count or not
   */
  async finish({ store, index, through }: { store: string; index: number; through: number }): Promise<Kept> {
    const [count, bytes] = [this.#count, this.#end]
    const head = headBytes({ kind: 'kept', store, index, through, count, bytes }, this.#owner)
    this.#files.write(this.#file, head, 0)
    await this.#files.sync(this.#file)
    this.#close()
    const path = join(this.#folder, nameOf('kept', index))
    this.#files.rename(this.#beside, path)
    await this.#files.syncFolder(this.#folder)
    return { path, index, through, count, bytes }
  }

  /** Leaves nothing of it, unless it has its name. */
  abandon(): void {
    this.#close()
    this.#files.remove(this.#beside)
  }

  #close(): void {
    if (this.#isOpen) this.#files.close(this.#file)
    this.#isOpen = false
  }
}
