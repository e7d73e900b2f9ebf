/**
 * Opens a log: makes one where there is none, takes what was committed, and has a piece to write to.
 *
 * @since 0.25.0
 */
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { OperationalError } from './lifecycle.ts'
import { TaskLog } from './task-log.ts'
import { encodeRaw } from './task-log-event.ts'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES, WHAT_TO_DO } from './task-log-head.ts'
import { TaskHistory, type TaskHistoryKeep } from './task-log-history.ts'
import { makeMark, readMark, TaskMark } from './task-log-mark.ts'
import { findKept, recover } from './task-log-recovery.ts'
import { filesOf, isBlank, type OpenSegment, type Segment } from './task-log-segment.ts'
import { TaskTable } from './task-log-table.ts'

/** How large a piece is. */
const SEGMENT_BYTES = 8 * 1024 * 1024

/** @internal */
export interface LogOptions {
  folder: string
  files: LogFiles
  keep: TaskHistoryKeep
  /** How large a piece is, in bytes. Default: 8 MiB. */
  segmentBytes?: number
  /** How large a file of the history becomes, in bytes. Default: 4 MiB. */
  historyBytes?: number
  warn: (line: string) => void
}

/**
 * Opens a log. Who calls has made sure that nobody else does.
 *
 * @throws OperationalError when something is damaged that was acknowledged, or is no part of this store; the system's error
 *   when its files cannot be read or written
 * @internal
 */
export async function openTaskLog(options: LogOptions): Promise<TaskLog> {
  const { folder, files, keep, segmentBytes = SEGMENT_BYTES, historyBytes, warn } = options
  await makeStore(files, folder)
  const marked = await readMark(files, folder)
  const { store } = marked
  const kept = await findKept(files, folder, store)
  const table = new TaskTable()
  const history = new TaskHistory(files, folder, store, keep, warn, historyBytes)
  await history.open(kept?.through ?? 0)
  const recovered = await recover(files, folder, marked, kept, ({ number, content }) => {
    const ended = table.apply(number, content)
    if (ended) history.add(ended, number)
  })
  table.settle()
  for (const kind of ['log', 'kept'] as const)
    for (const { index, path } of filesOf(files, folder, kind))
      if (kept && index < kept.index + (kind === 'log' ? 1 : 0)) files.remove(path)

  const { sealed, current } = await openEnd(files, recovered.segments, segmentBytes)
  const mark = new TaskMark(files, folder, marked)
  if (recovered.copy.length === 0) {
    // What was taken counts as acknowledged from now on: the log has it on the disk, and then the mark says so.
    mark.write(recovered.last, current?.index ?? sealed.at(-1)?.index ?? 0)
    await files.sync(mark.file)
  }
  const log = new TaskLog({
    files,
    folder,
    store,
    segmentBytes,
    mark,
    table,
    history,
    kept,
    sealed,
    current,
    last: recovered.last,
    warn,
  })
  if (recovered.copy.length > 0) await log.commit(encodeRaw(recovered.copy.map(({ content }) => content)))
  log.prepare()
  return log
}

/** Makes a new store, where there is nothing yet. */
async function makeStore(files: LogFiles, folder: string): Promise<void> {
  files.makeFolder(folder)
  await files.syncFolder(dirname(folder))
  if (files.list(folder).includes('mark')) return
  const other = (['log', 'kept', 'history'] as const).flatMap((kind) => filesOf(files, folder, kind))[0]
  if (other) {
    throw new OperationalError(
      `${join(folder, 'mark')} is missing, which says up to which record the store is acknowledged, and there is ${other.path}. ${WHAT_TO_DO}`,
    )
  }
  await makeMark(files, folder, randomUUID())
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
