/**
 * Messages of many types: each is an envelope `{type, payload}`, and a table says what to do with
 * each type. A type that the table does not know is reported and survived, so that newer nodes can
 * talk to older ones.
 *
 * @since 0.6.0
 */
import * as v from 'valibot'
import {
  asciiJson,
  type FrameOptions,
  forEachMessage,
  isLargePlainText,
  LARGE_TEXT,
  sendJson,
  sendJsonPieces,
} from './json-lines.ts'
import type { Connection } from './sockets.ts'

/** What every message looks like on the wire. Keys beside these two are ignored. */
const envelope = v.object({ type: v.string(), payload: v.unknown() })

/** What the schema says, in a fortieth of its time; it is asked only to say what is wrong. JSON knows no undefined. */
function isEnvelope(message: unknown): message is v.InferOutput<typeof envelope> {
  if (typeof message !== 'object' || message === null) return false
  const { type, payload } = message as Record<string, unknown>
  return typeof type === 'string' && payload !== undefined
}

/** All of a message before its payload. It is kept for the next one, since mostly one type goes over a connection. */
class Beginning {
  #type: string | undefined
  #text = ''

  of(type: string): string {
    if (type !== this.#type) {
      this.#type = type
      this.#text = `{"type":${asciiJson(type)},"payload":`
    }
    return this.#text
  }

  /** A message that begins so, with half the work of JSON.parse, or nothing if this one is not so simple. */
  parse(json: string): v.InferOutput<typeof envelope> | undefined {
    if (this.#type === undefined || !json.startsWith(this.#text) || !json.endsWith('}')) return undefined
    try {
      // If this is one JSON value, the whole is that and nothing else.
      return { type: this.#type, payload: parsePayload(json.slice(this.#text.length, -1)) }
    } catch {
      return undefined
    }
  }
}

/** What JSON.parse gives. That copies every text, and to copy a large one takes longer than to look through it. */
function parsePayload(json: string): unknown {
  if (json.length > LARGE_TEXT && json.startsWith('"') && json.endsWith('"')) {
    const text = json.slice(1, -1)
    if (isLargePlainText(text)) return text
  }
  return JSON.parse(json)
}

const sent = new Beginning()
const received = new Beginning()

function parse(json: string): unknown {
  const known = received.parse(json)
  if (known) return known
  const message: unknown = JSON.parse(json)
  if (isEnvelope(message)) received.of(message.type)
  return message
}

/** What to do with each type of message. A payload is whatever the peer sent: look before you trust it. */
export type Handlers = Record<string, (payload: unknown) => void | Promise<void>>

/** What to do with a message whose type has no handler. */
export type UnknownHandler = (type: string, payload: unknown) => void | Promise<void>

/**
 * Sends one message of a type. It returns and throws as `send` of json-lines does, and takes no
 * undefined payload, which JSON would leave out.
 */
export function send(
  connection: Connection,
  type: string,
  payload: unknown,
  options?: FrameOptions,
): Promise<void> | undefined {
  if (payload === undefined)
    throw new TypeError('A message must have a payload. With nothing to say, it is null.')
  const beginning = sent.of(type)
  if (isLargePlainText(payload)) return sendJsonPieces(connection, [`${beginning}"`, payload, '"}'], options)
  return sendJson(connection, `${beginning}${asciiJson(payload)}}`, options)
}

/**
 * Reads messages until the peer closes the connection, and gives each one's payload to the handler
 * of its type, one after the other.
 *
 * @param unknown what to do with a type that has no handler
 * @throws FrameError at a frame that is no message: not JSON, or no `{type, payload}`
 * @throws OperationalError when the connection is lost
 * @throws whatever a handler throws
 */
export function handleMessages(
  connection: Connection,
  handlers: Handlers,
  unknown: UnknownHandler,
  options?: FrameOptions,
): Promise<void> {
  return forEachMessage(
    connection,
    { schema: envelope, accepts: isEnvelope, parse, ...options },
    ({ type, payload }) => {
      // hasOwn: "constructor" and "__proto__" are types that nobody handles, not parts of the table.
      const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined
      return handler ? handler(payload) : unknown(type, payload)
    },
  )
}

/** A payload as text for a log: a text as it is, anything else as JSON. It never throws, whatever the payload. */
export function textOf(payload: unknown): string {
  if (typeof payload === 'string') return payload
  try {
    return JSON.stringify(payload) ?? String(payload)
  } catch {
    return '(a payload nested too deeply to be shown)' // JSON.stringify recurses, JSON.parse does not
  }
}
