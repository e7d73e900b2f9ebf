/**
 * Goes on with what is whole in a damaged store: all that can be read becomes a store again, and a copy of the damaged
 * files is kept.
 *
 * @since 0.25.0
 */
import { constants, existsSync } from 'node:fs'
import { cp, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { holdName, releaseName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import { stateFolder } from './state-folder.ts'
import { type LogFiles, systemFiles } from './task-log-files.ts'
import { HEAD_BYTES, readHead } from './task-log-head.ts'
import { makeKept } from './task-log-kept.ts'
import { makeMark, readMark } from './task-log-mark.ts'
import { readStart } from './task-log-reader.ts'
import { type LogRecord, seedOf, wholeRecords } from './task-log-record.ts'
import { filesOf } from './task-log-segment.ts'
import { TaskTable } from './task-log-table.ts'

export interface SalvageOptions {
  /** What the store's folder is called, as it is opened. */
  name: string
  /** The folder that has its folder. Default: as it is opened. */
  folder?: string
}

/** What has become of it. */
export interface Salvaged {
  /** The folder that has all files as they were. */
  damaged: string
  /** How many whole records were found. */
  found: number
  /** How many are known to have been behind the last of these. What is missing before it cannot be told from what was done. */
  lost: number
  /** How many tasks have not ended by what was found, or ended not long ago. */
  tasks: number
}

/**
 * Makes a store of all whole records in the files of a damaged one. A task whose submission is lost is lost; one whose end is
 * lost is done again.
 *
 * @throws OperationalError when another process has the store open, or nothing in it says whose it is; the system's error
 *   when there is no room for it
 */
export async function salvageTaskStore({ name, folder = stateFolder() }: SalvageOptions): Promise<Salvaged> {
  const path = join(folder, name)
  await mkdir(path, { recursive: true })
  const held = await realpath(path)
  if (!(await holdName(held)))
    throw new OperationalError(
      `${path} is used by another program that runs on this machine: stop that first.`,
    )
  try {
    return await salvage(systemFiles, path)
  } finally {
    await releaseName(held)
  }
}

async function salvage(files: LogFiles, path: string): Promise<Salvaged> {
  const pieces = (['kept', 'log'] as const).flatMap((kind) =>
    filesOf(files, path, kind).map((file) => ({ kind, ...file })),
  )
  const mark = join(path, 'mark')
  const store = await storeOf(files, [{ kind: 'mark', path: mark }, ...pieces])
  const damaged = await copiedFrom(path)
  const records = new Map<number, LogRecord>()
  const all = [...pieces.map((piece) => piece.path), ...(existsSync(mark) ? [mark] : [])]
  for (const from of all)
    for (const record of await recordsIn(files, from, store)) records.set(record.number, record)
  const inOrder = [...records.values()].sort((one, other) => one.number - other.number)
  const table = new TaskTable()
  for (const { number, content } of inOrder) table.apply(number, content)
  table.settle()

  // As if all of it had been tidied up: the numbers go on behind the last that anything knows of.
  const last = inOrder.at(-1)?.number ?? 0
  const marked = await readMark(files, path).catch(() => ({ through: 0 }))
  const through = Math.max(last, marked.through, await sourceOf(files, path, store))
  const index = 1 + Math.max(0, ...pieces.map((piece) => piece.index))
  const needed = inOrder.filter(({ number, content }) => table.needs(number, content))
  await makeKept(files, path, { store, index, through }, one(needed))
  await makeMark(files, path, store, through)
  for (const piece of pieces) files.remove(piece.path)
  return { damaged, found: records.size, lost: through - last, tasks: table.size }
}

async function* one(records: readonly LogRecord[]): AsyncGenerator<readonly LogRecord[], void, void> {
  yield records
}

async function recordsIn(files: LogFiles, path: string, store: string): Promise<LogRecord[]> {
  const bytes = await readStart(files, path, Number.POSITIVE_INFINITY)
  return [...wholeRecords(bytes, 0, seedOf(store))]
}

/** The last record that the history knows. */
async function sourceOf(files: LogFiles, path: string, store: string): Promise<number> {
  const newest = filesOf(files, path, 'history').slice(-2)
  const rows = (await Promise.all(newest.map((file) => recordsIn(files, file.path, store)))).flat()
  return Math.max(0, ...rows.slice(-1).map(({ content }) => JSON.parse(content.toString()).source))
}

/** Copies all files, so that what is damaged can be looked at. */
async function copiedFrom(path: string): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  let name = ''
  for (let count = 1; name === '' || existsSync(name); count += 1)
    name = `${path}-damaged-${time}${count === 1 ? '' : `-${count}`}`
  await cp(path, name, { recursive: true, mode: constants.COPYFILE_FICLONE })
  return name
}

/** The identity of the store, from whatever file still says it. */
async function storeOf(
  files: LogFiles,
  all: readonly { kind: 'mark' | 'kept' | 'log'; path: string }[],
): Promise<string> {
  for (const { kind, path } of all) {
    try {
      return readHead(await readStart(files, path, HEAD_BYTES), path, kind).store
    } catch {} // another one may say it
  }
  throw new OperationalError(
    `No file in the folder of ${all[0]?.path} says which store it is of: there is nothing to be salvaged.`,
  )
}
