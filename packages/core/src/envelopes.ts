/**
 * Envelopes, written and read fast: mostly one type of message goes over a connection, so the beginning that
 * such messages share is neither made nor parsed again. Only for speed.
 *
 * @since 0.6.0
 */
import { asciiJson } from './frames.ts'
import { isLargePlainText, LARGE_TEXT } from './large-texts.ts'

/**
 * A message as it goes over the wire.
 *
 * @internal
 */
export interface Envelope {
  type: string
  payload: unknown
}

/**
 * What a schema says, in a fortieth of its time. JSON knows no undefined.
 *
 * @internal
 */
export function isEnvelope(message: unknown): message is Envelope {
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
  parse(json: string): Envelope | undefined {
    if (this.#type === undefined || !json.startsWith(this.#text) || !json.endsWith('}')) return undefined
    try {
      // If this is one JSON value, the whole is that and nothing else.
      return { type: this.#type, payload: parsePayload(json.slice(this.#text.length, -1)) }
    } catch {
      return undefined
    }
  }
}

const sent = new Beginning()
const received = new Beginning()

/**
 * All of a message of a type before its payload.
 *
 * @internal
 */
export function beginningOf(type: string): string {
  return sent.of(type)
}

/**
 * What JSON.parse gives.
 *
 * @internal
 */
export function parseEnvelope(json: string): unknown {
  const known = received.parse(json)
  if (known) return known
  const message: unknown = JSON.parse(json)
  if (isEnvelope(message)) received.of(message.type)
  return message
}

/** What JSON.parse gives. That copies every text, and to copy a large one takes longer than to look through it. */
function parsePayload(json: string): unknown {
  if (json.length > LARGE_TEXT && json.startsWith('"') && json.endsWith('"')) {
    const text = json.slice(1, -1)
    if (isLargePlainText(text)) return text
  }
  return JSON.parse(json)
}
