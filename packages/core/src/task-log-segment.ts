/**
 * The pieces that a log is written in: files of one size, full of zeros before they get a record. So what is appended
 * changes nothing about a file but its content, and there is nothing else that a disk would have to write with it.
 *
 * @since 0.25.0
 */
import { join } from 'node:path'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES, headBytes, TASK_STORE } from './task-log-head.ts'
import { readStart } from './task-log-reader.ts'

/** How many zeros are written, and synchronised, at a time: a commit that comes meanwhile waits for no more. */
const ZEROS = Buffer.alloc(1024 * 1024)

/**
 * A piece that was read, or is being written.
 *
 * @internal
 */
export interface Segment {
  index: number
  path: string
  /** The number of its last record; of one that has none, that of the last before it. */
  last: number
  /** Where that ends. */
  end: number
}

/**
 * One that can be written.
 *
 * @internal
 */
export interface OpenSegment extends Segment {
  file: number
  size: number
}

/**
 * What the files of a kind are called.
 *
 * @internal
 */
export function nameOf(kind: 'log' | 'kept' | 'history', index: number): string {
  const number = String(index).padStart(6, '0')
  return kind === 'history' ? `history-${number}.log` : `${number}.${kind}`
}

/**
 * Which files of a kind there are, in the order of their numbers.
 *
 * @internal
 */
export function filesOf(
  files: LogFiles,
  folder: string,
  kind: 'log' | 'kept' | 'history',
): { index: number; path: string }[] {
  return files
    .list(folder)
    .map((name) => ({ name, index: Number(/^(?:history-)?(\d{6,15})\.\w+$/.exec(name)?.[1] ?? Number.NaN) }))
    .filter(({ name, index }) => name === nameOf(kind, index))
    .map(({ name, index }) => ({ index, path: join(folder, name) }))
    .sort((one, other) => one.index - other.index)
}

/**
 * Makes a piece, as long as it will be, and has it and its name on the disk.
 *
 * @throws the system's error when there is no room for it, and leaves nothing of it
 * @internal
 */
export async function makeSegment(
  files: LogFiles,
  folder: string,
  { store, index, bytes, last }: { store: string; index: number; bytes: number; last: number },
  owner = TASK_STORE,
): Promise<OpenSegment> {
  const path = join(folder, nameOf('log', index))
  const file = files.open(path, 'wx+')
  try {
    files.write(file, headBytes({ kind: 'log', store, index }, owner), 0)
    for (let size = HEAD_BYTES; size < bytes; size += ZEROS.length) {
      files.write(file, ZEROS.subarray(0, Math.min(ZEROS.length, bytes - size)), size)
      await files.sync(file)
    }
    await files.syncFolder(folder)
    return { index, path, last, end: HEAD_BYTES, file, size: bytes }
  } catch (error) {
    files.close(file)
    files.remove(path)
    throw error
  }
}

/**
 * Whether nothing but zeros stands from a place of a file on.
 *
 * @internal
 */
export async function isBlank(files: LogFiles, path: string, from: number): Promise<boolean> {
  const bytes = (await readStart(files, path, Number.POSITIVE_INFINITY)).subarray(from)
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length)
    if (!part.equals(ZEROS.subarray(0, part.length))) return false
  }
  return true
}
