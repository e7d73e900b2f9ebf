/**
 * What a frame is: one message as JSON, and a carriage return. JSON writes a carriage return inside a text as
 * `\r`, so the byte itself can only mean that a message has ended.
 *
 * @since 0.5.0
 */
import { OperationalError } from './lifecycle.ts'
import { isAsciiOnly, isPlainText } from './plain-text.ts'

/**
 * Ends each message: carriage return.
 *
 * @internal
 */
export const SEPARATOR = 0x0d

/**
 * How much of what is wrong an error shows, in characters.
 *
 * @internal
 */
export const SHOWN = 40

/** The largest message taken and sent, in bytes without its separator, unless told otherwise: 1 MiB, as NATS has it (max_payload). */
export const DEFAULT_MAX_FRAME_BYTES = 1024 * 1024

/** What can be wrong with a frame. */
export type FrameProblem =
  | 'too large'
  | 'not UTF-8'
  | 'not JSON'
  | 'empty'
  | 'unfinished'
  | 'over the budget'
  | 'of the wrong shape'

/** A frame that breaks the protocol, so that nothing after it on its connection can be trusted. */
export class FrameError extends OperationalError {
  override readonly name: string = 'FrameError'
  readonly kind: FrameProblem

  /**
   * @param detail how to know it again: its size, its first characters
   * @param options `from`: whose frame it was, for the text
   */
  constructor(
    kind: FrameProblem,
    detail: string,
    options: ErrorOptions & { from?: string | undefined } = {},
  ) {
    super(`A frame ${options.from ? `from ${options.from} ` : ''}is ${kind}: ${detail}.`, options)
    this.kind = kind
  }
}

/** The size that a frame may have. */
export interface FrameOptions {
  /** The largest frame, in bytes without its separator. Default: {@link DEFAULT_MAX_FRAME_BYTES}. */
  maxFrameBytes?: number
}

/**
 * One message as it goes over the wire: ASCII-only JSON, and a carriage return.
 *
 * @throws TypeError when the value has no JSON form: `undefined`, a function, a BigInt, a circle
 */
export function encode(value: unknown): string {
  return `${asciiJson(value)}\r`
}

/**
 * A value as JSON that is ASCII only, as it stands before the carriage return. The original's nodes of chapters 16
 * to 18 decode each piece that they read by itself, and die of a character that two pieces share: ASCII has none.
 *
 * @throws TypeError when the value has no JSON form: `undefined`, a function, a BigInt, a circle
 */
export function asciiJson(value: unknown): string {
  if (isPlainText(value)) return `"${value}"`
  const json: string | undefined = JSON.stringify(value)
  if (json === undefined) {
    if (value instanceof JsonText) return value.json // looked for here, where it costs others nothing
    throw new TypeError(`A message must have a JSON form, which ${typeof value} has not`)
  }
  return escaped(json)
}

/**
 * A value as the JSON that it shall be, letter for letter, to be sent in place of it. JSON has more in it than JavaScript can
 * say: 1500.0 is a text of its own there, and another kind of number for Python than 1500.
 */
export class JsonText {
  readonly json: string

  /**
   * @param json JSON, with white space as it likes
   * @throws SyntaxError when it is none
   */
  constructor(json: string) {
    JSON.parse(json)
    this.json = escaped(json.replaceAll('\r', ' '))
  }

  /** As JSON.stringify sees it: it cannot be part of another value. */
  toJSON(key: string): undefined {
    if (key !== '')
      throw new TypeError(`A JsonText is all of a message, and no part of one, as ${key} would be`)
  }

  toString(): string {
    return this.json
  }
}

function escaped(json: string): string {
  return isAsciiOnly(json) ? json : json.replace(NOT_ASCII, escapeUnit)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is what this is about
const NOT_ASCII = /[^\x00-\x7e]/g

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * Refuses to send a frame that no receiver would take.
 *
 * @internal
 */
export function checkSizeToSend(bytes: number, maxFrameBytes: number): void {
  if (bytes > maxFrameBytes)
    throw new FrameError('too large', `${bytes} bytes to send, the limit is ${maxFrameBytes}`)
}
