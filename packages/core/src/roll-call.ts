/**
 * Something is said to all, and who answers is noted, and when, and who does not. (The field calls that scatter and
 * gather.)
 *
 * @since 0.19.0
 */
import * as v from 'valibot'
import type { Broadcast } from './broadcast-topics.ts'
import type { Connection } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import type { LiveTable } from './live-table.ts'
import type { NodeRow } from './presence.ts'
import type { Roster } from './roster.ts'

/** How long answers are waited for, in ms, unless told otherwise: half of what who asked waits for this. */
const DEFAULT_TIME_MS = 5_000

/** How many calls may wait for their answers at once. */
const MOST_OPEN = 16

/** How long an answer and a command may be, in characters. */
const MOST_CHARACTERS = 200

const shortText = v.pipe(v.string(), v.maxLength(MOST_CHARACTERS))
const callId = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const call = v.object({ id: callId, command: shortText })
const answer = v.object({ id: callId, says: shortText })

const report = v.object({
  answered: v.array(
    v.object({ name: shortText, afterMs: v.pipe(v.number(), v.minValue(0)), says: shortText }),
  ),
  silent: v.array(shortText),
  offline: v.array(shortText),
})

/** Who answered, and who did not. */
export interface Report {
  /** In the order in which the answers came: who, how long after the call in ms, and what it said. */
  answered: { name: string; afterMs: number; says: string }[]
  /** Who is connected and was called, and has not answered. */
  silent: string[]
  /** Who was here, and is not. */
  offline: string[]
}

export interface RollCallOptions {
  /** What carries the calls. */
  broadcast: Pick<Broadcast, 'publish' | 'subscribers'>
  /** The topic of the calls. Who has not subscribed is not called, and not missed. */
  topic: string
  /** What nodes are called. */
  roster: Pick<Roster, 'nameOf'>
  /** Who is gone. */
  presence: LiveTable<NodeRow>
  /** How long answers are waited for, in ms. Default: 5,000. */
  timeMs?: number
}

interface Open {
  readonly calledAt: number
  readonly missing: Set<Connection>
  readonly answered: Report['answered']
  readonly complete: () => void
}

/** Calls all, and notes who answers. */
export class RollCall {
  readonly #options: RollCallOptions
  readonly #open = new Map<number, Open>()
  /** Whose leaving is noticed already. */
  readonly #watched = new WeakSet<Connection>()
  #lastId = 0

  constructor(options: RollCallOptions) {
    this.#options = options
  }

  /**
   * Says a command to all who have subscribed, and resolves when each has answered or has left, or the time is over. It is
   * undefined, and nobody is called, when the command is no text of up to 200 characters, or 16 calls are open.
   */
  async call(command: unknown): Promise<Report | undefined> {
    const { broadcast, topic, roster, presence, timeMs = DEFAULT_TIME_MS } = this.#options
    if (!v.is(shortText, command) || this.#open.size >= MOST_OPEN) return undefined
    const called = broadcast.subscribers(topic)
    const names = new Map(called.map((peer) => [peer, roster.nameOf(peer)]))
    this.#lastId += 1
    const id = this.#lastId
    const missing = new Set(called)
    const answered: Report['answered'] = []
    for (const peer of called) this.#watch(peer)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeMs)
      const complete = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#open.set(id, { calledAt: performance.now(), missing, answered, complete })
      broadcast.publish(topic, { id, command })
      this.#settle(id)
    })
    this.#open.delete(id)
    const silent = [...missing].filter(({ socket }) => !socket.destroyed)
    const left = [...missing].filter(({ socket }) => socket.destroyed)
    const justLeft = left.map((peer) => names.get(peer) ?? '')
    // What is no node like the others, as a web server, says which program it is: it does no commands.
    const wereHere = presence
      .entries()
      .flatMap(([, { name, state, details }]) => (state === 'gone' && !details?.['program'] ? [name] : []))
    return {
      answered,
      silent: silent.map((peer) => roster.nameOf(peer)),
      offline: [...new Set([...wereHere, ...justLeft])],
    }
  }

  /** The handler of the answers. One that is late, or that nobody waits for, is passed over. */
  readonly take = (payload: unknown, peer: Connection): void => {
    const parsed = v.safeParse(answer, payload)
    if (!parsed.success) return
    const { id, says } = parsed.output
    const open = this.#open.get(id)
    if (!open?.missing.has(peer)) return
    const afterMs = Math.round((performance.now() - open.calledAt) * 10) / 10
    open.answered.push({ name: this.#options.roster.nameOf(peer), afterMs, says })
    open.missing.delete(peer)
    this.#settle(id)
  }

  #watch(peer: Connection): void {
    if (this.#watched.has(peer)) return
    this.#watched.add(peer)
    peer.socket.once('close', () => {
      for (const id of this.#open.keys()) this.#settle(id)
    })
  }

  /** A call is over when nobody is left who could answer. */
  #settle(id: number): void {
    const open = this.#open.get(id)
    if (!open) return
    for (const { socket } of open.missing) if (!socket.destroyed) return
    open.complete()
  }
}

/**
 * Does what a call says, and makes the answer to it.
 *
 * @param payload what came
 * @param obey does the command, and says what came of it
 * @returns what to send back
 * @throws OperationalError when it is no call
 */
export async function answerTo(
  payload: unknown,
  obey: (command: string) => string | Promise<string>,
): Promise<{ id: number; says: string }> {
  const parsed = v.safeParse(call, payload)
  if (!parsed.success) throw new OperationalError('What came is no call.')
  const { id, command } = parsed.output
  return { id, says: (await obey(command)).slice(0, MOST_CHARACTERS) }
}

/**
 * What was told of a call, as whoever asked for it gets it.
 *
 * @throws OperationalError when it is something else
 */
export function reportFrom(payload: unknown): Report {
  const parsed = v.safeParse(report, payload)
  if (!parsed.success) throw new OperationalError('What came does not say who has answered.')
  return parsed.output
}
