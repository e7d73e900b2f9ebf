/**
 * Who is here: a row for each peer that is connected now, with the name that a reader would use for it. A peer
 * says itself who it is, when it comes to that, and until then its address stands for it.
 *
 * @since 0.9.0
 */
import { addAbortListener } from 'node:events'
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How often the roster is logged at most, in ms. */
const TABLE_INTERVAL_MS = 1_000

/** How many rows of the roster are logged. The log is read by people, and a cluster may have thousands of nodes. */
const MOST_ROWS = 20

/** How much of a host's name is taken, in characters: RFC 1035 has no longer ones between two dots. */
const LONGEST_HOSTNAME = 63

/** What no host's name has, in whatever script: spaces, and what would make a line of the log look like another. */
const NOT_OF_A_NAME = /[^\p{L}\p{M}\p{N}._-]/gu

/** A peer that is here. */
export interface Member {
  /** What texts call it: `pi #4711`, or its address while it has not told who it is. No two members have the same. */
  readonly name: string
  /** Where it is: `192.168.1.20:51234`. */
  readonly address: string
  /** When it came. */
  readonly since: Date
  /** What it told of itself. */
  readonly details: MemberDetails
}

/**
 * What a peer tells of itself, in the words of the wire: some of its machine's details, and the number that its program
 * has picked. What it did not tell, or what cannot be such a thing, is undefined. Nothing else is kept of what a peer
 * sends: it could be a megabyte each time.
 */
export type MemberDetails = v.InferOutput<typeof memberDetails>

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** A text that is short enough to be kept. */
const shortText = v.pipe(v.string(), v.minLength(1), v.maxLength(200))

const memberDetails = v.object({
  hostname: v.fallback(v.optional(shortText), undefined),
  client: v.fallback(v.optional(count), undefined),
  program: v.fallback(v.optional(shortText), undefined),
  cpu: v.fallback(v.optional(shortText), undefined),
  cpu_cores: v.fallback(v.optional(count), undefined),
  cpu_percent_used: v.fallback(v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100))), undefined),
  ram: v.fallback(v.optional(count), undefined),
})

/** A member, and what only the roster has to know of it. */
interface Row extends Member {
  name: string
  /** The name that it would have if nobody else had it. */
  wanted: string
  details: MemberDetails
  /** On the clock that does not jump, in ms. */
  readonly cameAt: number
}

export interface RosterOptions {
  /** Where joins, leaves and the table are logged. */
  log: Logger
  /** Whether people are to read that. Otherwise it is logged at the level `debug`. Default: true. */
  tellsWhoIsHere?: boolean | undefined
  /** Ends the table: a program that ends need not tell how its roster empties. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** The peers of a listener, from the moment that each is added until its connection ends. */
export class Roster {
  readonly #say: (line: string) => void
  readonly #stop: AbortSignal
  readonly #rows = new Map<Connection, Row>()
  readonly #names = new Set<string>()
  /** By a name: those that want it, and have another, since it is somebody else's. */
  readonly #wanting = new Map<string, Set<Connection>>()
  #timer: NodeJS.Timeout | undefined
  #logged = ''

  constructor({ log, tellsWhoIsHere = true, stop = stopRequest }: RosterOptions) {
    this.#say = (line) => (tellsWhoIsHere ? log.info(line) : log.debug(line))
    this.#stop = stop
    addAbortListener(stop, () => clearTimeout(this.#timer))
  }

  /** Who is here, in the order in which they came. */
  get members(): Member[] {
    return [...this.#rows.values()]
  }

  /** The same, each with its connection. */
  get entries(): [peer: Connection, member: Member][] {
    return [...this.#rows]
  }

  /** What texts call a peer: the name of its row, or its address when it has none. */
  nameOf(peer: Connection): string {
    return this.#rows.get(peer)?.name ?? peer.address
  }

  /** Adds a peer. Its row goes by itself when the connection has ended, however it did. */
  add(peer: Connection): void {
    if (this.#rows.has(peer) || peer.socket.destroyed) return
    const { address } = peer
    this.#names.add(address)
    this.#rows.set(peer, {
      name: address,
      wanted: address,
      address,
      since: new Date(),
      details: {},
      cameAt: performance.now(),
    })
    // Not at once: why a connection was lost is told first.
    peer.socket.once('close', () => setImmediate(() => this.#remove(peer)))
    if (peer.node !== undefined) this.#call(peer, peer.node)
    this.#change()
  }

  /**
   * Takes what a peer tells of itself: `hostname` and `client`, a number, make its name. From now on this name stands in
   * what is logged of its connection, too. A peer may tell it again, when something has changed. One that has proven a name by
   * a key has that one, from the beginning on, whatever it tells.
   *
   * @param details whatever the peer has sent. Without a hostname in it nothing changes; what else cannot be used of it is
   *   not known.
   */
  introduce(peer: Connection, details: unknown): void {
    const row = this.#rows.get(peer)
    if (!row) return
    const parsed = v.safeParse(memberDetails, details)
    const wanted = parsed.success ? (peer.node ?? nameFrom(parsed.output)) : undefined
    if (!parsed.success || wanted === undefined) return
    row.details = parsed.output
    this.#call(peer, wanted)
    this.#change()
  }

  /** Gives a peer the name that it wants, or one that nobody else has. */
  #call(peer: Connection, wanted: string): void {
    const row = this.#rows.get(peer)
    if (!row) return
    const before = row.name
    if (peer.node !== undefined) this.#takeAway(wanted)
    this.#rename(peer, row, wanted)
    if (row.name === before) return
    this.#say(
      before === row.address
        ? `${row.name} has joined, from ${row.address}`
        : `${before} calls itself ${row.name} now`,
    )
    this.#passOn(before)
  }

  #rename(peer: Connection, row: Row, wanted: string): void {
    this.#giveUp(peer, row)
    row.wanted = wanted
    let name = wanted
    for (let count = 2; this.#names.has(name); count += 1) name = `${wanted} (${count})`
    this.#names.add(name)
    row.name = name
    if (name !== wanted) this.#wanting.set(wanted, (this.#wanting.get(wanted) ?? new Set()).add(peer))
    peer.peer = `${name} at ${row.address}`
  }

  /** Takes a name from a peer that only says that it is called so, for one that has proven it. */
  #takeAway(name: string): void {
    const holder = this.entries.find(([peer, row]) => row.name === name && peer.node === undefined)
    const [peer] = holder ?? []
    const row = peer && this.#rows.get(peer)
    if (!row) return
    this.#rename(peer, row, `${name} without a key`)
    this.#say(`${name} is ${row.name} now`)
  }

  #remove(peer: Connection): void {
    const row = this.#rows.get(peer)
    if (!row) return
    this.#rows.delete(peer)
    this.#giveUp(peer, row)
    const stayed = durationText(performance.now() - row.cameAt)
    const unnamed = row.name === row.address ? ', and has not told who it was' : ''
    this.#say(`${row.name} has left, after ${stayed}${unnamed}`)
    this.#passOn(row.name)
    this.#change()
  }

  /** Gives a name that is free now to who came first of those that want it: it may be the same node, which came back. */
  #passOn(name: string): void {
    const [heir] = this.#wanting.get(name) ?? []
    const row = heir && this.#rows.get(heir)
    if (!row) return
    const before = row.name
    this.#rename(heir, row, name)
    this.#say(`${before} is ${name} now`)
  }

  /** A peer does not want its name any more. */
  #giveUp(peer: Connection, row: Row): void {
    this.#names.delete(row.name)
    const wanting = this.#wanting.get(row.wanted)
    wanting?.delete(peer)
    if (wanting?.size === 0) this.#wanting.delete(row.wanted)
  }

  /** Sees to it that the table is logged soon: what changes within a second is one table. */
  #change(): void {
    if (this.#timer || this.#stop.aborted) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#logTable()
    }, TABLE_INTERVAL_MS).unref()
  }

  #logTable(): void {
    const table = tableOf([...this.#rows.values()])
    const text = table.join('\n')
    if (text === this.#logged) return
    this.#logged = text
    for (const line of table) this.#say(line)
  }
}

/** The name that a peer goes by, after what it tells; nothing when it does not tell enough. */
function nameFrom({ hostname, client }: MemberDetails): string | undefined {
  if (hostname === undefined) return undefined
  const host = hostname.slice(0, LONGEST_HOSTNAME).replace(NOT_OF_A_NAME, '?')
  return client === undefined ? host : `${host} #${client}`
}

/** The roster as lines of text, its columns one below the other. */
function tableOf(rows: readonly Row[]): string[] {
  const shown = rows.slice(0, MOST_ROWS).map(({ name, since, address, details: { cpu_cores, ram } }) => [
    name === address ? '(no name yet)' : name,
    `since ${since.toLocaleString('sv')}`, // as ISO 8601 writes it, in the time of this machine
    `from ${address}`,
    cpu_cores === undefined ? '' : `${cpu_cores} ${cpu_cores === 1 ? 'core' : 'cores'}`,
    ram === undefined ? '' : `${(ram / 1024 ** 3).toFixed(1)} GiB`,
  ])
  const widths = shown.reduce<number[]>(
    (most, cells) => cells.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  )
  const lines = shown.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const more = rows.length - shown.length
  return [
    `Here now: ${rows.length}`,
    ...lines.map((line) => `- ${line}`),
    ...(more > 0 ? [`- and ${more} more`] : []),
  ]
}

/** How long something took, for people: in the largest unit of which it is at least two. */
function durationText(ms: number): string {
  const units: [name: string, ms: number][] = [
    ['days', 86_400_000],
    ['hours', 3_600_000],
    ['minutes', 60_000],
  ]
  const [name, size] = units.find(([, size]) => ms >= 2 * size) ?? ['s', 1_000]
  return `${Math.floor(ms / size)} ${name}`
}
