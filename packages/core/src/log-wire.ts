/**
 * How members that keep a log together say things on a connection: each message with the cluster that it belongs to, and what is
 * too large for one frame, as a snapshot is, in pieces before it.
 *
 * @since 0.27.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { asciiJson, JsonText } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { nameOfMember } from './member-ids.ts'
import { type Handlers, send, textOf } from './messages.ts'
import { type ReplicaMessage, replicaMessage } from './replica.ts'

/** The type of a message, and of a piece that belongs to the next one. */
const MESSAGE = 'raft'
const PIECE = 'raft_piece'

/** How long the JSON of a message is that goes as one, and how long a piece is, in characters. */
const LONGEST_MESSAGE = 512 * 1024
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
  readonly #sending = new WeakSet<Connection>()
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

  /** Says something, unless too much waits already. Whatever is lost is said again by who needs it. */
  say(way: Connection, message: ReplicaMessage): void {
    const { cluster } = this.#options
    if (way.socket.writableLength > MOST_WAITING_BYTES) return
    const payload = { cluster: cluster(), message }
    if (message.type !== 'append') return void send(way, MESSAGE, payload)?.catch(() => {})
    const json = asciiJson(payload)
    if (json.length <= LONGEST_MESSAGE) void send(way, MESSAGE, new JsonText(json))?.catch(() => {})
    else void this.#sayPieces(way, [JSON.stringify(message)], { ...payload, message: null }).catch(() => {})
  }

  /** Says what comes of a log, in pieces, as fast as the other end takes them. One at a time on a connection. */
  async saySnapshot(way: Connection, message: ReplicaMessage, pieces: Iterable<string>): Promise<void> {
    await this.#sayPieces(way, pieces, { cluster: this.#options.cluster(), message }).catch(() => {})
  }

  async #sayPieces(way: Connection, pieces: Iterable<string>, payload: object): Promise<void> {
    if (this.#sending.has(way)) return
    this.#sending.add(way)
    try {
      for (const piece of pieces)
        for (let at = 0; at === 0 || at < piece.length; at += LONGEST_PIECE) {
          const end = at + LONGEST_PIECE
          await send(way, PIECE, { text: piece.slice(at, end), goesOn: end < piece.length })
        }
      await send(way, MESSAGE, { ...payload, pieces: true })
    } finally {
      this.#sending.delete(way)
    }
  }

  #collect(payload: unknown, peer: Connection): void {
    const { text, goesOn } = v.parse(pieceOf, payload)
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
    const parsed = v.safeParse(said, payload)
    const own = this.#options.cluster()
    if (!parsed.success) return this.#tellOnce(`What ${who} says of the log is not understood`, payload)
    const { cluster, message: words, pieces } = parsed.output
    if (own === undefined) return // it is about to find out
    if (cluster !== own)
      return this.#tellOnce(
        `${who} belongs to another cluster (${textOf(cluster)}) than this node (${own}), and is not heard. Has one of them the addresses of the other in its configuration, or was its state folder copied from there?`,
      )
    const made = this.#madeWhole(words, pieces === true, peer)
    const message = v.safeParse(replicaMessage, made)
    if (!message.success) return this.#tellOnce(`What ${who} says of the log is not understood`, made)
    if (nameOfMember(message.output.from) !== proven)
      return this.#tellOnce(
        `${who} says something about the log in the name of another, which is refused`,
        made,
      )
    this.#options.take(message.output, peer)
  }

  /** A message with what came before it in pieces. */
  #madeWhole(words: unknown, hasPieces: boolean, peer: Connection): unknown {
    if (!hasPieces) return words
    const { pieces } = this.#collected.get(peer) ?? { pieces: [] }
    this.#collected.delete(peer)
    if (words === null) return JSON.parse(pieces.join(''))
    const { snapshot, ...others } = words as { snapshot: object }
    return { ...others, snapshot: { ...snapshot, pieces } }
  }

  #tellOnce(line: string, payload?: unknown): void {
    if (this.#told.has(line) || this.#told.size >= MOST_TOLD) return
    this.#told.add(line)
    this.#options.log.warn(payload === undefined ? line : `${line}: ${textOf(payload)?.slice(0, 200)}`)
  }
}
