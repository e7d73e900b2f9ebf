/**
 * The file of a store: SQLite, compiled to WebAssembly, which runs wherever Node does. It is opened so that neither the
 * end of the process nor of the power takes what was committed, and one that is damaged is set aside.
 *
 * @since 0.17.0
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import { OperationalError } from './lifecycle.ts'

/** What the file says it is: "rpic". */
const APPLICATION = 0x72_70_69_63

/** What the tables are like. Whoever changes them counts on, and takes an older file along. */
const VERSION = 1

/** How many pages of 4 KiB are written beside the file before they are put into it. */
const PAGES_BESIDE = 250

/**
 * A series is one vital of one node. Samples and points are ordered by time first: so what comes is written at the end, a
 * few pages at a time, and what is too old is deleted from the start.
 */
const TABLES = `
CREATE TABLE nodes (id INTEGER PRIMARY KEY, node TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE vitals (id INTEGER PRIMARY KEY, vital TEXT NOT NULL UNIQUE, label TEXT, unit TEXT);
CREATE TABLE series (id INTEGER PRIMARY KEY, vital INTEGER NOT NULL, node INTEGER NOT NULL, UNIQUE (vital, node));
CREATE TABLE samples (time INTEGER, series INTEGER, value REAL, PRIMARY KEY (time, series)) WITHOUT ROWID;
CREATE TABLE five_minutes (start INTEGER, series INTEGER, points BLOB, PRIMARY KEY (start, series)) WITHOUT ROWID;
CREATE TABLE hours (start INTEGER, series INTEGER, points BLOB, PRIMARY KEY (start, series)) WITHOUT ROWID;
CREATE TABLE days (start INTEGER, series INTEGER, points BLOB, PRIMARY KEY (start, series)) WITHOUT ROWID;
CREATE TABLE late_hours (hour INTEGER PRIMARY KEY);
CREATE TABLE marks (mark TEXT PRIMARY KEY, time INTEGER) WITHOUT ROWID;
CREATE TABLE boxes (id INTEGER PRIMARY KEY, box TEXT NOT NULL UNIQUE, last INTEGER NOT NULL);
CREATE TABLE waiting (box INTEGER, id INTEGER, text TEXT, PRIMARY KEY (box, id)) WITHOUT ROWID;
`

/**
 * What can stand in a column.
 *
 * @internal
 */
export type Value = number | string | Uint8Array | null

/** A statement of a {@link StoreFile}. */
interface Statement {
  all(values?: Value[]): Record<string, unknown>[]
  run(values?: Value[]): { lastInsertRowid: number | bigint; changes: number }
  finalize(): void
}

/**
 * An open file. What it throws is the library's; {@link isDamage} knows one kind.
 *
 * @internal
 */
export class StoreFile {
  readonly #path: string
  readonly #database: InstanceType<typeof sqlite.Database>
  /** Whether the log's file is new: what it is called has to be on the disk as well, with the first commit. */
  #isFresh: boolean
  readonly #statements = new Map<string, Statement>()

  /** @internal {@link openFile} makes it */
  constructor(path: string) {
    this.#path = path
    this.#isFresh = !existsSync(`${path}-wal`)
    this.#database = new sqlite.Database(path)
  }

  /** The rows of a question. */
  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#statement(sql).all(values) as Row[]
  }

  /** The first row. Never by the library's `get`, which leaves the question open, and that holds up what comes after it. */
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0]
  }

  /** Does something, and returns the id of the row that it has added. */
  run(sql: string, ...values: Value[]): number {
    return Number(this.#statement(sql).run(values).lastInsertRowid)
  }

  /** Runs what needs no values. */
  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** All or nothing: when this returns, it is on the disk. */
  transaction<T>(work: () => T): T {
    this.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.exec('COMMIT')
      if (this.#isFresh) syncFolder(dirname(this.#path))
      this.#isFresh = false
      return result
    } catch (error) {
      try {
        this.exec('ROLLBACK')
      } catch {} // it was rolled back already
      throw error
    }
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize()
    this.#statements.clear()
    this.#database.close()
  }

  #statement(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql) as Statement
    this.#statements.set(sql, statement)
    return statement
  }
}

/**
 * Opens a file, or makes it. Who calls has made sure that no other process does.
 *
 * The write-ahead log is what makes it safe to be killed. The library's other way, a rollback journal, is not: it takes its
 * own lock for another process's, and leaves half a commit where it is.
 *
 * @throws OperationalError when it is a later version's, or no store; the library's error when it cannot be read
 *
 * @internal
 */
export function openFile(path: string): StoreFile {
  mkdirSync(dirname(path), { recursive: true })
  if (!existsSync(path) || statSync(path).size === 0) make(path)
  // The library would look into the log first, and put that into whatever the file is.
  if (!isDatabase(path)) throw new Error('file is not a database')
  rmSync(`${path}.lock`, { recursive: true, force: true }) // outlives a process that was killed
  const file = new StoreFile(path)
  try {
    file.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${PAGES_BESIDE}; PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -4000`)
    check(file, path)
    return file
  } catch (error) {
    try {
      file.close()
    } catch {} // what was wrong is in the first error
    throw error
  }
}

function isDatabase(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const head = Buffer.alloc(HEAD.length)
    readSync(file, head)
    return head.equals(HEAD)
  } finally {
    closeSync(file)
  }
}

/** How a file of SQLite begins. */
const HEAD = Buffer.from('SQLite format 3\0')

/** Makes a file under another name, so that one with its name is whole. */
function make(path: string): void {
  const unfinished = `${path}.new`
  // A log without its file would be taken for this one's.
  for (const former of [
    unfinished,
    `${unfinished}-journal`,
    `${unfinished}-wal`,
    `${path}-wal`,
    `${path}-journal`,
  ])
    rmSync(former, { force: true })
  rmSync(`${unfinished}.lock`, { recursive: true, force: true })
  const file = new StoreFile(unfinished)
  try {
    file.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = NONE; PRAGMA journal_mode = WAL;
      PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSION}; BEGIN; ${TABLES} COMMIT`)
  } finally {
    file.close()
  }
  renameSync(unfinished, path)
  syncFolder(dirname(path))
}

function check(file: StoreFile, path: string): void {
  const { application_id: application } = file.get<{ application_id: number }>('PRAGMA application_id') ?? {}
  const { user_version: version = 0 } = file.get<{ user_version: number }>('PRAGMA user_version') ?? {}
  if (application !== APPLICATION) {
    throw new OperationalError(
      `${path} is a database, and none that this program has made: move it away, or give the store another name.`,
    )
  }
  if (version > VERSION) {
    throw new OperationalError(
      `${path} was written by a later version of this program (its tables are version ${version}, and ${VERSION} is known here): use that version, or move the file away to begin anew.`,
    )
  }
}

/**
 * Whether an error says that the file itself is not what it was.
 *
 * @internal
 */
export function isDamage(error: unknown): boolean {
  return error instanceof Error && /malformed|not a database|database corrupt/.test(error.message)
}

/**
 * Gives a damaged file another name, by which it can be looked at.
 *
 * @returns the name
 *
 * @internal
 */
export function setAside(path: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  let aside = ''
  for (let count = 1; aside === '' || existsSync(aside); count += 1)
    aside = `${path.replace(/\.db$/, '')}-damaged-${time}${count === 1 ? '' : `-${count}`}.db`
  renameSync(path, aside)
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`)
  syncFolder(dirname(path))
  return aside
}

/**
 * Why a file cannot be written, in words. The library says "disk I/O error" for all: what the system says is asked for.
 *
 * @internal
 */
export function whyNot(path: string, error: unknown): string {
  const probe = `${path}.probe`
  try {
    const isThere = existsSync(path) && statSync(path).isFile()
    if (isThere) closeSync(openSync(path, 'r+'))
    const file = openSync(probe, 'w')
    try {
      for (let written = 0; written < PROBE.length; ) written += writeSync(file, PROBE, written)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message
  } finally {
    try {
      rmSync(probe, { force: true })
    } catch {} // on a disk that is read-only there is none
  }
  return error instanceof Error ? error.message : String(error)
}

/** As much as is written to see whether there is room. */
const PROBE = new Uint8Array(65_536)

const REASONS: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's part of the disk is full",
  EROFS: 'the disk is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'there is a file where the folder should be',
  EIO: 'the disk does not answer as it should',
}

/** A name is its folder's: without this, a file may be on the disk, and its name not. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
