/**
 * Who this node is, for longer than a connection and longer than a process: the identity that it was given once, in a file
 * that no power cut empties.
 *
 * @since 0.15.0
 */
import { existsSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { holdName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { textOf } from './messages.ts'
import { Refusal } from './open-questions.ts'
import { stateFolder } from './state-folder.ts'
import { writeWhole } from './whole-file.ts'

/** What an identity looks like: a UUID without its hyphens, as the original's master makes them. */
const IDENTITY = /^[0-9a-f]{32}$/

/** How many nodes of one name may keep their identities in one folder. */
const MOST_IN_A_FOLDER = 10_000

/**
 * Whether something is an identity: 32 hexadecimal digits, in lower case.
 *
 * @internal
 */
export function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && IDENTITY.test(value)
}

export interface IdentityOptions {
  /** What the node is called, and its file: `slave`. */
  name: string
  /** What it was called before: the identity of then is its own. */
  formerly?: string
  /** Where is told that it cannot be kept. */
  log: Logger
  /** The folder of the file. Default: the {@link stateFolder}. */
  folder?: string
}

/** An identity, and the file that keeps it. */
export class KeptIdentity {
  readonly #path: string
  readonly #log: Logger
  #uuid: string | undefined

  /** @internal {@link openIdentity} makes it */
  constructor(path: string, log: Logger, uuid: string | undefined) {
    this.#path = path
    this.#log = log
    this.#uuid = uuid
  }

  /** The identity; undefined while it has none. */
  get uuid(): string | undefined {
    return this.#uuid
  }

  /** The file that keeps it. */
  get path(): string {
    return this.#path
  }

  /**
   * The identity, which is asked for when there is none, and kept. A peer that gives none is told in the log, and asked
   * again in the next connection.
   *
   * @param ask what to ask the peer with, as in `() => this.ask('uuid', { answer: 'uuid' })`
   * @returns undefined when the peer gives none
   * @throws what `ask` throws, unless that is a Refusal
   */
  async get(ask: () => Promise<unknown>): Promise<string | undefined> {
    if (this.#uuid !== undefined) return this.#uuid
    try {
      const uuid = await ask()
      if (isIdentity(uuid)) await this.keep(uuid)
      else this.#log.warn(`An identity has 32 hexadecimal digits, and what came is none: ${textOf(uuid)}`)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#log.info('There is no identity for this node here: the peer gives none.')
    }
    return this.#uuid
  }

  /**
   * Takes an identity, and resolves when it is on the disk. Where it cannot be written, that is logged, and it holds for
   * as long as the process lives.
   *
   * @throws OperationalError when it is none
   */
  async keep(uuid: unknown): Promise<void> {
    if (!isIdentity(uuid))
      throw new OperationalError(`An identity has 32 hexadecimal digits, and this is ${String(uuid)}.`)
    this.#uuid = uuid
    try {
      await writeWhole(this.#path, `${JSON.stringify({ uuid })}\n`)
    } catch (error) {
      this.#log.warn(
        `Cannot keep the identity in ${this.#path} (${(error as Error).message}): after its next start, this node will have another one.`,
      )
    }
  }
}

/**
 * Opens the identity of this node. Of several nodes with one name and one folder each has its own, also after they were
 * started again: the first takes the first file that no living process has, `slave.json`, the next `slave-2.json`.
 * What a file has in it that is no identity is told, and replaced with the next one.
 *
 * @throws OperationalError when the folder has ten thousand of them
 */
export async function openIdentity({
  name,
  formerly,
  log,
  folder = stateFolder(),
}: IdentityOptions): Promise<KeptIdentity> {
  for (let count = 1; count <= MOST_IN_A_FOLDER; count += 1) {
    const pathOf = (name: string) => join(folder, count === 1 ? `${name}.json` : `${name}-${count}.json`)
    const path = pathOf(name)
    if (!(await holdName(path))) continue
    if (formerly !== undefined) await takeOver(pathOf(formerly), path)
    return new KeptIdentity(path, log, await readIdentity(path, log))
  }
  throw new OperationalError(`${folder} has ${MOST_IN_A_FOLDER} identities of nodes that run now.`)
}

/** Gives a file its new name, if it is there, nobody uses it, and there is none by the new name. */
async function takeOver(former: string, path: string): Promise<void> {
  if (existsSync(path) || !existsSync(former) || !(await holdName(former))) return
  await rename(former, path).catch(() => {}) // then it is read as if there were none
}

async function readIdentity(path: string, log: Logger): Promise<string | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn(`Cannot read the identity in ${path} (${(error as Error).message}): a new one is asked for.`)
    return undefined
  }
  const uuid = uuidIn(text)
  if (uuid === undefined) log.warn(`There is no identity in ${path}: a new one is asked for.`)
  return uuid
}

function uuidIn(text: string): string | undefined {
  try {
    const { uuid } = JSON.parse(text)
    return isIdentity(uuid) ? uuid : undefined
  } catch {
    return undefined
  }
}
