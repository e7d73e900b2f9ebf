/**
 * The keys of all nodes that have access, a file each. A file that is added, changed or gone holds at once, without a restart.
 *
 * @since 0.21.0
 */
import { EventEmitter } from 'node:events'
import { type FSWatcher, watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  checkNodeName,
  type DatedKey,
  type KeyFile,
  keyFileName,
  newKey,
  nodeOfFile,
  readKeyFile,
  validKeys,
  writeKeyFile,
} from './key-file.ts'
import { every, OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { stateFolder } from './state-folder.ts'
import { syncFolder } from './whole-file.ts'

/**
 * How often is looked at the folder, in ms, whatever the system tells of it: it tells nothing of a folder on another machine,
 * or when its watches are used up (fs.inotify.max_user_watches).
 */
const LOOK_MS = 2_500

/** How long to wait for more, in ms, when the system has told of a change: a file that is copied changes more than once. */
const SETTLE_MS = 50

export interface OpenKeysOptions {
  /** The folder of the key files: `keys`. A path that is not absolute counts from the {@link stateFolder}. */
  folder: string
  /** For which nodes to make a key, when there is no such folder yet. */
  nodes: readonly string[]
  /** Where is told which keys were made, which files are refused, and what has changed. */
  log: Logger
  /** Ends the watch. */
  stop: AbortSignal
}

interface NodeKeysEvents {
  /** What keys a node has, or which of them hold, is something else now. */
  change: [node: string]
  /** A node has no key any more that holds. */
  revoked: [node: string]
}

/** What was read from a file, and how to see that it is another now. */
interface Read {
  readonly state: string
  readonly content: KeyFile | undefined
  /** How many of its keys held when that was last looked at. */
  valid: number
}

/** The keys of the nodes that have access. Nothing that prints or logs it shows more than whose they are. */
export class NodeKeys extends EventEmitter<NodeKeysEvents> {
  readonly folder: string
  readonly #log: Logger
  readonly #stop: AbortSignal
  #files = new Map<string, Read>()
  #looking: Promise<void> | undefined
  #lookAgain = false
  #told: string | undefined

  /** @internal {@link openKeys} makes it */
  constructor(folder: string, log: Logger, stop: AbortSignal) {
    super()
    this.folder = folder
    this.#log = log
    this.#stop = stop
    this.setMaxListeners(0) // as many as there are connections
  }

  /** The names of the nodes that have access. */
  get nodes(): string[] {
    return [...this.#files.keys()].filter((node) => this.keysOf(node).length > 0)
  }

  /** The keys of a node that hold now, the newest first; none when it has no access. */
  keysOf(node: string): Buffer[] {
    const content = this.#files.get(node)?.content
    return content ? validKeys(content) : []
  }

  /**
   * All keys that stand in a node's file, the newest first, with those that hold no more.
   *
   * @internal
   */
  allOf(node: string): readonly DatedKey[] {
    return this.#files.get(node)?.content?.keys ?? []
  }

  /** Looks at the folder, and resolves when what is there holds. It is called by itself as well, at each change and every 2.5 s. */
  async look(): Promise<void> {
    this.#lookAgain = true
    this.#looking ??= this.#lookWhileAsked().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#lookAgain) {
      this.#lookAgain = false
      await this.#lookOnce()
    }
  }

  async #lookOnce(): Promise<void> {
    let names: string[]
    try {
      names = await readdir(this.folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#tellOnce(`Cannot look at the keys: ${(error as Error).message}. Those known before hold.`)
        return
      }
      names = []
    }
    const before = this.#files
    const now = new Map<string, Read>()
    let isWell = true
    for (const name of names) {
      const node = nodeOfFile(name)
      if (node !== undefined && !(await this.#read(node, before.get(node), now))) isWell = false
    }
    if (isWell) this.#told = undefined
    this.#files = now
    for (const node of new Set([...before.keys(), ...now.keys()])) this.#tell(node, before.get(node))
  }

  /** Reads the file of a node, unless it is the same as before. Returns whether the system let it. */
  async #read(node: string, before: Read | undefined, now: Map<string, Read>): Promise<boolean> {
    const path = join(this.folder, keyFileName(node))
    let state: string
    let content: KeyFile | undefined
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path)
      state = [ino, size, mtimeMs, ctimeMs].join(' ')
      if (before?.state === state) {
        now.set(node, before)
        return true
      }
      content = await readKeyFile(path).catch((error) => {
        if (!(error instanceof OperationalError)) throw error
        this.#log.warn(error.message) // what is there is refused
        return undefined
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true // it has gone since
      // What could not be read just now, as when no descriptor is free, is no reason to shut its node out.
      this.#tellOnce(`Cannot look at the keys: ${(error as Error).message}. Those known before hold.`)
      if (before) now.set(node, { ...before, state: '' })
      return false
    }
    if (content && content.node !== node)
      this.#log.warn(
        `The key in ${path} is refused: it is that of ${content.node}. A file is called as its node is.`,
      )
    const isItsOwn = content?.node === node
    now.set(node, { state, content: isItsOwn ? content : undefined, valid: before?.valid ?? 0 })
    return true
  }

  /** Tells those who listen what has changed for a node: its file, or which of its keys hold by now. */
  #tell(node: string, before: Read | undefined): void {
    const now = this.#files.get(node)
    const had = before?.valid ?? 0
    const has = this.keysOf(node).length
    const isSame = now !== undefined && now === before && had === has
    if (now) now.valid = has
    if (isSame) return
    this.emit('change', node)
    if (had > 0 && has === 0) this.emit('revoked', node)
  }

  #tellOnce(problem: string): void {
    if (this.#told !== problem) this.#log.warn(problem)
    this.#told = problem
  }

  /** @internal */
  async watch(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let watcher: FSWatcher | undefined
    let watched: number | undefined
    const settle = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        void this.look()
      }, SETTLE_MS).unref()
    }
    for await (const _ of every(LOOK_MS, this.#stop)) {
      await this.look()
      const { ino } = await stat(this.folder).catch(() => ({ ino: undefined }))
      if (ino === watched) continue
      watcher?.close() // another folder has the name now
      watcher = ino === undefined ? undefined : watchFolder(this.folder, settle)
      watched = watcher && ino
    }
    clearTimeout(timer)
    watcher?.close()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `[keys of ${[...this.#files.keys()].join(', ') || 'nobody'}]`
  }

  toJSON(): string {
    return `[keys of ${this.#files.size} nodes]`
  }
}

/** Undefined when the system has no watch for it: then the looks have to do. */
function watchFolder(folder: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, changed).on('error', () => {})
  } catch {
    return undefined
  }
}

/**
 * Opens the keys of all nodes that have access. When there is no such folder yet, it is made, with a key for each of `nodes`;
 * otherwise it is only read.
 *
 * @throws OperationalError when the folder cannot be made or read, or a node cannot be called so
 * @throws the signal's reason, an AbortError, when `stop` is aborted first
 */
export async function openKeys({ folder, nodes, log, stop }: OpenKeysOptions): Promise<NodeKeys> {
  stop.throwIfAborted()
  for (const node of nodes) checkNodeName(node)
  const path = resolve(stateFolder(), folder)
  try {
    if (!(await isThere(path))) await makeKeys(path, nodes, log)
    await readdir(path)
  } catch (error) {
    throw new OperationalError(`There can be no keys in ${path}: ${(error as Error).message}.`)
  }
  const keys = new NodeKeys(path, log, stop)
  await keys.look()
  tellMissing(keys, nodes, log)
  void keys.watch()
  return keys
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/**
 * Makes all keys, or none: a folder with some of them would be taken for one that somebody has chosen so. Of several programs
 * that do so at once, the first makes them for all.
 */
async function makeKeys(path: string, nodes: readonly string[], log: Logger): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = await mkdtemp(`${path}.new-`)
  const each = [...new Set(nodes)]
  for (const node of each) await writeKeyFile(join(beside, keyFileName(node)), { node, keys: [newKey()] })
  try {
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    if (await isThere(path)) return // another program was first
    throw error
  }
  await syncFolder(dirname(path))
  log.info(
    each.length > 0
      ? `Made a key for each of ${each.join(', ')}, in ${path}. A node on another machine needs its file there.`
      : `Made ${path}, without a key: no nodes are named for which to make one.`,
  )
}

function tellMissing(keys: NodeKeys, nodes: readonly string[], log: Logger): void {
  const known = new Set(keys.nodes)
  const missing = nodes.filter((node) => !known.has(node))
  if (missing.length > 0)
    log.info(
      `No access for ${missing.join(', ')}: there is no key of theirs in ${keys.folder}. Put it there, or delete that folder: at the next start all keys are made anew.`,
    )
}
