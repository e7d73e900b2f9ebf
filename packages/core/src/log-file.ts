/**
 * A log file that several processes may append to, that never grows past its limit by more than a
 * line, and that outlives a full disk or its own removal.
 *
 * (The rotating destinations made for pino number the current file too, or write from a worker, whose
 * last lines are lost when the process is killed, and none is made for several processes.)
 *
 * @since 0.2.0
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { OperationalError } from './lifecycle.ts'

/** The size at which a log file rotates, in bytes, when nothing else is asked for: small beside any SD card. */
const DEFAULT_MAX_FILE_BYTES = 10 * 1024 * 1024

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
  #inode: number
  #linesLost = 0
  #cannotRotate = false
  #wasRemoved = false
  /** Whether the file ends in the middle of a line, for which the disk had no more room. */
  #lineIsCut = false

  /**
   * Opens the file for appending, and makes its folder when there is none.
   *
   * @throws OperationalError when it cannot be opened for writing
   */
  constructor(path: string, { maxFileBytes = DEFAULT_MAX_FILE_BYTES, keepFiles = 3 }: LogFileOptions = {}) {
    this.#path = path
    this.#maxFileBytes = maxFileBytes
    this.#keepFiles = keepFiles
    try {
      mkdirSync(dirname(path), { recursive: true })
      this.#descriptor = openSync(path, 'a')
    } catch (error) {
      throw new OperationalError(
        `Cannot write the log file ${path} (${reasonOf(error)}). Move away what is there, or give this user the right to write it.`,
        { cause: error },
      )
    }
    this.#inode = fstatSync(this.#descriptor).ino
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
    if (current?.ino !== this.#inode) {
      // Another process has rotated it, or has removed it, and then no name leads to it any more.
      const wasRemoved = current === undefined && fstatSync(this.#descriptor).nlink === 0
      this.#reopen()
      this.#wasRemoved = wasRemoved
    } else if (current.size > 0 && current.size + bytes > this.#maxFileBytes) {
      this.#tryToRotate()
    }
  }

  #reopen(): void {
    const descriptor = openSync(this.#path, 'a')
    closeSync(this.#descriptor)
    this.#descriptor = descriptor
    this.#inode = fstatSync(descriptor).ino
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
   * Renames the file to `NAME.N.log`, N one more than the highest there is, and starts a new one.
   *
   * Two processes may want this at once. Creating `NAME.N.log` exclusively claims the number, so
   * that neither renames over the other's file: at worst a short file is rotated, and no line is lost.
   */
  #rotate(): void {
    const archives = this.#archives()
    let number = (archives.at(-1)?.number ?? 0) + 1
    for (;;) {
      try {
        closeSync(openSync(this.#archivePath(number), 'wx'))
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        number += 1
      }
    }
    try {
      renameSync(this.#path, this.#archivePath(number))
    } catch (error) {
      rmSync(this.#archivePath(number), { force: true })
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // another process was faster
    }
    this.#reopen()
    for (const archive of this.#archives().slice(0, -this.#keepFiles || undefined)) {
      rmSync(archive.path, { force: true })
    }
  }

  /** The rotated files, oldest first. */
  #archives(): { number: number; path: string }[] {
    const stem = basename(this.#path, '.log')
    return readdirSync(dirname(this.#path))
      .map((name) => ({ name, number: Number(name.slice(stem.length + 1, -'.log'.length)) }))
      .filter(({ name, number }) => Number.isInteger(number) && name === `${stem}.${number}.log`)
      .map(({ number }) => ({ number, path: this.#archivePath(number) }))
      .sort((a, b) => a.number - b.number)
  }

  #archivePath(number: number): string {
    return join(dirname(this.#path), `${basename(this.#path, '.log')}.${number}.log`)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+( '.*')?$/, '') : String(error)
}
