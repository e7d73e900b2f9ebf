/**
 * Messages of many types: each is an envelope `{type, payload}`, and a table says what to do with
 * each type. A type that the table does not know is reported and survived, so that newer nodes can
 * talk to older ones.
 *
 * @since 0.6.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { forEachMessage } from './each-message.ts'
import { beginningOf, isEnvelope, parseEnvelope } from './envelopes.ts'
import type { BudgetOptions } from './frame-budget.ts'
import { asciiJson, type FrameOptions } from './frames.ts'
import { isLargePlainText, sendJsonPieces } from './large-texts.ts'
import { sendJson } from './sending.ts'

/**
 * What every message looks like on the wire. Keys beside these two are ignored.
 *
 * @internal
 */
export const envelope = v.object({ type: v.string(), payload: v.unknown() })

/**
 * What to do with each type of message, and with whose it is. A payload is whatever the peer sent: look before
 * you trust it.
 */
export type Handlers = Record<string, (payload: unknown, peer: Connection) => void | Promise<void>>

/** What to do with a message whose type has no handler. */
export type UnknownHandler = (type: string, payload: unknown, peer: Connection) => void | Promise<void>

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
  const beginning = beginningOf(type)
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
  options?: FrameOptions & BudgetOptions,
): Promise<void> {
  return forEachMessage(
    connection,
    { schema: envelope, accepts: isEnvelope, parse: parseEnvelope, ...options },
    ({ type, payload }) => {
      // hasOwn: "constructor" and "__proto__" are types that nobody handles, not parts of the table.
      const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined
      return handler ? handler(payload, connection) : unknown(type, payload, connection)
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
