/**
 * The key that a node itself has: which file it is, also when several nodes run on one machine, and how it is waited for.
 *
 * @since 0.21.0
 */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdName } from './held-name.ts'
import { type KeyFile, readKeyFile, validKeys } from './key-file.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { stateFolder } from './state-folder.ts'

/** How often is looked whether there is a key by now, in ms. */
const LOOK_MS = 500

export interface OpenKeyOptions {
  /**
   * The key file: `keys/pi-3.key`. A path that is not absolute counts from the {@link stateFolder}. There may be one
   * `*` in its name, as in `keys/pi-*.key`: then it is the first of these, in the order of their names, that no other
   * living process of this machine has.
   */
  file: string
  /** Where is told that it is waited for. */
  log: Logger
  /** Ends the wait. */
  stop: AbortSignal
}

/** The key of this node. Nothing that prints or logs it shows more than whose it is. */
export class OwnKey {
  /** What this node is called. */
  readonly node: string
  /** The file that it comes from. */
  readonly file: string
  #key: Buffer

  /** @internal {@link openKey} makes it */
  constructor(file: string, content: KeyFile) {
    this.file = file
    this.node = content.node
    this.#key = newest(file, content)
  }

  /** The newest key, as it was last read: 32 bytes. */
  get key(): Buffer {
    return this.#key
  }

  /**
   * Reads the file again, so that a key that was changed holds from the next connection on.
   *
   * @returns the newest key: 32 bytes
   * @throws OperationalError when there is none, or it is another node's, or it is refused
   */
  async current(): Promise<Buffer> {
    let content: KeyFile
    try {
      content = await readKeyFile(this.file)
    } catch (error) {
      if (error instanceof OperationalError) throw error
      const { code, message } = error as NodeJS.ErrnoException
      throw new OperationalError(
        code === 'ENOENT'
          ? `The key of this node, ${this.file}, is there no more. Was it revoked? Once a new one is there, that is used.`
          : `Cannot read the key of this node: ${message}.`,
      )
    }
    if (content.node !== this.node)
      throw new OperationalError(
        `${this.file} has the key of ${content.node} in it now. This node is ${this.node}: start it again if that is to change.`,
      )
    this.#key = newest(this.file, content)
    return this.#key
  }

  toString(): string {
    return `[key of ${this.node}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function newest(file: string, content: KeyFile): Buffer {
  const [key] = validKeys(content)
  if (key) return key
  throw new OperationalError(`No key in ${file} holds any more. Copy the file anew.`)
}

/**
 * Opens the key of this node. Where there is none yet, that is told, and waited for.
 *
 * @throws OperationalError when the file is refused: others may read it, or there are no keys in it; or when its folder cannot
 *   be read
 * @throws the signal's reason, an AbortError, when `stop` is aborted first
 */
export async function openKey({ file, log, stop }: OpenKeyOptions): Promise<OwnKey> {
  const path = resolve(stateFolder(), file)
  const held = new Set<string>()
  let told: string | undefined
  for (;;) {
    stop.throwIfAborted()
    const found = await look(path, held)
    if (found instanceof OwnKey) return found
    if (found !== told) log.info(found)
    told = found
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {})
  }
}

/**
 * The key, or what to tell of it that there is none.
 *
 * @param held the files that this process has taken already
 */
async function look(path: string, held: Set<string>): Promise<OwnKey | string> {
  const isPattern = basename(path).includes('*')
  const paths = isPattern ? await matches(path) : [path]
  for (const path of paths) {
    if (!held.has(path) && (await holdName(path))) held.add(path)
    // Who names the file means it. It is held nevertheless, so that nobody takes it for a free one.
    if (isPattern && !held.has(path)) continue
    try {
      return new OwnKey(path, await readKeyFile(path))
    } catch (error) {
      if (error instanceof OperationalError) throw error
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') throw new OperationalError(`Cannot read the key of this node: ${message}.`)
    }
  }
  return isPattern && paths.length > 0
    ? `Other programs of this machine have all keys ${path} by now: waiting for one more, or for one to be free.`
    : `No key ${path} yet: waiting for it. The program that this one connects to makes the keys at its first start; from another machine, copy it here.`
}

/** The files that a pattern stands for, in the order of their names: 2 before 10. */
async function matches(path: string): Promise<string[]> {
  const folder = dirname(path)
  const [before = '', after = ''] = basename(path).split('*')
  const names = await readdir(folder).catch(({ code, message }: NodeJS.ErrnoException): string[] => {
    if (code === 'ENOENT') return []
    throw new OperationalError(`Cannot look for the key of this node: ${message}.`)
  })
  return names
    .filter((name) => name.length >= before.length + after.length)
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .map((name) => join(folder, name))
}
