/** Files in memory: a few texts to read, and a log to append to. Gone with the worker. */
import { Buffer } from 'node:buffer'
import { basename, dirname, resolve } from 'node:path'
import { process, say } from './process.ts'

export const constants = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  S_IFMT: 0o170000,
  S_IFREG: 0o100000,
  S_IFDIR: 0o040000,
  S_IFCHR: 0o020000,
  F_OK: 0,
  R_OK: 4,
  W_OK: 2,
  X_OK: 1,
}

const FLAGS: Record<string, number> = {
  r: constants.O_RDONLY,
  'r+': constants.O_RDWR,
  w: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  wx: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  a: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
}

const WORDS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EBADF: 'bad file descriptor',
  EINVAL: 'invalid argument',
}
const NUMBERS: Record<string, number> = {
  ENOENT: -2,
  EBADF: -9,
  EEXIST: -17,
  ENOTDIR: -20,
  EISDIR: -21,
  EINVAL: -22,
  ENOTEMPTY: -39,
}

class Entry {
  readonly ino = nextIno++
  readonly kind: 'file' | 'folder' | 'device'
  size = 0
  links = 1
  bytes = new Uint8Array(0)
  mtimeMs = Date.now()

  constructor(kind: Entry['kind']) {
    this.kind = kind
  }

  write(from: Uint8Array, at: number): void {
    const end = at + from.length
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length, 1024))
      larger.set(this.bytes.subarray(0, this.size))
      this.bytes = larger
    }
    this.bytes.set(from, at)
    this.size = Math.max(this.size, end)
    this.mtimeMs = Date.now()
  }
}

let nextIno = 1
const entries = new Map<string, Entry>([
  ['/', new Entry('folder')],
  ['/tmp', new Entry('folder')],
  ['/dev', new Entry('folder')],
  ['/dev/null', new Entry('device')],
])

interface Open {
  entry: Entry
  flags: number
  at: number
}
const CONSOLE = new Entry('device')
const open = new Map<number, Open>(
  [0, 1, 2].map((fd) => [fd, { entry: CONSOLE, flags: constants.O_RDWR, at: 0 }]),
)

function fail(code: string, syscall: string, path?: string, dest?: string): never {
  const where = path === undefined ? '' : ` '${path}'${dest === undefined ? '' : ` -> '${dest}'`}`
  const error = new Error(`${code}: ${WORDS[code]}, ${syscall}${where}`)
  throw Object.assign(error, {
    code,
    errno: NUMBERS[code],
    syscall,
    ...(path !== undefined && { path }),
    ...(dest !== undefined && { dest }),
  })
}

type Path = string | URL
const textOf = (path: Path) => (typeof path === 'string' ? path : decodeURIComponent(path.pathname))
const fullPath = (path: Path) => resolve(process.cwd(), textOf(path))

function find(path: Path, syscall: string): Entry {
  const full = fullPath(path)
  const parent = entries.get(dirname(full))
  if (parent && parent.kind !== 'folder') fail('ENOTDIR', syscall, textOf(path))
  return entries.get(full) ?? fail('ENOENT', syscall, textOf(path))
}

function descriptor(fd: number, syscall: string): Open {
  return open.get(fd) ?? fail('EBADF', syscall)
}

export function openSync(path: Path, flags: string | number = 'r', _mode?: number): number {
  const how = typeof flags === 'number' ? flags : (FLAGS[flags] ?? 0)
  const full = fullPath(path)
  let entry = entries.get(full)
  if (entry && how & constants.O_EXCL) fail('EEXIST', 'open', textOf(path))
  if (!entry) {
    if (!(how & constants.O_CREAT)) find(path, 'open')
    const parent = entries.get(dirname(full))
    if (parent?.kind !== 'folder') fail(parent ? 'ENOTDIR' : 'ENOENT', 'open', textOf(path))
    entry = new Entry('file')
    entries.set(full, entry)
  }
  if (entry.kind === 'folder' && how & (constants.O_WRONLY | constants.O_RDWR))
    fail('EISDIR', 'open', textOf(path))
  if (how & constants.O_TRUNC) entry.size = 0
  let fd = 3
  while (open.has(fd)) fd += 1
  open.set(fd, { entry, flags: how, at: 0 })
  return fd
}

export function closeSync(fd: number): void {
  descriptor(fd, 'close')
  open.delete(fd)
}

/** Everything here is the program's own. */
export function chmodSync(path: Path, _mode: number): void {
  find(path, 'chmod')
}

/** Memory lasts no longer for it. */
export function fsyncSync(fd: number): void {
  descriptor(fd, 'fsync')
}

export function readSync(
  fd: number,
  into: Uint8Array,
  offset: number | { offset?: number; length?: number; position?: number | null } = 0,
  length?: number,
  position?: number | null,
): number {
  if (typeof offset === 'object')
    return readSync(fd, into, offset.offset ?? 0, offset.length, offset.position)
  const file = descriptor(fd, 'read')
  if (file.entry.kind === 'folder') fail('EISDIR', 'read')
  const from = position ?? file.at
  const count = Math.max(0, Math.min(length ?? into.length - offset, file.entry.size - from))
  into.set(file.entry.bytes.subarray(from, from + count), offset)
  if (position === undefined || position === null) file.at += count
  return count
}

export function writeSync(
  fd: number,
  data: string | Uint8Array,
  offset: number = 0,
  length?: number,
): number {
  const file = descriptor(fd, 'write')
  if (!(file.flags & (constants.O_WRONLY | constants.O_RDWR))) fail('EBADF', 'write')
  const bytes =
    typeof data === 'string'
      ? Buffer.from(data)
      : data.subarray(offset, length === undefined ? undefined : offset + length)
  if (file.entry === CONSOLE) say(new TextDecoder().decode(bytes))
  else if (file.entry.kind === 'file') {
    const at = file.flags & constants.O_APPEND ? file.entry.size : file.at
    file.entry.write(bytes, at)
    file.at = at + bytes.length
  }
  return bytes.length
}

export interface Stats {
  dev: number
  ino: number
  size: number
  nlink: number
}

function statsOf({ kind, ino, size, links, mtimeMs }: Entry, { bigint = false } = {}) {
  const number = (value: number) => (bigint ? BigInt(Math.trunc(value)) : value)
  const mode = kind === 'file' ? 0o100644 : kind === 'folder' ? 0o040755 : 0o020666
  return {
    dev: number(1),
    ino: number(ino),
    size: number(size),
    nlink: number(links),
    mode: number(mode),
    mtimeMs: number(mtimeMs),
    mtime: new Date(mtimeMs),
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'folder',
    isCharacterDevice: () => kind === 'device',
    isFIFO: () => false,
    isSocket: () => false,
    isBlockDevice: () => false,
    isSymbolicLink: () => false,
  }
}

interface StatOptions {
  bigint?: boolean
  throwIfNoEntry?: boolean
}

export function statSync(path: Path, options: StatOptions = {}) {
  if (options.throwIfNoEntry === false && !existsSync(path)) return undefined
  return statsOf(find(path, 'stat'), options)
}
export const lstatSync = statSync

export function fstatSync(fd: number, options: StatOptions = {}) {
  return statsOf(descriptor(fd, 'fstat').entry, options)
}

export function existsSync(path: Path): boolean {
  return entries.has(fullPath(path))
}

export function accessSync(path: Path): void {
  find(path, 'access')
}

export function mkdirSync(
  path: Path,
  { recursive = false }: { recursive?: boolean } = {},
): string | undefined {
  const full = fullPath(path)
  const there = entries.get(full)
  if (there) {
    if (recursive && there.kind === 'folder') return undefined
    fail('EEXIST', 'mkdir', textOf(path))
  }
  const parent = dirname(full)
  let first: string | undefined
  if (!entries.has(parent)) {
    if (!recursive) fail('ENOENT', 'mkdir', textOf(path))
    first = mkdirSync(parent, { recursive })
  }
  if (entries.get(parent)?.kind !== 'folder') fail('ENOTDIR', 'mkdir', textOf(path))
  entries.set(full, new Entry('folder'))
  return recursive ? (first ?? full) : undefined
}

export function readdirSync(path: Path): string[] {
  if (find(path, 'scandir').kind !== 'folder') fail('ENOTDIR', 'scandir', textOf(path))
  const full = fullPath(path)
  return [...entries.keys()]
    .filter((one) => one !== '/' && dirname(one) === full)
    .map((one) => basename(one))
    .sort()
}

export function renameSync(from: Path, to: Path): void {
  const entry = entries.get(fullPath(from)) ?? fail('ENOENT', 'rename', textOf(from), textOf(to))
  const before = entries.get(fullPath(to))
  if (before?.kind === 'folder') fail('EISDIR', 'rename', textOf(from), textOf(to))
  if (!entries.has(dirname(fullPath(to)))) fail('ENOENT', 'rename', textOf(from), textOf(to))
  if (before && before !== entry) before.links = 0
  entries.delete(fullPath(from))
  entries.set(fullPath(to), entry)
}

export function unlinkSync(path: Path): void {
  find(path, 'unlink').links = 0
  entries.delete(fullPath(path))
}

export function rmSync(path: Path, { force = false, recursive = false } = {}): void {
  if (!existsSync(path)) {
    if (force) return
    find(path, 'lstat')
  }
  const full = fullPath(path)
  const within = [...entries.keys()].filter((one) => one.startsWith(`${full}/`))
  if (entries.get(full)?.kind === 'folder' && !recursive) fail('EISDIR', 'rm', textOf(path))
  for (const one of [...within, full]) unlinkSync(one)
}

export function realpathSync(path: Path): string {
  find(path, 'lstat')
  return fullPath(path)
}

/** There are no links here. */
export function readlinkSync(path: Path): string {
  find(path, 'readlink')
  return fail('EINVAL', 'readlink', textOf(path))
}

type Encoding = string | { encoding?: string; flag?: string } | null

export function readFileSync(path: Path | number, options?: Encoding): string | Buffer {
  const fd = typeof path === 'number' ? path : openSync(path, 'r')
  try {
    const { entry } = descriptor(fd, 'read')
    if (entry.kind === 'folder') fail('EISDIR', 'read')
    const bytes = Buffer.from(entry.bytes.slice(0, entry.size))
    const encoding = typeof options === 'string' ? options : options?.encoding
    return encoding ? bytes.toString(encoding as BufferEncoding) : bytes
  } finally {
    if (typeof path !== 'number') closeSync(fd)
  }
}

export function writeFileSync(path: Path | number, data: string | Uint8Array, options?: Encoding): void {
  if (typeof path === 'number') {
    writeSync(path, data)
    return
  }
  const flag = (typeof options === 'object' && options?.flag) || 'w'
  const fd = openSync(path, flag)
  try {
    writeSync(fd, data)
  } finally {
    closeSync(fd)
  }
}

export function appendFileSync(path: Path, data: string | Uint8Array): void {
  writeFileSync(path, data, { flag: 'a' })
}

export function mkdtempSync(prefix: string): string {
  const path = `${prefix}${Math.random().toString(36).slice(2, 8).padEnd(6, '0')}`
  mkdirSync(path)
  return path
}

const later =
  <Given extends unknown[], Value>(run: (...given: Given) => Value) =>
  async (...given: Given): Promise<Value> =>
    run(...given)

export const promises = {
  access: later(accessSync),
  appendFile: later(appendFileSync),
  mkdir: later(mkdirSync),
  readFile: later(readFileSync),
  readdir: later(readdirSync),
  rename: later(renameSync),
  rm: later(rmSync),
  stat: later(statSync),
  unlink: later(unlinkSync),
  writeFile: later(writeFileSync),
}

export default {
  constants,
  openSync,
  closeSync,
  chmodSync,
  fsyncSync,
  readSync,
  writeSync,
  statSync,
  lstatSync,
  fstatSync,
  existsSync,
  accessSync,
  mkdirSync,
  readdirSync,
  renameSync,
  unlinkSync,
  rmSync,
  realpathSync,
  readlinkSync,
  readFileSync,
  writeFileSync,
  appendFileSync,
  mkdtempSync,
  promises,
}
