/**
 * Opens a log of tasks: makes one where there is none, and takes what was committed.
 *
 * @since 0.25.0
 */
import { randomUUID } from 'node:crypto'
import { TaskLog } from './task-log.ts'
import { beginLog, openWriter, SEGMENT_BYTES } from './task-log-begin.ts'
import { encodeRaw } from './task-log-event.ts'
import type { LogFiles } from './task-log-files.ts'
import { TASK_STORE } from './task-log-head.ts'
import { TaskHistory, type TaskHistoryKeep } from './task-log-history.ts'
import { recover } from './task-log-recovery.ts'
import { TaskTable } from './task-log-table.ts'

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
  const { marked, kept } = await beginLog(files, folder, TASK_STORE, randomUUID)
  const { store } = marked
  const table = new TaskTable()
  const history = new TaskHistory(files, folder, store, keep, warn, historyBytes)
  await history.open(kept?.through ?? 0)
  const recovered = await recover(files, folder, marked, kept, ({ number, content }) => {
    const ended = table.apply(number, content)
    if (ended) history.add(ended, number)
  })
  table.settle()
  const writer = await openWriter(files, folder, { owner: TASK_STORE, segmentBytes, marked, kept, recovered })
  const log = new TaskLog({ files, folder, store, segmentBytes, writer, table, history, kept, warn })
  if (recovered.mended !== undefined) warn(recovered.mended)
  if (recovered.copy.length > 0) await log.commit(encodeRaw(recovered.copy.map(({ content }) => content)))
  writer.prepare()
  return log
}
