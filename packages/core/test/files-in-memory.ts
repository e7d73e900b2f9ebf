/**
 * Files in memory that know what is on the disk, and what only the system has: so a test can let the power go at any moment,
 * and look at what is there then.
 */
import type { LogFiles } from '../src/task-log-files.ts'

/** What a write has changed: bytes at a place, or a length. */
type Change = { at: number; bytes: Buffer } | { length: number }

interface File {
  content: Buffer
  /** The same, as far as it is on the disk. */
  durable: Buffer
  /** What has come since. */
  changes: Change[]
}

type Rename = { path: string; file: File | undefined }

/** What there was at a moment. */
export interface Moment {
  names: Map<string, File>
  files: Map<File, { durable: Buffer; changes: Change[] }>
  /** Names that were given or taken away, and are not on the disk yet. */
  renames: Rename[]
}

/** Numbers from 0 to 1 that a seed repeats: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The smallest piece that a disk writes whole. */
const SECTOR = 512

export class FilesInMemory implements LogFiles {
  readonly #names = new Map<string, File>()
  readonly #durableNames = new Map<string, File>()
  #renames: Rename[] = []
  readonly #open = new Map<number, File>()
  #lastOpened = 0
  /** Whether a synchronisation does anything. */
  syncs = true
  /** How many bytes all files may have together. */
  most = Number.POSITIVE_INFINITY
  /** Called when something has changed. */
  changed: () => void = () => {}
  /** How many synchronisations there were. */
  synced = 0
  /** How many of them have to fail. */
  failing = 0
  /** How many changes of any kind go well before one fails. */
  failsAt = Number.POSITIVE_INFINITY

  /** Files as they are given, all of them on the disk. */
  static of(contents: ReadonlyMap<string, Buffer>): FilesInMemory {
    const files = new FilesInMemory()
    for (const [path, content] of contents) {
      const file = { content, durable: content, changes: [] }
      files.#names.set(path, file)
      files.#durableNames.set(path, file)
    }
    return files
  }

  /** What is in all of them now, as the system has it. */
  contents(): Map<string, Buffer> {
    return new Map([...this.#names].map(([path, { content }]) => [path, Buffer.from(content)]))
  }

  /** What there is now, to be looked at later. */
  moment(): Moment {
    const files = new Set([...this.#durableNames.values(), ...this.#names.values()])
    return {
      names: new Map(this.#durableNames),
      files: new Map([...files].map((file) => [file, { durable: file.durable, changes: [...file.changes] }])),
      renames: [...this.#renames],
    }
  }

  list(folder: string): string[] {
    return [...this.#names.keys()]
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1))
  }

  makeFolder(): void {}

  open(path: string, how: 'r' | 'r+' | 'wx+'): number {
    let file = this.#names.get(path)
    if (how === 'wx+' ? file : !file) throw problem(how === 'wx+' ? 'EEXIST' : 'ENOENT', path)
    if (!file) {
      this.#mayFail(path)
      file = { content: Buffer.alloc(0), durable: Buffer.alloc(0), changes: [] }
      this.#name(path, file)
    }
    this.#lastOpened += 1
    this.#open.set(this.#lastOpened, file)
    return this.#lastOpened
  }

  close(file: number): void {
    this.#file(file)
    this.#open.delete(file)
  }

  size(file: number): number {
    return this.#file(file).content.length
  }

  async read(file: number, into: Buffer, at: number): Promise<number> {
    return this.#file(file).content.copy(into, 0, at)
  }

  write(file: number, bytes: Uint8Array, at: number): void {
    const opened = this.#file(file)
    this.#mayFail('write')
    const grows = Math.max(0, at + bytes.length - opened.content.length)
    const room = this.most - [...this.#names.values()].reduce((sum, { content }) => sum + content.length, 0)
    // As the system does: what there is room for is written.
    const fits = grows <= room ? bytes.length : Math.max(0, bytes.length - grows + room)
    this.#change(opened, { at, bytes: Buffer.from(bytes.subarray(0, fits)) })
    if (fits < bytes.length) throw problem('ENOSPC', 'write')
  }

  truncate(file: number, length: number): void {
    this.#change(this.#file(file), { length })
  }

  async sync(...opened: number[]): Promise<void> {
    const now = opened.map((one) => {
      const file = this.#file(one)
      return { file, content: file.content, count: file.changes.length }
    })
    // Not at once, and not all in the same moment.
    for (const { file, content, count } of now) {
      await Promise.resolve()
      this.synced += 1
      this.#mayFail('fdatasync')
      if (this.failing > 0) {
        this.failing -= 1
        throw problem('EIO', 'fdatasync')
      }
      if (!this.syncs) continue
      file.durable = content
      file.changes.splice(0, count)
      this.changed()
    }
  }

  rename(from: string, to: string): void {
    const file = this.#names.get(from)
    if (!file) throw problem('ENOENT', from)
    this.#mayFail('rename')
    this.#names.delete(from)
    this.#names.set(to, file)
    this.#renames.push({ path: to, file }, { path: from, file: undefined })
    this.changed()
  }

  remove(path: string): void {
    if (this.#names.has(path)) this.#name(path, undefined)
  }

  async syncFolder(): Promise<void> {
    const count = this.#renames.length
    await Promise.resolve()
    this.#mayFail('fsync')
    if (!this.syncs) return
    for (const { path, file } of this.#renames.splice(0, count)) give(this.#durableNames, path, file)
    this.changed()
  }

  #mayFail(what: string): void {
    this.failsAt -= 1
    if (this.failsAt === -1) throw problem('EIO', what)
  }

  #name(path: string, file: File | undefined): void {
    give(this.#names, path, file)
    this.#renames.push({ path, file })
    this.changed()
  }

  #change(file: File, change: Change): void {
    file.content = applied(file.content, change)
    file.changes.push(change)
    this.changed()
  }

  #file(file: number): File {
    const opened = this.#open.get(file)
    if (!opened) throw problem('EBADF', String(file))
    return opened
  }
}

/**
 * What the disk has when the power goes at a moment: what was synchronised, and of the rest whatever it had just written.
 *
 * @param random which of that; without, nothing of it
 */
export function afterPowerCut({ names, files, renames }: Moment, random?: () => number): Map<string, Buffer> {
  const left = new Map(names)
  // Names are changed in order.
  const count = random ? Math.floor(random() * (renames.length + 1)) : 0
  for (const { path, file } of renames.slice(0, count)) give(left, path, file)
  return new Map(
    [...left].map(([path, file]) => {
      const { durable, changes } = files.get(file) ?? file
      return [
        path,
        random
          ? changes.reduce<Buffer>((content, change) => torn(content, change, random), durable)
          : durable,
      ]
    }),
  )
}

/** A change that the disk has made, or not, or in some of its sectors. */
function torn(content: Buffer, change: Change, random: () => number): Buffer {
  const how = random()
  if (how < 0.35) return content
  if (how < 0.7 || 'length' in change) return applied(content, change)
  let result = content
  for (let at = 0; at < change.bytes.length; ) {
    const end = Math.min(change.bytes.length, at + SECTOR - ((change.at + at) % SECTOR))
    if (random() < 0.5)
      result = applied(result, { at: change.at + at, bytes: change.bytes.subarray(at, end) })
    at = end
  }
  return result
}

function applied(content: Buffer, change: Change): Buffer {
  const length =
    'length' in change ? change.length : Math.max(content.length, change.at + change.bytes.length)
  const result = Buffer.alloc(length)
  content.copy(result)
  if ('bytes' in change) change.bytes.copy(result, change.at)
  return result
}

function give(names: Map<string, File>, path: string, file: File | undefined): void {
  if (file) names.set(path, file)
  else names.delete(path)
}

function problem(code: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${what}`), { code })
}
