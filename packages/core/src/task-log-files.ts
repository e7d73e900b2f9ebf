/**
 * The files of a log: what it asks of the system, and nothing else. A test that wants to know what a power cut leaves puts
 * its own in their place.
 *
 * @since 0.25.0
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { syncFolder } from './whole-file.ts'

/**
 * What a log asks of the system. All of it throws the system's error.
 *
 * @internal
 */
export interface LogFiles {
  /** The names in a folder; none when it is not there. */
  list(folder: string): string[]
  makeFolder(folder: string): void
  /** Opens a file: to read it, to change it, or to make it, where there must be none. */
  open(path: string, how: 'r' | 'r+' | 'wx+'): number
  close(file: number): void
  size(file: number): number
  /** Reads as much as there is, and says how much that was. */
  read(file: number, into: Buffer, at: number): Promise<number>
  /** Writes all of it. The system has it then, and the disk not. */
  write(file: number, bytes: Uint8Array, at: number): void
  truncate(file: number, length: number): void
  /** Resolves when all that was written to these files is on the disk. They are synchronised at the same time. */
  sync(...files: number[]): Promise<void>
  rename(from: string, to: string): void
  remove(path: string): void
  /** Resolves when the names in a folder are on the disk. */
  syncFolder(folder: string): Promise<void>
}

const readSome = promisify(read)
const syncElsewhere = promisify(fdatasync)

/**
 * The system's files.
 *
 * @internal
 */
export const systemFiles: LogFiles = {
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : []),
  makeFolder: (folder) => void mkdirSync(folder, { recursive: true }),
  open: (path, how) => openSync(path, how, 0o600),
  close: closeSync,
  size: (file) => fstatSync(file).size,
  read: async (file, into, at) => {
    let count = 0
    for (let more = 1; more > 0 && count < into.length; count += more)
      more = (await readSome(file, into, count, into.length - count, at + count)).bytesRead
    return count
  },
  write: (file, bytes, at) => {
    for (let count = 0; count < bytes.length; )
      count += writeSync(file, bytes, count, bytes.length - count, at + count)
  },
  truncate: ftruncateSync,
  // The others by threads of Node, and the first by this one, which has nothing else to do then.
  sync: async (first, ...others) => {
    const all = Promise.all(others.map((file) => syncElsewhere(file)))
    // An error of the first must not leave this one's unheard.
    all.catch(() => {})
    if (first !== undefined) fdatasyncSync(first)
    await all
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  syncFolder,
}

/**
 * Why the system does not do what it was asked, in words.
 *
 * @internal
 */
export function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return REASONS[code] ?? message
}

const REASONS: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's part of the disk is full",
  EFBIG: 'files may not become that large here',
  EROFS: 'the disk is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'there is a file where the folder should be',
  EIO: 'the disk does not answer as it should',
}
