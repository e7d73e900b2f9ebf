/**
 * The token of a site: whoever has it may change something there. It is a file that only its owner may read, and a link that
 * is printed once.
 *
 * @since 0.24.0
 */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kindOf, WITHOUT_WAITING } from './file-kind.ts'
import { isJournal } from './journal.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { stateFolder } from './state-folder.ts'
import { syncFolder } from './whole-file.ts'

/** How long a token is, in bytes. Nobody guesses one of 2^256. */
const TOKEN_BYTES = 32

/** What a token looks like: 32 bytes as base64url, of which the last letter has two bits that stand for nothing. */
const TOKEN = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** How large its file may be, in bytes. A token and a line feed take 44. */
const LARGEST_FILE = 1024

/** Who may read and write the file: its owner, and nobody else. */
const FILE_MODE = 0o600

/** How many letters of its hash a token is known by. */
const NAME_LETTERS = 12

export interface OpenTokenOptions {
  /** What the program is called, and the token's file: `webserver`. */
  name: string
  /** Where is told which file it is. */
  log: Logger
  /** The folder of the file. Default: the {@link stateFolder}. */
  folder?: string
}

/** A token. Nothing that prints or logs it shows more than its file. */
export class Token {
  /** The file that it is in. */
  readonly file: string
  /** By what it is known without being told: other letters for another token. */
  readonly name: string
  readonly #token: string
  readonly #log: Logger
  #isNew: boolean

  /** @internal {@link openToken} makes it */
  constructor(file: string, token: string, isNew: boolean, log: Logger) {
    this.file = file
    this.#token = token
    this.#isNew = isNew
    this.#log = log
    this.name = hashOf(token).toString('hex').slice(0, NAME_LETTERS)
  }

  /** Whether a text is this token. How long that takes says nothing of how much of it is right. */
  matches(text: string): boolean {
    return timingSafeEqual(hashOf(text), hashOf(this.#token))
  }

  /** The token itself, for what has to give it to somebody, as a cookie. */
  reveal(): string {
    return this.#token
  }

  /**
   * Tells how to get to a page as one who may change something. A token that is new is printed, once, as a link: on the
   * console alone, since others may read a log. What stands in the log is which file it is in.
   *
   * @param address where the site is: `http://127.0.0.1:8123/`
   */
  tell(address: string): void {
    const link = (token: string) => `${new URL('/', address)}?token=${token}`
    if (this.#isNew && !isJournal()) {
      this.#isNew = false
      process.stdout.write(
        `\nTo change something on the page, open this link. It is shown once:\n  ${link(this.#token)}\n\n`,
      )
    }
    this.#log.info(`To change something on the page, open ${link('TOKEN')} with the TOKEN from ${this.file}`)
  }

  toString(): string {
    return `[token in ${this.file}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/**
 * Opens the token of a site: `NAME.token`, readable to its owner alone. It is made when there is none.
 *
 * @throws OperationalError when it cannot be read or made, when others may read it, or when there is no token in it
 */
export async function openToken({ name, log, folder = stateFolder() }: OpenTokenOptions): Promise<Token> {
  const file = join(folder, `${name}.token`)
  try {
    const isNew = !existsSync(file) && (await make(file))
    return new Token(file, await read(file), isNew, log)
  } catch (error) {
    if (error instanceof OperationalError) throw error
    throw new OperationalError(`Cannot read or make the token in ${file}: ${(error as Error).message}.`)
  }
}

/** Makes the file. Of two programs that do so at once one makes it, and both have the same. */
async function make(path: string): Promise<boolean> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const beside = `${path}.${randomUUID()}.new`
  const file = await open(beside, 'wx', FILE_MODE)
  try {
    await file.writeFile(`${randomBytes(TOKEN_BYTES).toString('base64url')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(beside, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(beside, { force: true })
    await syncFolder(folder)
  }
}

/** Reads the file. No error has anything in it of what it read. */
async function read(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | WITHOUT_WAITING)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new OperationalError(`${path} is ${kindOf(stats)}, and no file with a token.`)
    if (stats.mode & 0o077 && process.platform !== 'win32')
      throw new OperationalError(
        `The token in ${path} is refused: others can get at it, since its mode is ${(stats.mode & 0o777).toString(8)}. Delete the file: at the next start a new one is made.`,
      )
    const text = stats.size > LARGEST_FILE ? '' : (await file.readFile('utf8')).trim()
    if (TOKEN.test(text)) return text
    throw new OperationalError(
      `There is no token in ${path}. Delete the file: at the next start a new one is made.`,
    )
  } finally {
    await file.close()
  }
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
