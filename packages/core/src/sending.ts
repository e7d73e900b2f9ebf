/**
 * Sending messages: as frames, in one write for all of a turn, and with something to wait for when the peer is slow.
 *
 * @since 0.5.0
 */
import type { Connection } from './connection.ts'
import { asciiJson, checkSizeToSend, DEFAULT_MAX_FRAME_BYTES, type FrameOptions } from './frames.ts'
import { outboxOf } from './outbox.ts'

/**
 * Sends one message. What is sent to a connection in one turn of the event loop goes out in one write.
 *
 * @returns nothing when more may be sent at once, or else a promise to wait for: see
 *   {@link Connection.write}. To await it in either case is right.
 * @throws FrameError when the message is larger than `maxFrameBytes`
 * @throws TypeError when the message has no JSON form
 * @throws OperationalError when the connection is lost
 */
export function send(
  connection: Connection,
  message: unknown,
  options?: FrameOptions,
): Promise<void> | undefined {
  return sendJson(connection, asciiJson(message), options)
}

/**
 * Sends one message that is ASCII-only JSON already, as {@link asciiJson} gives it. Nobody looks at it
 * again: anything else breaks the protocol. It returns and throws as {@link send} does.
 */
export function sendJson(
  connection: Connection,
  json: string,
  { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES }: FrameOptions = {},
): Promise<void> | undefined {
  checkSizeToSend(json.length, maxFrameBytes)
  return outboxOf(connection).add(`${json}\r`)
}
