/**
 * Large texts, copied as seldom as can be: to copy one costs more than to look through it. Only for speed.
 *
 * @since 0.5.0
 */
import type { Connection } from './connection.ts'
import { checkSizeToSend, DEFAULT_MAX_FRAME_BYTES, type FrameOptions } from './frames.ts'
import { outboxOf } from './outbox.ts'
import { isPlainText } from './plain-text.ts'

/** A text of more characters is not copied where that can be helped: neither to join it, nor to parse it. */
export const LARGE_TEXT = 256 * 1024

/** Whether a value is a large text that JSON has as it stands, between quotes. */
export function isLargePlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length > LARGE_TEXT && isPlainText(value)
}

/**
 * Sends one message that is ASCII-only JSON already in pieces, which are not joined: that would copy them, and a large text
 * (see {@link isLargePlainText}) is copied often enough on its way.
 */
export function sendJsonPieces(
  connection: Connection,
  pieces: readonly string[],
  { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES }: FrameOptions = {},
): Promise<void> | undefined {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  checkSizeToSend(bytes, maxFrameBytes)
  return outboxOf(connection).addPieces([...pieces, '\r'])
}
