/**
 * Pages of what has ended, the newest first, read from the files of a history.
 *
 * @since 0.25.0
 */
import { setImmediate as turn } from 'node:timers/promises'
import { OperationalError } from './lifecycle.ts'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES } from './task-log-head.ts'
import { readStart } from './task-log-reader.ts'
import { type LogRecord, wholeRecords } from './task-log-record.ts'
import type { EndedTask } from './task-log-table.ts'

/** How many tasks a page may have. */
const MOST_A_PAGE = 1000

/** What is asked of a history. */
export interface TaskHistoryQuery {
  /** Of tasks of this name alone. */
  name?: string
  /** Of those that ended so. */
  state?: EndedTask['state']
  /** What the page before has said: the next page has older ones. */
  after?: number
  /** How many at most: 1 to 1,000. */
  limit: number
}

/** A page of a history: the newest first. */
export interface TaskHistoryPage {
  tasks: EndedTask[]
  /** With what to ask for the next page; undefined when there is none. */
  after?: number
}

/**
 * A file of a history.
 *
 * @internal
 */
export interface HistoryFile {
  index: number
  path: string
  /** The number of its first row, and the time of that. */
  first: number
  at: number
  bytes: number
}

/** Where something is missing in a file, and how much. */
type TellDamage = (path: string, at: number, count: number) => void

/**
 * A page of a history.
 *
 * @param all its files, the oldest first
 * @throws OperationalError when the question is none
 * @internal
 */
export async function pageOf(
  files: LogFiles,
  all: readonly HistoryFile[],
  seed: number,
  { name, state, after = Number.POSITIVE_INFINITY, limit }: TaskHistoryQuery,
  tellDamage: TellDamage,
): Promise<TaskHistoryPage> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_A_PAGE)
    throw new OperationalError(`A page of a history has 1 to ${MOST_A_PAGE} tasks, and not ${limit}.`)
  const tasks: EndedTask[] = []
  // Most of what does not fit is left out without being understood.
  const texts = [...(name === undefined ? [] : [`"name":${JSON.stringify(name)}`]), ...(state ? [state] : [])]
  const first = all[0]?.first
  for (const file of all.filter((one) => one.first < after).reverse()) {
    const next = all.find(({ index }) => index > file.index)
    const rows = (await rowsOf(files, file, next, seed, tellDamage)).filter(
      ({ number, content }) => number < after && texts.every((text) => content.includes(text)),
    )
    for (const { number, content } of rows.reverse()) {
      const { source: _, ...task } = JSON.parse(content.toString()) as EndedTask & { source: number }
      if (name !== undefined && task.name !== name) continue
      if (state !== undefined && task.state !== state) continue
      tasks.push(task)
      if (tasks.length === limit) return number === first ? { tasks } : { tasks, after: number }
    }
    // Others have their turn: a commit, above all.
    await turn()
  }
  return { tasks }
}

async function rowsOf(
  files: LogFiles,
  file: HistoryFile,
  next: HistoryFile | undefined,
  seed: number,
  tellDamage: TellDamage,
): Promise<LogRecord[]> {
  let bytes: Buffer
  try {
    bytes = await readStart(files, file.path, Number.POSITIVE_INFINITY)
  } catch (error) {
    // It was too old meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const rows: LogRecord[] = []
  let [expected, end] = [file.first, HEAD_BYTES]
  for (const record of wholeRecords(bytes, HEAD_BYTES, seed)) {
    if (record.number > expected) tellDamage(file.path, end, record.number - expected)
    expected = record.number + 1
    end = record.end
    rows.push(record)
  }
  if (next && next.first > expected) tellDamage(file.path, end, next.first - expected)
  return rows
}
