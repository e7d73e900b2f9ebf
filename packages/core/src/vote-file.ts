/**
 * What a member of an election must never forget, in a file: the term that it has seen, and whom it has voted for in it. Who
 * forgets that after a crash may vote twice in one term, and two may lead in it.
 *
 * These are `currentTerm` and `votedFor`, the persistent state of figure 2 of "In Search of an Understandable Consensus
 * Algorithm" (Ongaro and Ousterhout, 2014), as far as an election needs it.
 *
 * @since 0.26.0
 */
import { createHash } from 'node:crypto'
import { mkdir, open, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import * as v from 'valibot'
import { kindOf, WITHOUT_WAITING } from './file-kind.ts'
import { holdName, releaseName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import type { Durable } from './raft.ts'
import { stateFolder } from './state-folder.ts'
import { writeWhole } from './whole-file.ts'

/** How large such a file may be, in bytes. It takes 200. */
const LARGEST_FILE = 4 * 1024

/** How often it is written at the start, to learn how long that takes. */
const TRIAL_WRITES = 3

const content = v.object({
  member: v.string(),
  term: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  voted_for: v.nullable(v.string()),
  check: v.string(),
})

/** @internal */
export interface VoteFileOptions {
  /** What it is called; a path that is not absolute counts from the {@link stateFolder}. */
  file: string
  /** Whose votes are in it. */
  member: string
}

/**
 * The vote of a member, and its file.
 *
 * @internal
 */
export class VoteFile {
  readonly path: string
  /** What was in it when it was opened. */
  readonly durable: Durable
  readonly #member: string
  /** How long it took to have it on the disk, in ms: what is in the middle of some tries. */
  readonly writeMs: number

  constructor(path: string, member: string, durable: Durable, writeMs: number) {
    this.path = path
    this.durable = durable
    this.#member = member
    this.writeMs = writeMs
  }

  /**
   * Resolves when it is on the disk: no crash and no power cut takes it from then on.
   *
   * @throws the system's error when it cannot be written. The file has the vote of before in it then, or this one.
   */
  async write(durable: Durable): Promise<void> {
    await writeWhole(this.path, textOf(this.#member, durable))
  }

  /** Lets another process have it. */
  async close(): Promise<void> {
    await releaseName(nameOf(this.path))
  }
}

/**
 * Opens the vote of a member. Where there is none, the member is a new one, that has never voted.
 *
 * @throws OperationalError when another process has it, when it is damaged or another member's, or cannot be read or
 *   written: with what to do
 * @internal
 */
export async function openVoteFile({ file, member }: VoteFileOptions): Promise<VoteFile> {
  const wanted = resolve(stateFolder(), file)
  const path = await findPlace(wanted)
  if (!(await holdName(nameOf(path))))
    throw new OperationalError(
      `Another process votes as ${member}: it has ${path}. A member is one process: stop the other, or give this one another name.`,
    )
  try {
    const durable = await read(path, member)
    const times: number[] = []
    for (let count = 0; count < TRIAL_WRITES; count += 1) {
      const begin = performance.now()
      await writeWhole(path, textOf(member, durable))
      times.push(performance.now() - begin)
    }
    const [, middle = 0] = times.sort((one, other) => one - other)
    return new VoteFile(path, member, durable, middle)
  } catch (error) {
    await releaseName(nameOf(path))
    throw error instanceof OperationalError ? error : notPossible('keep', path, error as Error)
  }
}

/** The path by which all who mean this file know it. */
async function findPlace(path: string): Promise<string> {
  const folder = dirname(path)
  try {
    await mkdir(folder, { recursive: true })
    return join(await realpath(folder), basename(path))
  } catch (error) {
    throw notPossible('keep', path, error as Error)
  }
}

async function read(path: string, member: string): Promise<Durable> {
  const text = await textIn(path)
  if (text === undefined) return { term: 0, votedFor: null }
  const found = parsed(text)
  if (!found) throw damaged(path, member)
  if (found.member !== member)
    throw new OperationalError(
      `${path} has the votes of ${found.member} in it, and this member is ${member}. Each has a file of its own: was this one copied?`,
    )
  return { term: found.term, votedFor: found.voted_for }
}

async function textIn(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, WITHOUT_WAITING)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new OperationalError(`${path} is ${kindOf(stats)}, where a vote is kept.`)
      return stats.size > LARGEST_FILE ? '' : await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error instanceof OperationalError ? error : notPossible('read', path, error as Error)
  }
}

function parsed(text: string): v.InferOutput<typeof content> | undefined {
  try {
    const found = v.parse(content, JSON.parse(text))
    const { member, term, voted_for: votedFor, check } = found
    return check === checkOf(member, { term, votedFor }) ? found : undefined
  } catch {
    return undefined
  }
}

function textOf(member: string, durable: Durable): string {
  const { term, votedFor } = durable
  return `${JSON.stringify({ member, term, voted_for: votedFor, check: checkOf(member, durable) })}\n`
}

/** Tells a vote from what a failing card has made of it, and from what somebody has edited. */
function checkOf(member: string, { term, votedFor }: Durable): string {
  return createHash('sha256')
    .update(JSON.stringify([member, term, votedFor]))
    .digest('hex')
    .slice(0, 16)
}

function nameOf(path: string): string {
  return `vote in ${path}`
}

function damaged(path: string, member: string): OperationalError {
  return new OperationalError([
    `The vote of ${member} is damaged: ${path} has no vote in it, or another than was written. ${member} cannot know whom it has voted for, and must not vote again in that term.`,
    `Do not restore the file from a copy, which would be older. When the others have a leader, remove the file, and start ${member} again: it learns the term from that leader. Is the disk failing?`,
  ])
}

function notPossible(what: string, path: string, { message }: Error): OperationalError {
  return new OperationalError(
    `Cannot ${what} the vote in ${path}: ${message}. A member that cannot keep its vote must not vote.`,
  )
}
