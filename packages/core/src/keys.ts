/**
 * Keys given and taken: a node gets one, loses it, or gets a new one while the old still holds. For the program of a person;
 * the listener that has these keys notices by itself what has changed.
 *
 * @since 0.22.0
 */
import { access, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdName, releaseName } from './held-name.ts'
import {
  checkNodeName,
  type DatedKey,
  type KeyFile,
  keyFileName,
  newKey,
  nodeOfFile,
  readKeyFile,
  writeKeyFile,
} from './key-file.ts'
import { OperationalError } from './lifecycle.ts'
import { stateFolder } from './state-folder.ts'
import { fingerprintOf } from './tls-keys.ts'
import { syncFolder } from './whole-file.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** For how long the old key holds beside a new one, in ms, unless told otherwise: a week, to copy a file. */
const DEFAULT_OVERLAP_MS = 7 * DAY_MS

/** The longest that it may, in ms. Two keys of a node are twice as much to lose. */
const LONGEST_OVERLAP_MS = 365 * DAY_MS

/**
 * How many keys a file keeps, with those that hold no more: by these a listener knows a connection that has outlived a
 * rotation from one whose key was taken away.
 */
const MOST_KEYS = 8

/** How long to wait for another program that changes the same keys, in ms, and how often to look. */
const LOCK_TIMEOUT_MS = 10_000
const LOCK_LOOK_MS = 20

/** Where the keys are. */
export interface KeysFolder {
  /** The folder of the key files: `keys`. A path that is not absolute counts from the {@link stateFolder}. */
  folder: string
}

export interface OneNode extends KeysFolder {
  /** Letters, digits, `-`, `_` and `.`, at most 63 of them, no dot first. */
  node: string
}

export interface Rotation extends OneNode {
  /** For how long the older key holds beside the new one, in milliseconds: up to a year. Default: a week. */
  overlapMs?: number
}

/** A key as people may see it: never itself. */
export interface ListedKey {
  node: string
  /** What tells it from others: eight hexadecimal digits. */
  fingerprint: string
  /** When it was made, as ISO 8601 writes it. */
  since: string
  /** Until when it holds, where that has an end. */
  until?: string
}

/** What was written. */
export interface WrittenKey extends ListedKey {
  /** The file that its node needs. */
  file: string
}

/**
 * Gives a node a key. The folder is made when it is not there.
 *
 * @throws OperationalError when it has one already, cannot be called so, or the file cannot be written
 */
export async function addKey({ folder, node }: OneNode): Promise<WrittenKey> {
  checkNodeName(node)
  const path = resolve(stateFolder(), folder)
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error) => {
    throw notPossible(path, error)
  })
  return changeKeys(folder, async (path) => {
    const file = join(path, keyFileName(node))
    if (await isThere(file))
      throw new OperationalError(
        `${node} has a key already, in ${file}. To give it a new one: rotate. To take it away: revoke.`,
      )
    return write(file, { node, keys: [newKey()] })
  })
}

/**
 * All keys that hold, by the names of their nodes, the newest of a node first.
 *
 * @returns `problems`: a line for each file that cannot be used
 * @throws OperationalError when the folder cannot be read
 */
export async function listKeys({ folder }: KeysFolder): Promise<{ keys: ListedKey[]; problems: string[] }> {
  const path = resolve(stateFolder(), folder)
  const [keys, problems]: [ListedKey[], string[]] = [[], []]
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    throw notPossible(path, error)
  })
  for (const name of names.sort(new Intl.Collator('en', { numeric: true }).compare)) {
    const node = nodeOfFile(name)
    if (node === undefined) continue
    try {
      const content = await readKeysOf(node, join(path, name))
      keys.push(...content.keys.filter((key) => holds(key)).map((key) => listed(node, key)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') problems.push((error as Error).message)
    }
  }
  return { keys, problems }
}

/**
 * Takes a node all its keys. A listener that has them cuts the node off as soon as it notices, at once or within some
 * seconds. Removing the file does the same.
 *
 * @throws OperationalError when it has none, or the file cannot be removed
 */
export async function revokeKey({ folder, node }: OneNode): Promise<void> {
  checkNodeName(node)
  return changeKeys(folder, async (path) => {
    const file = join(path, keyFileName(node))
    if (!(await isThere(file))) throw new OperationalError(await whyNoKey(path, node))
    await rm(file)
    await syncFolder(path)
  })
}

/**
 * Gives a node a new key, while the one that it has holds for some more time. No connection is lost by it: one that was made
 * by the older key outlives that. Whoever may know the older key is not kept out by this: revoke it, and add a new one.
 *
 * @returns the new key, with `olderUntil`, until when the older one holds, as ISO 8601 writes it
 * @throws OperationalError when it has none, its file is another node's, or cannot be read or written
 * @throws RangeError when the overlap is no time from 0 ms to a year
 */
export async function rotateKey({
  folder,
  node,
  overlapMs = DEFAULT_OVERLAP_MS,
}: Rotation): Promise<WrittenKey & { olderUntil: string }> {
  checkNodeName(node)
  if (!(overlapMs >= 0 && overlapMs <= LONGEST_OVERLAP_MS))
    throw new RangeError(`Two keys hold for 0 ms to a year side by side, and not for ${overlapMs} ms.`)
  return changeKeys(folder, async (path) => {
    const file = join(path, keyFileName(node))
    if (!(await isThere(file))) throw new OperationalError(await whyNoKey(path, node))
    const { keys } = await readKeysOf(node, file)
    const olderUntil = new Date(Date.now() + overlapMs).toISOString()
    const older = keys.map((key) => (endsBefore(key, olderUntil) ? key : { ...key, until: olderUntil }))
    const written = await write(file, { node, keys: [newKey(), ...older].slice(0, MOST_KEYS) })
    return { ...written, olderUntil }
  })
}

/** A file that was copied to another name gives nobody access, and must not by a rotation: who has the key in it is the first node. */
async function readKeysOf(node: string, file: string): Promise<KeyFile> {
  const content = await readKeyFile(file, { mayBeOthers: true })
  if (content.node === node) return content
  throw new OperationalError(`${file} is refused: the key in it is that of ${content.node}.`)
}

function endsBefore({ until }: DatedKey, moment: string): boolean {
  return until !== undefined && Date.parse(until) <= Date.parse(moment)
}

function holds({ until }: DatedKey): boolean {
  return until === undefined || Date.now() < Date.parse(until)
}

function listed(node: string, { key, since, until }: DatedKey): ListedKey {
  const fingerprint = fingerprintOf(Buffer.from(key, 'base64url'))
  return { node, fingerprint, since, ...(until !== undefined && { until }) }
}

async function write(file: string, content: KeyFile): Promise<WrittenKey> {
  await writeKeyFile(file, content, await ownerForRoot(join(file, '..')))
  const [newest] = content.keys
  if (!newest) throw new TypeError('A key file has a key in it')
  return { ...listed(content.node, newest), file }
}

/** What root writes is to be read by whom the folder belongs to: the user of the listener. */
async function ownerForRoot(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  return process.geteuid?.() === 0 ? stat(folder) : undefined
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function whyNoKey(path: string, node: string): Promise<string> {
  const nodes = (await readdir(path)).map(nodeOfFile).filter((node) => node !== undefined)
  return `${node} has no key in ${path}. ${nodes.length > 0 ? `These have one: ${nodes.sort().join(', ')}.` : 'Nobody has.'}`
}

/** Changes something in the folder, one program at a time: two that write the same file would lose what one has written. */
async function changeKeys<Result>(
  folder: string,
  change: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = resolve(stateFolder(), folder)
  try {
    const name = `keys in ${await realpath(path)}`
    await holdInTurn(name, path)
    try {
      return await change(path)
    } finally {
      await releaseName(name)
    }
  } catch (error) {
    if (error instanceof OperationalError) throw error
    throw notPossible(path, error as NodeJS.ErrnoException)
  }
}

async function holdInTurn(name: string, path: string): Promise<void> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS
  while (!(await holdName(name))) {
    if (performance.now() > deadline)
      throw new OperationalError(
        `Another program changes the keys in ${path}, and has not finished for 10 s.`,
      )
    await sleep(LOCK_LOOK_MS)
  }
}

function notPossible(path: string, { code, message }: NodeJS.ErrnoException): OperationalError {
  if (code === 'ENOENT')
    return new OperationalError(
      `There are no keys yet: ${path} is not there. The program that others connect to makes it at its first start.`,
    )
  const rights = code === 'EACCES' || code === 'EPERM'
  return new OperationalError(
    `Cannot change or read the keys in ${path}: ${message}.${rights ? ' Run this as the user whose folder it is, or as root.' : ''}`,
  )
}
