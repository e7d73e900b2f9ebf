/**
 * Who of the peers is whom: a node that has come back before its old connection was noticed to be dead, and two nodes that
 * show the same identity, as a copied SD card makes them.
 *
 * @since 0.15.0
 */
import { createHash, randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { isIdentity } from './kept-identity.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How often is looked which of two has spoken, in ms. */
const LOOK_INTERVAL_MS = 250

/** How long an older connection may say nothing beside a newer one with its identity, in ms, unless told otherwise: as long as `watch` lets it. */
const DEFAULT_SILENCE_MS = 15_000

/**
 * What an older connection says within so many ms was on its way when the newer one came. Three lost segments, each sent
 * again after twice the time, are no longer on their way then: RFC 6298.
 */
const ON_ITS_WAY_MS = 1_500

const shown = v.object({ uuid: v.custom<string>(isIdentity), client: v.number() })

/** What a peer tells whose identity is known from its key. */
const counted = v.object({ client: v.number() })

/** A new identity: a UUID without hyphens, as the original's master makes them. */
export function newIdentity(): string {
  return randomUUID().replaceAll('-', '')
}

/**
 * How the identity begins to be told from all others that a node has which has proven its name: its thirteenth digit says how
 * it was made, as in every UUID. 4 is at random, and 8 is for whoever makes them, as RFC 9562 has it.
 */
const BY_NAME = /^[0-9a-f]{12}8[0-9a-f]{3}[89ab]/

/**
 * The identity of a node that has proven its name by a key: the same for each of its connections, whatever it shows.
 *
 * @internal
 */
export function identityOfNode(node: string): string {
  const hash = createHash('sha256').update(`rpi-cluster node ${node}`).digest('hex')
  return `${hash.slice(0, 12)}8${hash.slice(13, 16)}8${hash.slice(17, 32)}`
}

export interface IdentitiesOptions {
  /** Where is logged who has come back, and who is a copy. */
  log: Logger
  /** How long an older connection may say nothing before a newer one with its identity replaces it, in ms. Default: 15,000. */
  silenceMs?: number
}

/** What a peer has shown, or was given. */
interface Known {
  readonly uuid: string
  /** The number that its process has picked: another process of the same node has another. Who has shown nothing has told none. */
  readonly client?: number
}

/** Two connections that show one identity, and two processes. */
interface Doubt {
  readonly older: Connection
  readonly newer: Connection
  looks: number
  /** What had come from the older one, in bytes, when the last look found something new. */
  bytesRead: number
  quietLooks: number
  /** The same when the newer one came, and what it had said was on its way. */
  olderAtFirst: number
  newerAtFirst: number
}

/**
 * The identities of a listener's peers.
 *
 * | A peer shows the identity of one that is here, and | What happens |
 * | --- | --- |
 * | the same process's number | it is that node, on a new connection: the old one is closed at once |
 * | another number, and the older one says nothing for 15 s | the node has started anew: the older one is closed |
 * | another number, and both go on speaking | they are two nodes with one identity: that is told, once, and both stay |
 */
export class Identities {
  readonly #log: Logger
  readonly #silenceMs: number
  readonly #known = new Map<Connection, Known>()
  readonly #doubts = new Set<Doubt>()
  readonly #copies = new Set<Connection>()
  #timer: NodeJS.Timeout | undefined

  constructor({ log, silenceMs = DEFAULT_SILENCE_MS }: IdentitiesOptions) {
    this.#log = log
    this.#silenceMs = silenceMs
  }

  /** The identity that a peer has shown, or has by its key; undefined while it has shown none. */
  identityOf(peer: Connection): string | undefined {
    return peer.node === undefined ? this.#known.get(peer)?.uuid : identityOfNode(peer.node)
  }

  /** Whether another node shows the same identity, and both have spoken. */
  isCopy(peer: Connection): boolean {
    return this.#copies.has(peer)
  }

  /** A new identity for a peer that asks for one. A node of the original's has it for this connection. */
  give(peer: Connection): string {
    const uuid = peer.node === undefined ? newIdentity() : identityOfNode(peer.node)
    this.#know(peer, { uuid })
    return uuid
  }

  /**
   * Takes what a peer tells of itself: `uuid`, its identity, and `client`, the number that its process has picked. It may
   * be told again. Who has proven a name by a key has the identity of that name, whichever it tells, and nobody else has it.
   *
   * @param details whatever the peer has sent. Without both nothing changes.
   */
  introduce(peer: Connection, details: unknown): void {
    const known = knownFrom(peer, details)
    if (!known || peer.socket.destroyed) return
    this.#know(peer, known)
    for (const [other, { uuid, client }] of this.#known) {
      if (other === peer || uuid !== known.uuid) continue
      if (client === known.client) this.#replace(other, peer)
      else this.#doubt(other, peer)
    }
  }

  #know(peer: Connection, known: Known): void {
    if (!this.#known.has(peer)) peer.socket.once('close', () => this.#forget(peer))
    this.#known.set(peer, known)
  }

  #replace(older: Connection, newer: Connection): void {
    older.fail(
      new OperationalError(
        `${older.peer} has come back, from ${newer.address}. Its connection from ${older.address} is closed.`,
      ),
    )
  }

  #doubt(older: Connection, newer: Connection): void {
    for (const doubt of this.#doubts) {
      const { older: one, newer: other } = doubt
      if ((one === older && other === newer) || (one === newer && other === older)) return
    }
    const { bytesRead } = older.socket
    const newerAtFirst = newer.socket.bytesRead
    this.#doubts.add({
      older,
      newer,
      looks: 0,
      bytesRead,
      quietLooks: 0,
      olderAtFirst: bytesRead,
      newerAtFirst,
    })
    this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref()
  }

  #look(): void {
    for (const doubt of this.#doubts) this.#lookAt(doubt)
    if (this.#doubts.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Counts looks, and reads no clock, as `watch` does: a program that stood still takes nobody for silent. */
  #lookAt(doubt: Doubt): void {
    const { older, newer } = doubt
    doubt.looks += 1
    const { bytesRead } = older.socket
    doubt.quietLooks = bytesRead === doubt.bytesRead ? doubt.quietLooks + 1 : 0
    doubt.bytesRead = bytesRead
    if (doubt.looks * LOOK_INTERVAL_MS <= ON_ITS_WAY_MS) {
      doubt.olderAtFirst = bytesRead
      doubt.newerAtFirst = newer.socket.bytesRead
    } else if (bytesRead > doubt.olderAtFirst && newer.socket.bytesRead > doubt.newerAtFirst) {
      this.#doubts.delete(doubt)
      this.#tellCopy(older, newer)
    } else if (doubt.quietLooks * LOOK_INTERVAL_MS >= this.#silenceMs) {
      this.#doubts.delete(doubt)
      this.#replace(older, newer)
    }
  }

  #tellCopy(older: Connection, newer: Connection): void {
    const isKnown = this.#copies.has(older) && this.#copies.has(newer)
    this.#copies.add(older).add(newer)
    if (isKnown) return
    if (older.node !== undefined && older.node === newer.node) {
      this.#log.warn(
        `Two programs use the key of ${older.node}: ${older.peer}, and ${newer.peer}. Each node needs a key of its own: stop one of them, and give it another.`,
      )
      return
    }
    this.#log.warn(
      `Two nodes show the identity ${this.identityOf(older)}: ${older.peer}, and ${newer.peer}. Is one's SD card a copy of the other's? Remove the state folder of one, and start it again.`,
    )
  }

  #forget(peer: Connection): void {
    const uuid = this.identityOf(peer)
    this.#known.delete(peer)
    this.#copies.delete(peer)
    for (const doubt of this.#doubts)
      if (doubt.older === peer || doubt.newer === peer) this.#doubts.delete(doubt)
    // Of two copies the one that is left is none any more.
    const left = [...this.#known].filter(([, known]) => known.uuid === uuid)
    if (left.length === 1) for (const [other] of left) this.#copies.delete(other)
  }
}

/** What a peer is known by, after what it tells; nothing when that is not enough, or another's. */
function knownFrom({ node }: Connection, details: unknown): Required<Known> | undefined {
  if (node !== undefined) {
    const parsed = v.safeParse(counted, details)
    return parsed.success ? { uuid: identityOfNode(node), client: parsed.output.client } : undefined
  }
  const parsed = v.safeParse(shown, details)
  return parsed.success && !BY_NAME.test(parsed.output.uuid) ? parsed.output : undefined
}
