/**
 * Taking a stream of bytes apart into messages. TCP delivers chunks that are cut anywhere: in the middle of a
 * frame, in the middle of a character, after several frames.
 *
 * @since 0.5.0
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { AsciiFrames, bytesOfAsciiFrames } from './ascii-frames.ts'
import { FrameRoom } from './frame-room.ts'
import {
  DEFAULT_MAX_FRAME_BYTES,
  FrameError,
  type FrameOptions,
  type FrameProblem,
  SEPARATOR,
  SHOWN,
} from './frames.ts'

/** How a frame becomes a message. */
export interface ParseOptions {
  /** What to parse a frame with, for a layer above that knows a faster way. It throws what is not JSON. Default: JSON.parse. */
  parse?: (json: string) => unknown
}

/** What has a name in texts, and may be given another: a connection. */
interface Named {
  readonly peer: string
}

const NOTHING = Buffer.alloc(0)

/**
 * Takes a stream apart into messages. Give it the chunks as they come, cut anywhere.
 *
 * It holds at most `maxFrameBytes`, and a stream costs time in proportion to its length however it
 * is cut. All decoders together keep one place to join large frames in. After an error a decoder takes
 * nothing more.
 */
export class Decoder {
  readonly #maxFrameBytes: number
  readonly #from: string | Named | undefined
  readonly #parseJson: (json: string) => unknown
  /** The beginning of a frame whose separator has not come yet. */
  readonly #begun: FrameRoom
  /** What has come since, and was not looked at yet. */
  #rest: Buffer = NOTHING
  /** Whole frames of it, for speed: they come before the rest. */
  #ascii: AsciiFrames | undefined
  #bytes = 0
  #failure: FrameError | undefined

  /**
   * @param options `from`: who sends the stream, for the texts of errors: a text, or a connection. `ownsChunks`: whether
   *   nobody else uses the memory of the chunks again, so that large ones need no copy; default: false
   */
  constructor({
    maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
    from,
    parse = JSON.parse,
    ownsChunks = false,
  }: FrameOptions & ParseOptions & { from?: string | Named; ownsChunks?: boolean } = {}) {
    this.#maxFrameBytes = maxFrameBytes
    this.#from = from
    this.#parseJson = parse
    this.#begun = new FrameRoom(ownsChunks)
  }

  /** How many bytes of an unfinished frame are held. */
  get heldBytes(): number {
    return this.#begun.bytes
  }

  /**
   * Takes the next chunk, and hands over each message that it completes, in order.
   *
   * @throws FrameError at the first frame that is too large, not UTF-8, not JSON or empty: after
   *   the messages before it were handed over. Every later call throws the same error.
   */
  push(chunk: Buffer, onMessage: (message: unknown) => void): void {
    this.add(chunk)
    this.handOver((message) => {
      onMessage(message)
      return true
    })
  }

  /** Takes the next chunk, for {@link handOver} to look at. All of the chunk before must have been handed over. */
  add(chunk: Buffer): void {
    if (this.#failure) return // which handOver throws
    this.#rest = chunk
    if (this.#begun.bytes === 0) this.#takeAscii()
  }

  /**
   * Hands over each message that was completed, in order, until the function returns false. What comes after that one
   * stays bytes until the next call.
   *
   * @returns whether all were handed over, and the function never returned false
   * @throws what {@link push} throws
   */
  handOver(take: (message: unknown) => boolean): boolean {
    for (;;) {
      if (this.#failure) throw this.#failure
      if (this.#ascii && !this.#handOverAscii(this.#ascii, take)) return false
      const end = this.#rest.indexOf(SEPARATOR)
      if (end < 0) break
      if (!take(this.#parse(this.#cutFrame(end)))) return false
    }
    this.#holdRest()
    return true
  }

  /** The size of the last message's frame, without its separator. */
  get messageBytes(): number {
    return this.#bytes
  }

  /**
   * Says that the stream has ended.
   *
   * @throws FrameError when it ended in the middle of a frame
   */
  end(): void {
    if (this.#failure) throw this.#failure
    if (this.#begun.bytes > 0) {
      throw this.fail(
        'unfinished',
        `the stream ended after ${this.#begun.bytes} bytes of it, which were dropped`,
      )
    }
  }

  /**
   * How much memory it holds, in bytes: as much as was allocated.
   *
   * @internal
   */
  get allocatedBytes(): number {
    return this.#begun.allocatedBytes + (this.#ascii?.bytes ?? 0) + this.#rest.length
  }

  /**
   * Drops what it holds, and takes nothing more.
   *
   * @internal
   */
  fail(kind: FrameProblem, detail: string, cause?: unknown): FrameError {
    this.#failure = new FrameError(kind, detail, {
      from: typeof this.#from === 'object' ? this.#from.peer : this.#from,
      cause,
    })
    this.#begun.drop()
    this.#rest = NOTHING
    this.#ascii = undefined
    return this.#failure
  }

  /** Takes the next frame, which ends at a place in the rest, and may have begun in earlier chunks. */
  #cutFrame(end: number): Buffer {
    const piece = this.#rest.subarray(0, end)
    this.#rest = this.#rest.subarray(end + 1)
    if (this.#begun.bytes === 0) return piece
    this.#hold(piece)
    this.#takeAscii()
    return this.#begun.take()
  }

  /** Keeps the beginning of a frame until more comes. */
  #holdRest(): void {
    const rest = this.#rest
    this.#rest = NOTHING
    if (rest.length > 0) this.#hold(rest)
  }

  /** Takes whole frames out of the rest, if they are ASCII: many at once cost less. */
  #takeAscii(): void {
    const bytes = bytesOfAsciiFrames(this.#rest)
    if (bytes === 0) return
    this.#ascii = new AsciiFrames(this.#rest.subarray(0, bytes))
    this.#rest = bytes === this.#rest.length ? NOTHING : this.#rest.subarray(bytes)
  }

  #handOverAscii(frames: AsciiFrames, take: (message: unknown) => boolean): boolean {
    if (!frames.handOver((json) => take(this.#parseText(json, json.length)))) return false
    this.#ascii = undefined
    return true
  }

  #hold(piece: Buffer): void {
    this.#checkSize(this.#begun.bytes + piece.length)
    // A greeting of TLS may have no separator in it, and its sender waits for an answer.
    if (this.#begun.bytes === 0 && beginsAsTls(piece)) throw this.fail('not JSON', ENCRYPTED)
    this.#begun.add(piece)
  }

  #parse(frame: Buffer): unknown {
    this.#checkSize(frame.length)
    const ascii = isAscii(frame)
    if (!ascii && !isUtf8(frame) && !beginsAsTls(frame))
      throw this.fail('not UTF-8', describe(frame.length, frame.toString('utf8', 0, SHOWN)))
    return this.#parseText(frame.toString(ascii ? 'latin1' : 'utf8'), frame.length)
  }

  #parseText(json: string, bytes: number): unknown {
    this.#checkSize(bytes)
    this.#bytes = bytes
    try {
      return this.#parseJson(json)
    } catch (error) {
      if (bytes === 0) throw this.fail('empty', 'nothing stands before its carriage return')
      const isTls = beginsAsTls(Buffer.from(json.slice(0, 3)))
      throw this.fail('not JSON', isTls ? ENCRYPTED : describe(bytes, json), error)
    }
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#maxFrameBytes)
      throw this.fail('too large', `${bytes} bytes or more, the limit is ${this.#maxFrameBytes}`)
  }
}

/** What is said of who speaks TLS here. */
const ENCRYPTED = 'its sender encrypts (it begins as TLS does), and this port is for who does not'

/**
 * A record of a handshake, and the version 3 of what TLS was once called: no JSON begins so.
 *
 * @internal
 */
export function beginsAsTls(bytes: Buffer): boolean {
  return bytes[0] === 0x16 && bytes[1] === 0x03
}

function describe(bytes: number, frame: string): string {
  return `it has ${bytes} bytes and begins ${JSON.stringify(frame.slice(0, SHOWN))}`
}
