/**
 * A table that is followed over a connection: a node subscribes to it by its name, its topic, and is sent what changes. To
 * who did not ask nothing is sent.
 *
 * @since 0.15.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import { type Changes, LiveTable } from './live-table.ts'
import type { Logger } from './logging.ts'
import { send, textOf } from './messages.ts'

/** How many rows go into one message: of the largest, 200 are within the megabyte that a frame may have. */
const ROWS_IN_A_MESSAGE = 200

export interface TopicsOptions {
  /** Where is told that somebody wants a topic that there is not. */
  log: Logger
  /** The tables, by their topics: `roster`. */
  tables: Readonly<Record<string, LiveTable<unknown>>>
}

/** Tables that peers may subscribe to. */
export class Topics {
  readonly #options: TopicsOptions
  readonly #subscribed = new WeakMap<Connection, Set<string>>()

  constructor(options: TopicsOptions) {
    this.#options = options
  }

  /**
   * The handler of `subscribe`: sends a peer all rows of a topic's table, in messages that have the topic as their type,
   * and then what changes, at the pace at which it reads, as long as its connection lasts. Once is enough.
   */
  readonly subscribe = (topic: unknown, peer: Connection): void => {
    const { log, tables } = this.#options
    const table = typeof topic === 'string' && Object.hasOwn(tables, topic) ? tables[topic] : undefined
    if (!table) {
      log.warn(`${peer.peer} subscribes to ${textOf(topic).slice(0, 100)}, and there is no such topic`)
      return
    }
    const topics = this.#subscribed.get(peer) ?? new Set()
    if (topics.has(topic as string) || peer.socket.destroyed) return
    this.#subscribed.set(peer, topics.add(topic as string))
    void sendAll(peer, topic as string, table)
  }
}

async function sendAll(peer: Connection, topic: string, table: LiveTable<unknown>): Promise<void> {
  const closed = new AbortController()
  peer.socket.once('close', () => closed.abort())
  try {
    for await (const changes of table.follow(closed.signal))
      for (const piece of inPieces(changes)) await send(peer, topic, piece)
  } catch (error) {
    // Why a connection is lost, or closed by this end, is told by whoever reads it.
    if (!(error instanceof OperationalError || (error instanceof Error && error.name === 'AbortError')))
      throw error
  }
}

/** Changes as they go over the wire: those of a large table come in pieces, and all but the last say that there is more. */
function* inPieces({ version, all, rows, removed }: Changes<unknown>) {
  const entries = Object.entries(rows)
  for (let from = 0; from === 0 || from < entries.length; from += ROWS_IN_A_MESSAGE) {
    const more = from + ROWS_IN_A_MESSAGE < entries.length
    yield {
      version,
      all: all && from === 0,
      rows: Object.fromEntries(entries.slice(from, from + ROWS_IN_A_MESSAGE)),
      removed: from === 0 ? removed : [],
      ...(more && { more }),
    }
  }
}

/** A table like one that is far away. */
export class Mirror<Row> {
  readonly table = new LiveTable<Row>()

  readonly #row: v.GenericSchema<unknown, Row>
  #isLive = false
  /** All rows, while they come in pieces. */
  #whole: Record<string, Row> | undefined

  /** @param row what its rows look like. Those that do not are left out. */
  constructor(row: v.GenericSchema<unknown, Row>) {
    this.#row = row
  }

  /** Whether the other end has sent its rows, since the last {@link begin}. */
  get isLive(): boolean {
    return this.#isLive
  }

  /** There is a new connection, and nothing has come on it. The rows stay as they were until others come. */
  begin(): void {
    this.#isLive = false
    this.#whole = undefined
  }

  /**
   * Takes a message of the topic.
   *
   * @throws OperationalError when it says no changes
   */
  readonly take = (payload: unknown): void => {
    const parsed = v.safeParse(changes, payload)
    if (!parsed.success) throw new OperationalError('What came is no change of a table.')
    const { all, removed, more } = parsed.output
    const rows = this.#rowsOf(parsed.output.rows)
    if (all) this.#whole = {}
    if (this.#whole) {
      Object.assign(this.#whole, rows)
      if (more) return
      this.table.apply({ all: true, rows: this.#whole, removed: [] })
      this.#whole = undefined
      this.#isLive = true
    } else {
      this.table.apply({ all: false, rows, removed })
    }
  }

  /**
   * Takes all rows at once, by their ids: from a peer that tells them when it is asked.
   *
   * @throws OperationalError when they are none
   */
  takeAll(rows: unknown): void {
    const parsed = v.safeParse(v.record(v.string(), v.unknown()), rows)
    if (!parsed.success) throw new OperationalError('What came are no rows of a table.')
    this.table.apply({ all: true, rows: this.#rowsOf(parsed.output), removed: [] })
  }

  #rowsOf(rows: Record<string, unknown>): Record<string, Row> {
    const checked = Object.entries(rows).map(([id, row]) => [id, v.safeParse(this.#row, row)] as const)
    return Object.fromEntries(checked.flatMap(([id, row]) => (row.success ? [[id, row.output]] : [])))
  }
}

const changes = v.object({
  all: v.boolean(),
  rows: v.record(v.string(), v.unknown()),
  removed: v.array(v.string()),
  more: v.optional(v.boolean(), false),
})
