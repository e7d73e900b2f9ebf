/**
 * The folder of a bundle, which is the reader's too: its configuration gets the addresses of the reader's Pis, a
 * program that was tried there leaves its log. So it is remembered what was written there, and what is not that
 * any more, or never was, is neither overwritten nor deleted.
 */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, normalize, parse } from 'node:path'
import { ReaderError } from '../workspace/reader-error.ts'
import { filesOf } from './bundle-chapter.ts'

/** Where it is remembered. */
const MEMORY_FILE = '.bundle.json'

/** The checksum of each file as it was written, by its path, counted from the folder. */
type Memory = Record<string, string | undefined>

export class OutFolder {
  /** Its absolute path. */
  readonly path: string
  /** As it is shown. */
  readonly name: string
  #memory: Memory

  /**
   * @param path absolute
   * @param name how it is shown to the reader
   * @throws ReaderError when it is no folder, or one with other things in it
   */
  constructor(path: string, name: string) {
    this.path = path
    this.name = name
    this.#memory = this.#remembered()
  }

  /**
   * Puts the files of another folder here, in place of those that were put here before.
   *
   * @returns what to tell the reader: a line for each file that is theirs
   * @throws ReaderError when the system does not let it
   */
  replaceBy(folder: string): string[] {
    try {
      const files = filesOf(folder)
      const written = Object.fromEntries(files.map((file) => [file, checksum(join(folder, file))]))
      makeFolder(this.path)
      // First, so that a folder that is not finished is known as a bundle all the same.
      this.#remember({ ...this.#memory, ...written })
      const notices = [
        ...files.flatMap((file) => this.#put(file, join(folder, file))),
        ...Object.keys(this.#memory).flatMap((file) => (file in written ? [] : this.#remove(file))),
      ]
      this.#remember(written)
      return notices
    } catch (error) {
      throw new ReaderError(`Cannot write ${this.name}: ${error instanceof Error ? error.message : error}`)
    }
  }

  #put(file: string, from: string): string[] {
    const to = join(this.path, file)
    const notices: string[] = []
    if (isThere(to)) {
      const now = checksum(to)
      if (now === checksum(from)) return []
      if (now === undefined || now !== this.#memory[file]) {
        if (file in this.#memory && !isMade(file))
          return [`${this.name}/${file} stays as you have changed it.`]
        const backup = backupName(file, new Date())
        renameSync(to, join(this.path, backup))
        notices.push(`Your ${this.name}/${file} is kept as ${backup}.`)
      }
    }
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(from, `${to}.unfinished`)
    renameSync(`${to}.unfinished`, to)
    return notices
  }

  /** Removes a file that is not in the bundle any more, and the folders that are empty then. */
  #remove(file: string): string[] {
    const path = join(this.path, file)
    if (!isThere(path)) return []
    if (checksum(path) !== this.#memory[file]) return [`${this.name}/${file} stays: you have changed it.`]
    rmSync(path)
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
      if (readdirSync(join(this.path, folder)).length > 0) break
      rmdirSync(join(this.path, folder))
    }
    return []
  }

  #remembered(): Memory {
    const there = this.#entries()
    if (there.length === 0) return {}
    if (!there.includes(MEMORY_FILE)) {
      throw new ReaderError(
        `There are other files in ${this.name}, and it is no bundle. Name a new folder, or an empty one, with --out.`,
      )
    }
    try {
      const { files } = JSON.parse(readFileSync(join(this.path, MEMORY_FILE), 'utf8')) as { files: Memory }
      if (Object.keys(files).some(leadsOut)) throw new Error('it names files outside')
      return files
    } catch (error) {
      throw new ReaderError(
        `${this.name}/${MEMORY_FILE} does not say what was written there (${error instanceof Error ? error.message : error}). Name another folder with --out.`,
      )
    }
  }

  /** What is in the folder: nothing when there is none yet. */
  #entries(): string[] {
    try {
      return readdirSync(this.path)
    } catch (error) {
      switch ((error as NodeJS.ErrnoException).code) {
        case 'ENOENT':
          return []
        case 'ENOTDIR':
          throw new ReaderError(
            existsSync(this.path)
              ? `${this.name} is a file. Name a folder with --out.`
              : `${this.name} cannot be made: a part of that path is a file. Name another folder with --out.`,
          )
        default:
          throw new ReaderError(`Cannot read ${this.name}: ${error instanceof Error ? error.message : error}`)
      }
    }
  }

  #remember(files: Memory): void {
    writeFileSync(join(this.path, MEMORY_FILE), `${JSON.stringify({ files }, undefined, 2)}\n`)
  }
}

/** Makes a folder and those above it, one after the other: Node's own way never ends where one cannot be, as in /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  mkdirSync(path)
}

/** The checksum of a file; nothing for what is no file of its own, such as a link. */
function checksum(path: string): string | undefined {
  if (!lstatSync(path).isFile()) return undefined
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** True for what is made for a bundle; anything else is the chapter's, and for the reader to change. */
function isMade(file: string): boolean {
  return file.endsWith('.js') || file === 'package.json' || file === 'README.md'
}

function leadsOut(file: string): boolean {
  return file.startsWith('/') || normalize(file) !== file || file.startsWith('..')
}

/** `NAME.2026-11-23T09-15-00-123.js.bak`: dated, and nothing that would be run. */
function backupName(file: string, now: Date): string {
  const { dir, name, ext } = parse(file)
  const date = now.toISOString().replace(/[:.]/g, '-').replace('Z', '')
  return join(dir, `${name}.${date}${ext}.bak`)
}
