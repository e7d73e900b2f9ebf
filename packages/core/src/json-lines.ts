/**
 * Messages on a stream of bytes: each is JSON, followed by a carriage return. JSON writes a carriage
 * return inside a text as `\r`, so the byte itself can only mean that a message has ended.
 *
 * The format is that of the Python original. Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.5.0
 */

// Receiving: a schema says what a message must be, and the peer waits while one is being worked on.
export type { ReceiveOptions } from './checking.ts'
// A stream of bytes, taken apart into messages.
export { Decoder, type ParseOptions } from './decoder.ts'
// The same for many messages, and for large ones: what only speed needs.
export { forEachMessage } from './each-message.ts'
export { type BudgetOptions, DEFAULT_MAX_HELD_BYTES, FrameBudget } from './frame-budget.ts'
// What a frame is, what can be wrong with one, and a message as a frame.
export {
  asciiJson,
  DEFAULT_MAX_FRAME_BYTES,
  encode,
  FrameError,
  type FrameOptions,
  type FrameProblem,
  JsonText,
} from './frames.ts'
export { isLargePlainText, LARGE_TEXT, sendJsonPieces } from './large-texts.ts'
export { receive } from './receiving.ts'
// Sending: all frames of one turn at once, and something to wait for when the peer is slow.
export { send, sendJson } from './sending.ts'
