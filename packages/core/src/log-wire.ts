/**
 * How members that keep a log together say things on a connection: each message with the cluster that it belongs to, and what is
 * too large for one frame, as a snapshot is, in pieces before it.
 *
 * @since 0.27.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import type { LogEntry } from './entry-log.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { nameOfMember } from './member-ids.ts'
import { type Handlers, send, textOf } from './messages.ts'
import { type ReplicaMessage, replicaMessage } from './replica.ts'

/** The type of a message, and of a piece that belongs to the next one. */
const MESSAGE = 'raft'
const PIECE = 'raft_piece'

/**
 * How long what a message has as data is that goes as one, and how long a piece is, in characters: with two characters for each
 * quotation mark, and six for each that is not ASCII, there is room in a frame.
 */
const LONGEST_MESSAGE = 128 * 1024
const LONGEST_PIECE = 128 * 1024

/** How many characters the pieces of a message may have together. */
const MOST_IN_PIECES = 512 * 1024 * 1024

/** How many bytes may wait for a member that reads slowly. What is said meanwhile is lost, and said again later. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024

/** How many different mistakes of others are told. */
const MOST_TOLD = 100

const said = v.object({ cluster: v.string(), message: v.unknown(), pieces: v.optional(v.boolean()) })
const pieceOf = v.object({ text: v.string(), goesOn: v.boolean() })

interface Collected {
  pieces: string[]
  size: number
  goesOn: boolean
}

/** @internal */
export interface LogWireOptions {
  /** The id of this member's cluster, once it has one. */
  cluster: () => string | undefined
  /** Called with each message, by whom it says that it is, who has proven to be that. */
  take: (message: ReplicaMessage, via: Connection) => void
  log: Logger
}

/** @internal */
export class LogWire {
  readonly handlers: Handlers
  readonly #options: LogWireOptions
  readonly #collected = new WeakMap<Connection, Collected>()
  /** What is being said in pieces, and what waits for that. */
  readonly #busy = new WeakMap<Connection, Promise<void>>()
  readonly #told = new Set<string>()

  constructor(options: LogWireOptions) {
    this.#options = options
    this.handlers = this.handlersOf((peer) => peer.node)
  }

  /** What to do with what comes on a connection whose other end is known. */
  handlersOf(who: (peer: Connection) => string | undefined): Handlers {
    return {
      [MESSAGE]: (payload, peer) => this.#take(payload, who(peer), peer),
      [PIECE]: (payload, peer) => this.#collect(payload, peer),
    }
  }

  /** Says something. What is lost of it is said again by who needs it. */
  say(way: Connection, message: ReplicaMessage): void {
    const payload = { cluster: this.#options.cluster(), message }
    const say = () => this.#say(way, payload)
    const size = message.type === 'append' ? sizeOf(message.entries) : 0
    if (size > LONGEST_MESSAGE)
      this.#next(way, () => this.#sayPieces(way, [JSON.stringify(message)], { ...payload, message: null }))
    // Behind one that goes in pieces.
    else if (message.type === 'append' && this.#busy.has(way)) this.#next(way, say)
    else if (size === 0 || way.socket.writableLength <= MOST_WAITING_BYTES) say().catch(() => {}) // told by who reads
  }

  /** Says what comes of a log, in pieces, as fast as the other end takes them. */
  saySnapshot(way: Connection, message: ReplicaMessage, pieces: Iterable<string>): void {
    const payload = { cluster: this.#options.cluster(), message }
    this.#next(way, () => this.#sayPieces(way, pieces, payload))
  }

  /** Does something on a connection when what is under way there is done. */
  #next(way: Connection, work: () => Promise<void>): void {
    const done = (this.#busy.get(way) ?? Promise.resolve()).then(work).catch(() => {})
    this.#busy.set(way, done)
    void done.then(() => {
      if (this.#busy.get(way) === done) this.#busy.delete(way)
    })
  }

  async #say(way: Connection, payload: object): Promise<void> {
    await send(way, MESSAGE, payload)
  }

  async #sayPieces(way: Connection, pieces: Iterable<string>, payload: object): Promise<void> {
    for (const piece of pieces)
      for (let at = 0; at === 0 || at < piece.length; at += LONGEST_PIECE) {
        const end = at + LONGEST_PIECE
        await send(way, PIECE, { text: piece.slice(at, end), goesOn: end < piece.length })
      }
    await send(way, MESSAGE, { ...payload, pieces: true })
  }

  #collect(payload: unknown, peer: Connection): void {
    const parsed = v.safeParse(pieceOf, payload)
    if (!parsed.success)
      throw new OperationalError(`Cut off ${peer.peer}: what it sends is no piece of a message.`)
    const { text, goesOn } = parsed.output
    const all = this.#collected.get(peer) ?? { pieces: [], size: 0, goesOn: false }
    this.#collected.set(peer, all)
    all.size += text.length
    if (all.size > MOST_IN_PIECES)
      throw new OperationalError(
        `Cut off ${peer.peer}: it sends more than ${MOST_IN_PIECES} characters in pieces.`,
      )
    const last = all.pieces.length - 1
    if (all.goesOn) all.pieces[last] = `${all.pieces[last]}${text}`
    else all.pieces.push(text)
    all.goesOn = goesOn
  }

  #take(payload: unknown, proven: string | undefined, peer: Connection): void {
    const who = proven ?? 'somebody without a key'
    const own = this.#options.cluster()
    if (own === undefined) return // it is about to find out
    const parsed = v.safeParse(said, payload)
    if (!parsed.success) {
      this.#tellOnce(`What ${who} says of the log is not understood`, payload)
    } else if (parsed.output.cluster !== own) {
      this.#tellOnce(
        `${who} belongs to another cluster than this node, which is of ${own}, and is not heard. Has one of them the addresses of the other in its configuration, or was its state folder copied from there?`,
        parsed.output.cluster,
      )
    } else {
      const { message, pieces } = parsed.output
      this.#takeWhole(this.#madeWhole(message, pieces === true, peer), who, peer)
    }
  }

  #takeWhole(made: unknown, who: string, peer: Connection): void {
    const message = v.safeParse(replicaMessage, made)
    if (!message.success) this.#tellOnce(`What ${who} says of the log is not understood`, made)
    else if (nameOfMember(message.output.from) !== who)
      this.#tellOnce(`${who} says something about the log in the name of another, which is refused`, made)
    else this.#options.take(message.output, peer)
  }

  /** A message with what came before it in pieces. */
  #madeWhole(words: unknown, hasPieces: boolean, peer: Connection): unknown {
    if (!hasPieces) return words
    const { pieces } = this.#collected.get(peer) ?? { pieces: [] }
    this.#collected.delete(peer)
    if (words === null) return jsonIn(pieces.join(''))
    const { snapshot, ...others } = Object(words) as { snapshot: object }
    return { ...others, snapshot: { ...snapshot, pieces } }
  }

  #tellOnce(line: string, payload: unknown): void {
    if (this.#told.has(line) || this.#told.size >= MOST_TOLD) return
    this.#told.add(line)
    this.#options.log.warn(`${line}: ${textOf(payload)}`)
  }
}

/** What a text says, if it is JSON. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function sizeOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { data }) => sum + data.length, 0)
}
