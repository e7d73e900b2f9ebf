/**
 * How a log begins, whatever is in it: its folder is made where there is none, and what was read of it gets an end that can be
 * written.
 *
 * @since 0.25.0
 */
import { dirname, join } from 'node:path'
import { OperationalError } from './lifecycle.ts'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES, type LogOwner } from './task-log-head.ts'
import type { Kept } from './task-log-kept.ts'
import { LogMark, type Marked, makeMark, readMark } from './task-log-mark.ts'
import { findKept, type Recovered } from './task-log-recovery.ts'
import { filesOf, isBlank, type OpenSegment, type Segment } from './task-log-segment.ts'
import { LogWriter } from './task-log-writer.ts'

/**
 * How large a piece is.
 *
 * @internal
 */
export const SEGMENT_BYTES = 8 * 1024 * 1024

/**
 * Finds what says of a log what it is, and makes a new one where there is nothing yet.
 *
 * @param identity makes one for a new log
 * @throws OperationalError when it is damaged, or no part of such a log; the system's error when it cannot be read or written
 * @internal
 */
export async function beginLog(
  files: LogFiles,
  folder: string,
  owner: LogOwner,
  identity: () => string,
): Promise<{ marked: Marked; kept: Kept | undefined }> {
  files.makeFolder(folder)
  await files.syncFolder(dirname(folder))
  if (!files.list(folder).includes('mark')) {
    const other = (['log', 'kept', 'history'] as const).flatMap((kind) => filesOf(files, folder, kind))[0]
    if (other) {
      throw new OperationalError(
        `${join(folder, 'mark')} is missing, which says up to which record the store is acknowledged, and there is ${other.path}. ${owner.whatToDo}`,
      )
    }
    await makeMark(files, folder, identity(), 0, owner)
  }
  const marked = await readMark(files, folder, owner)
  return { marked, kept: await findKept(files, folder, marked.store, owner) }
}

/**
 * Makes the end of a log that was read, and removes what is left of what was thrown away. What is in the mark alone is to be
 * committed next.
 *
 * @throws the system's error when it cannot be written
 * @internal
 */
export async function openWriter(
  files: LogFiles,
  folder: string,
  {
    owner,
    segmentBytes,
    marked,
    kept,
    recovered,
  }: {
    owner: LogOwner
    segmentBytes: number
    marked: Marked
    kept: Kept | undefined
    recovered: Recovered
  },
): Promise<LogWriter> {
  for (const kind of ['log', 'kept'] as const)
    for (const { index, path } of filesOf(files, folder, kind))
      if (kept && index < kept.index + (kind === 'log' ? 1 : 0)) files.remove(path)

  const { segments, last, copy } = recovered
  const { sealed, current } = await openEnd(files, segments, segmentBytes)
  const mark = new LogMark(files, folder, marked)
  if (copy.length === 0) {
    // What was taken counts as acknowledged from now on: the log has it on the disk, and then the mark says so.
    mark.write(last, current?.index ?? sealed.at(-1)?.index ?? 0)
    await files.sync(mark.file)
  }
  const { store } = marked
  const before = kept?.index ?? 0
  return new LogWriter({ files, folder, store, owner, segmentBytes, mark, before, sealed, current, last })
}

/**
 * Has the end of the log as it was read, on the disk: what is behind it is cut off, unless it is zeros, as it should be. Then
 * it is gone on with that piece.
 */
async function openEnd(
  files: LogFiles,
  segments: readonly Segment[],
  segmentBytes: number,
): Promise<{ sealed: Segment[]; current: OpenSegment | undefined }> {
  const newest = segments.findLastIndex(({ end }) => end > HEAD_BYTES)
  // Made before they were needed, perhaps in part.
  for (const { path } of segments.slice(newest + 1)) files.remove(path)
  const sealed = segments.slice(0, newest)
  const last = segments[newest]
  if (!last) return { sealed: [], current: undefined }
  const file = files.open(last.path, 'r+')
  const size = files.size(file)
  const isClean = await isBlank(files, last.path, last.end)
  if (!isClean) files.truncate(file, last.end)
  await files.sync(file)
  if (isClean && size >= segmentBytes) return { sealed, current: { ...last, file, size } }
  files.close(file)
  return { sealed: [...sealed, last], current: undefined }
}
