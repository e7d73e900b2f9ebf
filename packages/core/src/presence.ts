/**
 * Who is here, who says nothing, and who has gone: a roster as a table that can be followed.
 *
 * @since 0.15.0
 */
import { addAbortListener } from 'node:events'
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import type { Identities } from './identities.ts'
import { stopRequest } from './lifecycle.ts'
import { LiveTable } from './live-table.ts'
import type { Member, MemberDetails, Roster } from './roster.ts'

/** How often is looked who is here and has spoken, in ms. */
const LOOK_INTERVAL_MS = 250

/** After how long a peer that says nothing is shown as silent, in ms, unless told otherwise: one beat of 5 s is missing. */
const DEFAULT_SILENT_MS = 7_500

/** How long one that has gone stays in the table, in ms, unless told otherwise, and how many of them do. */
const DEFAULT_GONE_MS = 3_600_000
const MOST_GONE = 1_000

const shortText = v.pipe(v.string(), v.maxLength(200))

/** What a table says of a node: on the wire, on a page, and in what a page is made of. */
export const nodeRow = v.object({
  /** What texts call it: `pi #4711`. The original's master does not tell. */
  name: v.fallback(shortText, '(no name told)'),
  /** Where it is, or was: `192.168.1.20:51234`. */
  address: shortText,
  /** `here`; `silent`, when it is connected and says nothing; `gone`. */
  state: v.fallback(v.picklist(['here', 'silent', 'gone']), 'here'),
  /** When it came, as ISO 8601 has it. */
  since: v.fallback(v.optional(v.pipe(v.string(), v.isoTimestamp())), undefined),
  /** When something last came from it, if it is not here. */
  seen: v.fallback(v.optional(v.pipe(v.string(), v.isoTimestamp())), undefined),
  /** Its identity. */
  uuid: v.fallback(v.optional(shortText), undefined),
  /** Whether another node shows the same. */
  copy: v.fallback(v.optional(v.boolean()), undefined),
  /** What it told of its machine. */
  details: v.fallback(v.optional(v.record(v.string(), v.union([shortText, v.number()]))), undefined),
})

/** What a table says of a node. */
export type NodeRow = v.InferOutput<typeof nodeRow>

export interface PresenceOptions {
  roster: Roster
  identities: Identities
  /** Ends the looking. Default: the stop signal of this program. */
  stop?: AbortSignal
  /** After how long a peer that says nothing is shown as silent, in ms. Default: 7,500. */
  silentMs?: number
  /** How long one that has gone stays in the table, in ms. Default: 3,600,000, an hour. */
  goneMs?: number
}

interface Seen {
  /** Its row's. */
  readonly id: string
  readonly row: NodeRow
  readonly bytesRead: number
  /** How many looks have found nothing new. */
  readonly quietLooks: number
}

/**
 * Looks four times a second at a roster, and keeps a table of it. A node's row has its identity as its id, so it is the
 * same row when the node has come back; one without an identity has its name there. Who has gone stays for an hour.
 */
export class Presence {
  readonly table = new LiveTable<NodeRow>()

  readonly #roster: Roster
  readonly #identities: Identities
  readonly #silentMs: number
  readonly #goneMs: number
  #seen: ReadonlyMap<Connection, Seen> = new Map()
  /** By the ids of those that have gone: when, on the clock that does not jump, in ms. */
  readonly #gone = new Map<string, number>()

  constructor({
    roster,
    identities,
    stop = stopRequest,
    silentMs = DEFAULT_SILENT_MS,
    goneMs = DEFAULT_GONE_MS,
  }: PresenceOptions) {
    this.#roster = roster
    this.#identities = identities
    this.#silentMs = silentMs
    this.#goneMs = goneMs
    const timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref()
    addAbortListener(stop, () => clearInterval(timer))
  }

  /** Those that are connected, as the original's master tells them: by their ids, `{uuid, address}` each. */
  list(): Record<string, { uuid: string; address: string }> {
    const here = this.table.entries().filter(([, { state }]) => state !== 'gone')
    return Object.fromEntries(here.map(([id, { address }]) => [id, { uuid: id, address }]))
  }

  #look(): void {
    const now = new Map<Connection, Seen>()
    const ids = new Set<string>()
    for (const [peer, member] of this.#roster.entries) {
      // The identity of a connection that has just closed is known no more, and its member still here for a moment.
      const uuid = this.#identities.identityOf(peer) ?? this.#seen.get(peer)?.row.uuid
      const own = uuid ?? member.name
      const id = ids.has(own) ? `${own} at ${member.address}` : own
      ids.add(id)
      now.set(peer, this.#see(id, uuid, peer, member))
    }
    for (const [peer, { id, row, quietLooks }] of this.#seen) {
      if (ids.has(id)) continue
      // Who has told nothing of itself is nobody to be missed, has it proven its name or not; and who has another id now has not gone.
      if (now.has(peer) || row.details?.['hostname'] === undefined) this.table.delete(id)
      else this.#leave(id, row, quietLooks)
    }
    for (const { id, row } of now.values()) {
      this.table.set(id, row)
      this.#gone.delete(id)
    }
    this.#seen = now
    this.#forget()
  }

  #see(
    id: string,
    uuid: string | undefined,
    peer: Connection,
    { name, address, since, details }: Member,
  ): Seen {
    const before = this.#seen.get(peer)
    const { bytesRead } = peer.socket
    const quietLooks = before?.bytesRead === bytesRead ? before.quietLooks + 1 : 0
    const isSilent = quietLooks * LOOK_INTERVAL_MS >= this.#silentMs
    const row: NodeRow = {
      name,
      address,
      state: isSilent ? 'silent' : 'here',
      since: since.toISOString(),
      ...(isSilent && { seen: before?.row.seen ?? lastSeen(quietLooks) }),
      ...(uuid !== undefined && { uuid }),
      ...(this.#identities.isCopy(peer) && { copy: true }),
      details: told(details),
    }
    return { id, row, bytesRead, quietLooks }
  }

  #leave(id: string, row: NodeRow, quietLooks: number): void {
    this.table.set(id, { ...row, state: 'gone', seen: row.seen ?? lastSeen(quietLooks) })
    this.#gone.set(id, performance.now())
  }

  #forget(): void {
    for (const [id, at] of this.#gone) {
      if (this.#gone.size <= MOST_GONE && performance.now() - at < this.#goneMs) return
      this.#gone.delete(id)
      this.table.delete(id)
    }
  }
}

/** When something came last, so many looks ago. */
function lastSeen(quietLooks: number): string {
  return new Date(Date.now() - quietLooks * LOOK_INTERVAL_MS).toISOString()
}

/** What was told, and nothing of what was not. */
function told(details: MemberDetails): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(details).filter((entry): entry is [string, string | number] => entry[1] !== undefined),
  )
}
