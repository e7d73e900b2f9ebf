/**
 * A key file: the keys of one node, which only their owner may read. How it is read, how it is written, and why it is refused.
 *
 * @since 0.21.0
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { kindOf, WITHOUT_WAITING } from './file-kind.ts'
import { OperationalError } from './lifecycle.ts'
import { writeWhole } from './whole-file.ts'

/** How long a key is, in bytes: as long as what SHA-256 makes. Nobody guesses one of 2^256. */
const KEY_BYTES = 32

/** A key in a file: 32 bytes as base64url. The last letter has two bits that stand for nothing, and are 0. */
const KEY_TEXT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** How large a key file may be, in bytes. Two keys take 250. */
const LARGEST_FILE = 16 * 1024

/** Who may read and write a key file, and a folder of them: its owner, and nobody else. */
const FILE_MODE = 0o600

/** How the file of a node ends. */
const ENDING = '.key'

/** What a node is called: it becomes the name of a file, and stands in texts. RFC 1035 has no longer names between two dots. */
const NODE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}$/

/**
 * Whether a node may be called so: letters, digits, `-`, `_` and `.`, at most 63 of them, no dot first.
 *
 * @internal
 */
export function isNodeName(name: unknown): name is string {
  return typeof name === 'string' && NODE_NAME.test(name)
}

/**
 * @throws OperationalError when no node may be called so
 * @internal
 */
export function checkNodeName(name: unknown): asserts name is string {
  if (isNodeName(name)) return
  throw new OperationalError(
    `A node cannot be called ${JSON.stringify(name)}: its name has letters, digits, "-", "_" and ".", at most 63 of them, and no dot first.`,
  )
}

/** One key, from when to when it holds. */
export interface DatedKey {
  /** 32 bytes, as base64url. */
  readonly key: string
  /** When it was made, as ISO 8601 writes it. */
  readonly since: string
  /** From when on it holds no more, as ISO 8601 writes it. Without it, it holds. */
  readonly until?: string | undefined
}

/** What is in a key file. */
export interface KeyFile {
  /** Whose keys they are. */
  readonly node: string
  /** The newest first. */
  readonly keys: readonly DatedKey[]
}

const moment = v.pipe(v.string(), v.isoTimestamp())

const keyFile = v.object({
  node: v.custom<string>(isNodeName),
  keys: v.pipe(
    v.array(
      v.object({
        key: v.pipe(v.string(), v.regex(KEY_TEXT)),
        since: moment,
        until: v.optional(moment),
      }),
    ),
    v.minLength(1),
  ),
})

/** A new key, which holds from now on. */
export function newKey(): DatedKey {
  return { key: randomBytes(KEY_BYTES).toString('base64url'), since: new Date().toISOString() }
}

/**
 * The bytes of those keys that hold now, the newest first.
 *
 * @internal
 */
export function validKeys({ keys }: KeyFile, now = Date.now()): Buffer[] {
  return keys
    .filter(({ until }) => until === undefined || now < Date.parse(until))
    .map(({ key }) => Buffer.from(key, 'base64url'))
}

/**
 * What the key file of a node is called.
 *
 * @internal
 */
export function keyFileName(node: string): string {
  return `${node}${ENDING}`
}

/**
 * Whose key file it is, by its name; undefined when it is none.
 *
 * @internal
 */
export function nodeOfFile(path: string): string | undefined {
  const name = basename(path)
  const node = name.slice(0, -ENDING.length)
  return name.endsWith(ENDING) && isNodeName(node) ? node : undefined
}

/**
 * Reads a key file. No error has anything in it of what it read. Whose a credential of systemd is, and who may read it, is
 * systemd's to say.
 *
 * @param options `mayBeOthers`: whether root reads one that is somebody else's, to change it for its owner. Default: false.
 * @throws OperationalError when it is no file, when others may read it too, when it is somebody else's, or when there are no
 *   keys in it: with the file, and what to do
 * @throws the system's error when it cannot be read: with the code ENOENT when it is not there
 */
export async function readKeyFile(
  path: string,
  { mayBeOthers = false }: { mayBeOthers?: boolean } = {},
): Promise<KeyFile> {
  const file = await open(path, constants.O_RDONLY | WITHOUT_WAITING)
  let text: string
  try {
    await checkFile(path, file, mayBeOthers)
    text = await file.readFile('utf8')
  } finally {
    await file.close()
  }
  const parsed = v.safeParse(keyFile, parse(text))
  if (parsed.success) return parsed.output
  throw new OperationalError(
    `There are no keys in ${path} that can be used. Copy the file anew; where the keys are made, delete their folder: at the next start all are made anew.`,
  )
}

/** What is open is looked at, and not what has the name: that may be another file a moment later. */
async function checkFile(path: string, file: FileHandle, mayBeOthers: boolean): Promise<void> {
  const stats = await file.stat()
  if (!stats.isFile()) throw new OperationalError(`${path} is ${kindOf(stats)}, and no key file.`)
  const { mode, uid, size } = stats
  if (size > LARGEST_FILE) throw new OperationalError(`${path} has ${size} bytes, and is no key file.`)
  // Some of its versions have the file belong to root, and give this user access by a list that a mode does not show.
  if (isCredential(path)) return
  const user = process.geteuid?.()
  if (user === undefined) return // Windows knows neither
  if (uid !== user && uid !== 0 && !(mayBeOthers && user === 0))
    throw new OperationalError(
      `The key in ${path} is refused: the file belongs to user ${uid}, and this program runs as user ${user}. Do: sudo chown ${user} ${path}`,
    )
  if (mode & 0o077)
    throw new OperationalError(
      `The key in ${path} is refused: others can get at it, since its mode is ${(mode & 0o777).toString(8)}. Do: chmod 600 ${path}`,
    )
}

/** Whether systemd has put it there for this program (`LoadCredential=`). */
function isCredential(path: string): boolean {
  const folder = process.env['CREDENTIALS_DIRECTORY']
  return folder !== undefined && dirname(resolve(path)) === resolve(folder)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // its error would show what stands there
  }
}

/**
 * Writes a key file, whole, for nobody but its owner.
 *
 * @param owner whose it is to be. Default: whose process this is.
 * @throws OperationalError when the node cannot be called so
 * @throws the system's error when it cannot be written
 */
export async function writeKeyFile(
  path: string,
  content: KeyFile,
  owner?: { uid: number; gid: number },
): Promise<void> {
  checkNodeName(content.node)
  await writeWhole(path, `${JSON.stringify(content)}\n`, FILE_MODE, owner)
}
