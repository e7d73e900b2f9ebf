/**
 * What went over the wire in one recorded run, as `docs/recordings/NN-name.wire.json` has it: the
 * connections, and in the order of time what a tap between the programs saw pass.
 */
import { isUtf8 } from 'node:buffer'

/** The wire of one run of a chapter's cluster. All times count from the zero of the recording in `NN-name.cast`. */
export interface WireRecording {
  /** The chapter: `03-sockets`. */
  chapter: string
  /** The programs in the order in which they start, each by the name that its lines begin with: `node 1`, `node 2`. */
  lanes: string[]
  /** The connections, in the order in which they were opened. */
  connections: WireConnection[]
  /** What happened on them, in the order of time. */
  events: WireEvent[]
  /** How many entries of bytes are left out: where there are many, each connection has only its first ones. */
  leftOut?: number
}

export interface WireConnection {
  /** Who connected: `node 2`. */
  lane: string
  /** Where from, as the program that was connected to sees it: `127.0.0.1:44884`. */
  address: string
}

/** A connection was opened, bytes went over it, or one side ended it. */
export type WireEvent = WireOpened | WireBytes | WireEnded

interface OnWire {
  /** Seconds since the recording's zero. */
  at: number
  /** Which connection: its index in `connections`. */
  connection: number
  /** The lane of who did it. */
  from: string
  /** The lane of the other end. */
  to: string
}

export interface WireOpened extends OnWire {
  type: 'opened'
}

/**
 * Bytes, as they came: what a program had written at once, as a rule, or several such pieces in one.
 * Cut after each `\r`, the separator from chapter 05 on, so that there each message is an entry; but not where they are
 * encrypted, where that byte means nothing. They are in `text` when they are UTF-8, or else in `base64`: a character may
 * be cut in two.
 */
export type WireBytes = WireBytesOf &
  ({ text: string; base64?: undefined } | { base64: string; text?: undefined })

interface WireBytesOf extends OnWire {
  type: 'bytes'
  /** Entries with the same number came in one piece, one right after the other. */
  chunk: number
}

export interface WireEnded extends OnWire {
  type: 'ended'
  /**
   * True when the connection was broken off in both directions. Otherwise this side has said that it
   * will send nothing more, and the other may still send.
   */
  reset?: true
}

/** What separates messages from chapter 05 on: a carriage return. */
const SEPARATOR = 0x0d

/** How a connection begins that is encrypted, from chapter 22 on: a handshake of TLS. */
const TLS_BEGINS = Buffer.from([0x16, 0x03])

/** How many entries a recording has, about: more than that nobody reads, and a page takes minutes to draw. */
const MOST_EVENTS = 400

/** Takes down what happens on the wire. */
export class WireLog {
  readonly #lanes: readonly string[]
  readonly #seconds: () => number
  readonly #connections: WireConnection[] = []
  readonly #events: WireEvent[] = []
  readonly #onEvent: ((event: WireEvent) => void) | undefined
  #chunks = 0

  /**
   * @param lanes the programs, in the order in which they start
   * @param seconds the time since the recording's zero
   * @param onEvent is told each event as it comes, in place of its being kept here
   */
  constructor(lanes: readonly string[], seconds: () => number, onEvent?: (event: WireEvent) => void) {
    this.#lanes = lanes
    this.#seconds = seconds
    this.#onEvent = onEvent
  }

  /** The time since the recording's zero, in seconds. */
  now(): number {
    return this.#seconds()
  }

  /** What has been taken down so far. */
  recording(chapter: string): WireRecording {
    return { chapter, lanes: [...this.#lanes], connections: this.#connections, events: this.#events }
  }

  /**
   * A connection is open. What happens on it is told to what this returns.
   *
   * @param at since when, as {@link now} gave it
   * @param to who was connected to
   */
  opened({ at, lane, to, address }: WireConnection & { at: number; to: string }) {
    const connection = this.#connections.push({ lane, address }) - 1
    const onWire = (by: 'lane' | 'to'): OnWire => ({
      at: this.#seconds(),
      connection,
      ...(by === 'lane' ? { from: lane, to } : { from: to, to: lane }),
    })
    this.#take({ type: 'opened', ...onWire('lane'), at })
    let isEncrypted: boolean | undefined
    return {
      bytes: (by: 'lane' | 'to', bytes: Buffer) => {
        const came = onWire(by)
        const chunk = this.#chunks++
        isEncrypted ??= bytes.subarray(0, TLS_BEGINS.length).equals(TLS_BEGINS)
        for (const piece of isEncrypted ? [bytes] : cutAfterSeparators(bytes)) {
          const content = isUtf8(piece) ? { text: piece.toString() } : { base64: piece.toString('base64') }
          this.#take({ type: 'bytes', ...came, chunk, ...content })
        }
      },
      ended: (by: 'lane' | 'to', { reset = false } = {}) => {
        this.#take({ type: 'ended', ...onWire(by), ...(reset && { reset }) })
      },
    }
  }

  /** In its place in the order of time: that a connection is open is heard late. */
  #take(event: WireEvent): void {
    if (this.#onEvent) this.#onEvent(event)
    else this.#events.splice(this.#events.findLastIndex(({ at }) => at <= event.at) + 1, 0, event)
  }
}

/** A recording with as many entries of bytes as there is room for: those with which each connection begins. */
export function shortened(recording: WireRecording): WireRecording {
  const { connections, events } = recording
  if (events.length <= MOST_EVENTS) return recording
  const others = events.filter(({ type }) => type !== 'bytes').length
  const share = Math.max(1, Math.floor((MOST_EVENTS - others) / connections.length))
  const counts = new Map<number, number>()
  const kept = events.filter(({ type, connection }) => {
    if (type !== 'bytes') return true
    const count = (counts.get(connection) ?? 0) + 1
    counts.set(connection, count)
    return count <= share
  })
  return { ...recording, events: kept, leftOut: events.length - kept.length }
}

/** The bytes that an entry tells of. */
export function bytesOf({ text, base64 }: WireBytes): Buffer {
  return text === undefined ? Buffer.from(base64, 'base64') : Buffer.from(text)
}

/** A recording as JSON, with a line for each connection and each event: so a change of it can be read. */
export function wireText({ events, connections, ...rest }: WireRecording): string {
  const list = (name: string, items: unknown[]) =>
    `${JSON.stringify(name)}:[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`
  const first = JSON.stringify(rest).slice(0, -1)
  return `${first},\n${list('connections', connections)},\n${list('events', events)}}\n`
}

function cutAfterSeparators(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  let begin = 0
  while (begin < bytes.length) {
    const at = bytes.indexOf(SEPARATOR, begin)
    const end = at < 0 ? bytes.length : at + 1
    pieces.push(bytes.subarray(begin, end))
    begin = end
  }
  return pieces
}
