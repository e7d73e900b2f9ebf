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
import { HEAD_BYTES, headBytes, WHAT_TO_DO } from './task-log-head.ts'
import { RecordReader } from './task-log-reader.ts'
import type { LogRecord } from './task-log-record.ts'
import { nameOf } from './task-log-segment.ts'

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

/** A file of records to be copied from, and how many come before what is no part of it. */
interface Source {
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
        `${path} is damaged at byte ${reader.end}: what stood there after record ${number} is not whole any more. ${WHAT_TO_DO}`,
      )
    }
  }
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
  { store, index, through }: { store: string; index: number; through: number },
  records: AsyncIterable<readonly Pick<LogRecord, 'bytes'>[]>,
): Promise<Kept> {
  const path = join(folder, nameOf('kept', index))
  const beside = join(folder, 'kept.new')
  files.remove(beside)
  const file = files.open(beside, 'wx+')
  let [end, synced, count] = [HEAD_BYTES, 0, 0]
  try {
    for await (const some of records) {
      const bytes = Buffer.concat(some.map((record) => record.bytes))
      files.write(file, bytes, end)
      end += bytes.length
      count += some.length
      if (end - synced > SYNC_BYTES) {
        await files.sync(file)
        synced = end
      }
    }
    files.write(file, headBytes({ kind: 'kept', store, index, through, count, bytes: end }), 0)
    await files.sync(file)
  } catch (error) {
    files.remove(beside)
    throw error
  } finally {
    files.close(file)
  }
  files.rename(beside, path)
  await files.syncFolder(folder)
  return { path, index, through, count, bytes: end }
}
