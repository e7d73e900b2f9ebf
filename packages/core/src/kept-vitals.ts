/**
 * The vitals that nodes send, taken, dated and kept: the latest of each node in a table that can be followed, and all of
 * them in a store, which is asked for their past.
 *
 * @since 0.17.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import type { Answer } from './dialogue.ts'
import { asciiJson, DEFAULT_MAX_FRAME_BYTES } from './frames.ts'
import { identityFrom } from './identities.ts'
import { isIdentity } from './kept-identity.ts'
import { KnownTime } from './known-time.ts'
import { OperationalError } from './lifecycle.ts'
import { LiveTable } from './live-table.ts'
import type { Logger } from './logging.ts'
import { textOf } from './messages.ts'
import type { Roster } from './roster.ts'
import type { History, HistoryQuery, Store } from './store.ts'

/** How many numbers a node may send at a time. */
const MOST_VALUES = 20

/** How often a node is listened to at most, in ms: what comes in between is not kept. */
const LEAST_INTERVAL_MS = 50

/** Of how many nodes the latest is known, unless told otherwise. */
const DEFAULT_MOST_NODES = 2_000

/** How much of what is wrong a warning shows, in characters. */
const SHOWN = 200

/** What is left of a frame for an answer's type and id, in bytes. */
const ROOM_IN_FRAME = 1_000

const shortText = v.pipe(v.string(), v.minLength(1), v.maxLength(200))
const vitalName = v.pipe(v.string(), v.regex(/^[a-z][a-z\d_]{0,39}$/))
const finite = v.pipe(v.number(), v.finite())

/** What is sent: numbers by short names. Python has null for what it does not know. */
const sentVitals = v.pipe(
  v.record(vitalName, v.nullable(finite)),
  v.check((values) => {
    const count = Object.keys(values).length
    return count > 0 && count <= MOST_VALUES
  }),
)

/** What vitals are called, by their names. */
const descriptions = v.pipe(
  v.record(vitalName, v.object({ label: shortText, unit: v.pipe(v.string(), v.maxLength(20)) })),
  v.check((all) => Object.keys(all).length <= MOST_VALUES),
)

/** What of a node's introduction says where its vitals belong. */
const introduction = v.object({
  hostname: shortText,
  uuid: v.fallback(v.optional(v.custom<string>(isIdentity)), undefined),
})

const historyQuery = v.pipe(
  v.object({ vital: vitalName, node: v.optional(shortText), from: finite, to: finite }),
  v.check(({ from, to }) => from < to),
)

/** The latest vitals of a node, as a table has them. */
export const vitalsRow = v.object({
  /** What it is known by: its identity, or its hostname if it keeps none. */
  node: shortText,
  /** What texts call it: `pi #4711`. */
  name: shortText,
  /** When they were measured, as ISO 8601 has it; not there as long as the primary does not know what time it is. */
  time: v.fallback(v.optional(v.pipe(v.string(), v.isoTimestamp())), undefined),
  /** The numbers, by their names. */
  values: v.record(vitalName, finite),
})

/** The latest vitals of a node, as a table has them. */
export type VitalsRow = v.InferOutput<typeof vitalsRow>

/** Vitals of a node, dated. */
export interface NodeSample {
  /** What it is known by: its identity, or its hostname if it keeps none. */
  node: string
  /** What texts call it: `pi #4711`. */
  name: string
  /** What it calls its machine. */
  hostname: string
  /** When they came, in s since 1970. */
  at: number
  values: Readonly<Record<string, number>>
}

export interface KeptVitalsOptions {
  /** Where is told what cannot be kept. */
  log: Logger
  /** What nodes are called. */
  roster: Pick<Roster, 'nameOf'>
  /** What keeps them. */
  store: Pick<Store, 'add' | 'describe' | 'history' | 'newest'>
  /** What dates them. Default: a {@link KnownTime} that begins with what the store has. */
  time?: Pick<KnownTime, 'date'>
  /** Who else is given them, each once, when it is dated. */
  also?: ((sample: NodeSample) => void) | undefined
  /** Of how many nodes the table has the latest. Of more, those that came first are forgotten. Default: 2,000. */
  mostNodes?: number
}

/** Who a peer is, and when it last sent vitals. */
interface Source {
  node: string
  hostname: string
  heardAt: number
}

/** The vitals of a listener's peers. */
export class KeptVitals {
  /** The latest of each node. */
  readonly table = new LiveTable<VitalsRow>()

  readonly #options: KeptVitalsOptions
  readonly #time: Pick<KnownTime, 'date'>
  readonly #sources = new WeakMap<Connection, Source>()

  constructor(options: KeptVitalsOptions) {
    const { log, store, time = new KnownTime({ log, notBefore: store.newest }) } = options
    this.#options = options
    this.#time = time
  }

  /**
   * Takes what a peer tells of itself: its `hostname`, and `uuid` if it keeps an identity; by a key it has its own, whatever it tells. An identity that a node has for
   * one connection only, as those in Python, it does not tell: its hostname stays.
   *
   * @param details whatever the peer has sent. Without a hostname nothing changes.
   */
  introduce(peer: Connection, details: unknown): void {
    const parsed = v.safeParse(introduction, details)
    if (!parsed.success) return
    const { hostname, uuid } = parsed.output
    this.#sources.set(peer, {
      node: identityFrom(peer, uuid) ?? hostname,
      hostname,
      heardAt: this.#sources.get(peer)?.heardAt ?? Number.NEGATIVE_INFINITY,
    })
  }

  /** The handler of `vitals`: dates and keeps them. Whatever is wrong with them is told, and they are not kept. */
  readonly take = (payload: unknown, peer: Connection): void => {
    const { log, roster, store, also } = this.#options
    const name = roster.nameOf(peer)
    const source = this.#sources.get(peer)
    if (!source) {
      log.warn(`${name} has sent vitals before it has told who it is. They are not kept.`)
      return
    }
    const parsed = v.safeParse(sentVitals, payload)
    if (!parsed.success) {
      log.warn(`What ${name} has sent are no vitals, and not kept: ${textOf(payload).slice(0, SHOWN)}`)
      return
    }
    const now = performance.now()
    if (now - source.heardAt < LEAST_INTERVAL_MS) {
      log.warn(`${name} sends vitals too often. Some are not kept.`)
      return
    }
    source.heardAt = now
    const { node, hostname } = source
    const values = Object.fromEntries(
      Object.entries(parsed.output).filter((entry): entry is [string, number] => entry[1] !== null),
    )
    let dated: number | undefined
    this.#time.date((at) => {
      dated = at
      const sample: NodeSample = { node, name, hostname, at, values }
      store.add(sample)
      also?.(sample)
      this.#show(sample)
    })
    if (dated === undefined) this.#show({ node, name, values })
  }

  /**
   * The handler of `sensors`: takes what a peer says its vitals are called, and what they are counted in, by their names.
   * Whatever is wrong is told, and the names stay as they are.
   */
  readonly describe = (payload: unknown, peer: Connection): void => {
    const { log, roster, store } = this.#options
    const parsed = v.safeParse(descriptions, payload)
    if (!parsed.success) {
      log.warn(
        `What ${roster.nameOf(peer)} has sent describes no sensors, and is not kept: ${textOf(payload).slice(0, SHOWN)}`,
      )
      return
    }
    for (const [vital, about] of Object.entries(parsed.output)) store.describe(vital, about)
  }

  /**
   * The answer to `history`: what the store has of a vital's past. What it is about is a query of the store; one that is
   * none, or that the store cannot answer, is told and refused.
   */
  readonly history = async (peer: Connection, about: unknown): Promise<Answer | undefined> => {
    const { log, roster, store } = this.#options
    const parsed = v.safeParse(historyQuery, about)
    if (!parsed.success) {
      log.warn(
        `${roster.nameOf(peer)} asks for a history, and not of what: ${textOf(about ?? null).slice(0, SHOWN)}`,
      )
      return undefined
    }
    const { node, ...query } = parsed.output
    try {
      const history = await store.history({
        ...query,
        ...(node !== undefined && { node }),
      } satisfies HistoryQuery)
      return { type: 'history', payload: withinFrame(history) }
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error
      log.warn(`${roster.nameOf(peer)} asks for a history, and gets none: ${error.message}`)
      return undefined
    }
  }

  #show({ node, name, at, values }: Pick<NodeSample, 'node' | 'name' | 'values'> & { at?: number }): void {
    const before = this.table.get(node)
    const time = at === undefined ? undefined : new Date(at * 1000).toISOString()
    // What was held is dated later, and something newer may be there.
    if (before?.time !== undefined && time !== undefined && time < before.time) return
    this.table.set(node, { node, name, ...(time !== undefined && { time }), values })
    if (this.table.size <= (this.#options.mostNodes ?? DEFAULT_MOST_NODES)) return
    const [oldest] = this.table.entries()[0] ?? []
    if (oldest !== undefined) this.table.delete(oldest)
  }
}

/** A history with as many of its lines as fit into a frame. */
function withinFrame(history: History): History {
  let { lines, more = 0 } = history
  const fits = () => asciiJson({ ...history, lines, more }).length + ROOM_IN_FRAME <= DEFAULT_MAX_FRAME_BYTES
  while (lines.length > 0 && !fits()) {
    const kept = Math.floor(lines.length * 0.8)
    more += lines.length - kept
    lines = lines.slice(0, kept)
  }
  return more === (history.more ?? 0) ? history : { ...history, lines, more }
}
