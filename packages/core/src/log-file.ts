/**
 * A log file that several processes may append to, that never grows past its limit by more than a
 * line, and that outlives a full disk or its own removal. It may be a link to a file elsewhere, as on a
 * USB disk, and then rotates there.
 *
 * (The rotating destinations made for pino number the current file too, or write from a worker, whose
 * last lines are lost when the process is killed, and none is made for several processes.)
 *
 * @since 0.2.0
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isatty } from 'node:tty'
import { kindOf, WITHOUT_WAITING } from './file-kind.ts'
import { OperationalError } from './lifecycle.ts'

/** The size at which a log file rotates, in bytes, when nothing else is asked for: small beside any SD card. */
const DEFAULT_MAX_FILE_BYTES = 10 * 1024 * 1024

/** For appending, made when there is none. A terminal that is opened does not become this program's own. */
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOCTTY ?? 0) | WITHOUT_WAITING

export interface LogFileOptions {
  /** The size at which the file rotates, in bytes. Default: 10 MiB. */
  maxFileBytes?: number
  /** How many rotated files are kept. Default: 3. */
  keepFiles?: number
}

/** Appends lines to a file, each with one synchronous system call, and rotates it. */
export class LogFile {
  /** Told once when the file cannot be written any more, once when it can again, and when somebody removed it. */
  onTrouble: (message: string) => void = (message) => console.error(message)

  readonly #path: string
  readonly #maxFileBytes: number
  readonly #keepFiles: number
  #descriptor: number
  /** Which file the descriptor belongs to. */
  #identity: string
  #linesLost = 0
  #cannotRotate = false
  #wasRemoved = false
  /** Whether the file ends in the middle of a line, for which the disk had no more room. */
  #lineIsCut = false

  /**
   * Opens the file for appending, and makes its folder when there is none.
   *
   * @throws OperationalError when it cannot be opened for writing, or is nothing that keeps lines: a pipe, a
   *   socket, a terminal, a disk. (`/dev/null` is as good as a file.)
   */
  constructor(path: string, { maxFileBytes = DEFAULT_MAX_FILE_BYTES, keepFiles = 3 }: LogFileOptions = {}) {
    this.#path = path
    this.#maxFileBytes = maxFileBytes
    this.#keepFiles = keepFiles
    try {
      this.#descriptor = openToAppend(path)
    } catch (error) {
      throw new OperationalError(
        `Cannot write the log file ${path} (${reasonOf(error)}). Move away what is there, or give this user the right to write it.`,
        { cause: error },
      )
    }
    this.#identity = identityOf(fstatSync(this.#descriptor))
  }

  /** Appends one line, which ends with a line feed. Never throws: see {@link onTrouble}. */
  write(line: string): void {
    try {
      this.#prepareFor(Buffer.byteLength(line))
      this.#append(Buffer.from(this.#lineIsCut ? `\n${line}` : line))
    } catch (error) {
      this.#linesLost += 1
      if (this.#linesLost === 1) {
        this.onTrouble(
          `Cannot write the log file ${this.#path} (${reasonOf(error)}). Lines go to the console only until it can be written again.`,
        )
      }
      return
    }
    if (this.#wasRemoved) {
      this.#wasRemoved = false
      this.onTrouble(`The log file ${this.#path} was removed. It begins anew with the line before this one.`)
    }
    if (this.#linesLost > 0) {
      const lost = this.#linesLost
      this.#linesLost = 0
      this.onTrouble(
        `The log file ${this.#path} can be written again. It lacks ${lost} ${lost === 1 ? 'line' : 'lines'}.`,
      )
    }
  }

  #append(bytes: Buffer): void {
    // A nearly full disk takes a part of a line.
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#descriptor, bytes, written)
      this.#lineIsCut = written < bytes.length
    }
  }

  /** Sees to it that the descriptor is that of the current file, and that the file has room. */
  #prepareFor(bytes: number): void {
    const current = statSync(this.#path, { throwIfNoEntry: false })
    if (!current || identityOf(current) !== this.#identity) {
      // Another process has rotated it, or has removed it, and then no name leads to it any more.
      const wasRemoved = current === undefined && fstatSync(this.#descriptor).nlink === 0
      this.#reopen()
      this.#wasRemoved = wasRemoved
    } else if (current.size > 0 && current.size + bytes > this.#maxFileBytes) {
      this.#tryToRotate()
    }
  }

  #reopen(): void {
    const descriptor = openToAppend(this.#path)
    closeSync(this.#descriptor)
    this.#descriptor = descriptor
    this.#identity = identityOf(fstatSync(descriptor))
    this.#lineIsCut = false
  }

  /** Rotates the file; where that cannot be done, as in a folder without the right to, it just grows. */
  #tryToRotate(): void {
    try {
      this.#rotate()
    } catch (error) {
      if (this.#cannotRotate) return
      this.#cannotRotate = true
      this.onTrouble(`Cannot rotate the log file ${this.#path} (${reasonOf(error)}). It goes on growing.`)
    }
  }

  /**
   * Renames the file to `NAME.N.log`, N one more than the highest there is, and starts a new one. Where
   * the file is a link, that is done to the real one, in its folder, and the link stays.
   *
   * Two processes may want this at once. Creating `NAME.N.log` exclusively claims the number, so
   * that neither renames over the other's file: at worst a short file is rotated, and no line is lost.
   */
  #rotate(): void {
    const real = this.#moveAway()
    this.#reopen()
    if (real === undefined) return
    for (const old of archivesOf(real).slice(0, -this.#keepFiles || undefined)) {
      rmSync(old.path, { force: true })
    }
  }

  /** Renames the file. Returns its real path; or nothing, when another process was faster. */
  #moveAway(): string | undefined {
    let claimed: string | undefined
    try {
      const real = realpathSync(this.#path)
      claimed = claimNextArchive(real)
      renameSync(real, claimed)
      return real
    } catch (error) {
      if (claimed !== undefined) rmSync(claimed, { force: true })
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return undefined
    }
  }
}

/** Makes the file that a log file may be renamed to, empty, and returns its path. */
function claimNextArchive(file: string): string {
  let number = (archivesOf(file).at(-1)?.number ?? 0) + 1
  for (;;) {
    try {
      closeSync(openSync(archivePath(file, number), 'wx'))
      return archivePath(file, number)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      number += 1
    }
  }
}

/** The rotated files of a log file, oldest first. */
function archivesOf(file: string): { number: number; path: string }[] {
  const stem = basename(file, '.log')
  return readdirSync(dirname(file))
    .map((name) => ({ name, number: Number(name.slice(stem.length + 1, -'.log'.length)) }))
    .filter(({ name, number }) => Number.isInteger(number) && name === `${stem}.${number}.log`)
    .map(({ number }) => ({ number, path: archivePath(file, number) }))
    .sort((a, b) => a.number - b.number)
}

function archivePath(file: string, number: number): string {
  return join(dirname(file), `${basename(file, '.log')}.${number}.log`)
}

/** Opens a log file, without waiting for anybody, and makes its folder when there is none. */
function openToAppend(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  refuse(statSync(path, { throwIfNoEntry: false }))
  try {
    const descriptor = openSync(path, APPEND)
    if (!isatty(descriptor)) return descriptor
    closeSync(descriptor)
  } catch (error) {
    const leadsNowhere =
      (error as NodeJS.ErrnoException).code === 'ENOENT' && lstatSync(path).isSymbolicLink()
    if (!leadsNowhere) throw error
    throw new Error(`it is a link to ${readlinkSync(path)}, whose folder is not there`, { cause: error })
  }
  throw new Error('it is a terminal')
}

/** Throws when what is there cannot keep lines. Devices such as /dev/null can, in their way. */
function refuse(what: Stats | undefined): void {
  if (what?.isFIFO() || what?.isSocket() || what?.isBlockDevice()) throw new Error(`it is ${kindOf(what)}`)
}

/** A file's number, which is its own only within its disk. */
function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+( '.*')?$/, '') : String(error)
}
