/**
 * Messages on a stream of bytes: each is JSON, followed by a carriage return. JSON writes a carriage
 * return inside a text as `\r`, so the byte itself can only mean that a message has ended.
 *
 * The format is that of the Python original. What is sent is ASCII only, because the original
 * decodes each piece it reads by itself, and dies of a character that two pieces share.
 *
 * @since 0.5.0
 */
import { isAscii, isUtf8 } from 'node:buffer'
import * as v from 'valibot'
import { OperationalError } from './lifecycle.ts'
import type { Connection } from './sockets.ts'

/** Ends each message: carriage return. */
const SEPARATOR = 0x0d

/** The largest message taken and sent, in bytes without its separator, unless told otherwise: 1 MiB. */
export const DEFAULT_MAX_FRAME_BYTES = 1024 * 1024

/**
 * Writes of one turn of the event loop are joined up to this size, in characters. Joining 62-byte
 * messages to 16 KiB was measured 1.5 times as fast as corking the socket; a larger message is
 * written as it is, since to copy it would cost more than it saves.
 */
const JOINED_SIZE = 16 * 1024

/** How much of what is wrong an error shows, in characters. */
const SHOWN = 40

/** How many messages of one piece are handed over between two looks at the clock, which cost a little. */
const LOOK_AT_CLOCK = 16

const NOTHING = Buffer.alloc(0)

/** What can be wrong with a frame. */
export type FrameProblem =
  | 'too large'
  | 'not UTF-8'
  | 'not JSON'
  | 'empty'
  | 'unfinished'
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
  const json = JSON.stringify(value)
  if (json === undefined)
    throw new TypeError(`A message must have a JSON form, which ${typeof value} has not`)
  return `${asciiOnly(json)}\r`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is what this is about
const NOT_ASCII = /[^\x00-\x7e]/g

function asciiOnly(json: string): string {
  // search() is far cheaper than replace() where there is nothing to replace, which is the rule.
  if (json.search(NOT_ASCII) < 0) return json
  return json.replace(NOT_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * Takes a stream apart into messages. Give it the chunks as they come, cut anywhere.
 *
 * It holds at most `maxFrameBytes`, and a stream costs time in proportion to its length however it
 * is cut: what is held grows in place, by doubling its room. After an error it takes nothing more.
 */
export class Decoder {
  readonly #maxFrameBytes: number
  readonly #from: string | undefined
  /** Room for the beginning of a frame whose separator has not come yet, and how much of it is used. */
  #begun = NOTHING
  #begunBytes = 0
  #failure: FrameError | undefined

  /** @param options `from`: who sends the stream, for the texts of errors */
  constructor({ maxFrameBytes = DEFAULT_MAX_FRAME_BYTES, from }: FrameOptions & { from?: string } = {}) {
    this.#maxFrameBytes = maxFrameBytes
    this.#from = from
  }

  /** How many bytes of an unfinished frame are held. */
  get heldBytes(): number {
    return this.#begunBytes
  }

  /**
   * Takes the next chunk, and hands over each message that it completes, in order.
   *
   * @throws FrameError at the first frame that is too large, not UTF-8, not JSON or empty: after
   *   the messages before it were handed over. Every later call throws the same error.
   */
  push(chunk: Buffer, onMessage: (message: unknown) => void): void {
    if (this.#failure) throw this.#failure
    let start = 0
    for (let end = chunk.indexOf(SEPARATOR); end >= 0; end = chunk.indexOf(SEPARATOR, start)) {
      onMessage(this.#parse(this.#complete(chunk.subarray(start, end))))
      start = end + 1
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  /**
   * Says that the stream has ended.
   *
   * @throws FrameError when it ended in the middle of a frame
   */
  end(): void {
    if (this.#failure) throw this.#failure
    if (this.#begunBytes > 0) {
      throw this.#fail(
        'unfinished',
        `the stream ended after ${this.#begunBytes} bytes of it, which were dropped`,
      )
    }
  }

  /** A whole frame: what was held of it, and its last piece. */
  #complete(piece: Buffer): Buffer {
    if (this.#begunBytes === 0) {
      this.#checkSize(piece.length)
      return piece
    }
    this.#hold(piece)
    const frame = this.#begun.subarray(0, this.#begunBytes)
    this.#letGo()
    return frame
  }

  #hold(piece: Buffer): void {
    this.#checkSize(piece.length)
    const bytes = this.#begunBytes + piece.length
    if (bytes > this.#begun.length) {
      const room = Buffer.allocUnsafeSlow(
        Math.min(this.#maxFrameBytes, Math.max(bytes, 2 * this.#begun.length)),
      )
      this.#begun.copy(room, 0, 0, this.#begunBytes)
      this.#begun = room
    }
    piece.copy(this.#begun, this.#begunBytes)
    this.#begunBytes = bytes
  }

  #letGo(): void {
    this.#begun = NOTHING
    this.#begunBytes = 0
  }

  #checkSize(more: number): void {
    const bytes = this.#begunBytes + more
    if (bytes > this.#maxFrameBytes) {
      throw this.#fail('too large', `${bytes} bytes or more, where ${this.#maxFrameBytes} are the limit`)
    }
  }

  #parse(frame: Buffer): unknown {
    if (frame.length === 0) throw this.#fail('empty', 'nothing stands before its carriage return')
    if (!isUtf8(frame))
      throw this.#fail('not UTF-8', `it has ${frame.length} bytes and begins ${beginningOf(frame)}`)
    try {
      return JSON.parse(frame.toString(isAscii(frame) ? 'latin1' : 'utf8'))
    } catch (error) {
      throw this.#fail('not JSON', `it has ${frame.length} bytes and begins ${beginningOf(frame)}`, error)
    }
  }

  #fail(kind: FrameProblem, detail: string, cause?: unknown): FrameError {
    this.#failure = new FrameError(kind, detail, { from: this.#from, cause })
    this.#letGo()
    return this.#failure
  }
}

function beginningOf(frame: Buffer): string {
  return JSON.stringify(frame.toString('utf8', 0, SHOWN))
}

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
  { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES }: FrameOptions = {},
): Promise<void> | undefined {
  const frame = encode(message)
  if (frame.length - 1 > maxFrameBytes) {
    throw new FrameError(
      'too large',
      `${frame.length - 1} bytes to send, where ${maxFrameBytes} are the limit`,
    )
  }
  let outbox = outboxes.get(connection)
  if (!outbox) {
    outbox = new Outbox(connection)
    outboxes.set(connection, outbox)
  }
  return outbox.add(frame)
}

const outboxes = new WeakMap<Connection, Outbox>()

/** Joins the frames that are sent in one turn of the event loop. */
class Outbox {
  readonly #connection: Connection
  #frames = ''
  #wait: Promise<void> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  add(frame: string): Promise<void> | undefined {
    this.#connection.throwIfLost()
    if (this.#frames.length + frame.length > JOINED_SIZE) {
      this.#flush()
      if (frame.length > JOINED_SIZE) return this.#write(frame)
    }
    if (this.#frames === '') process.nextTick(() => this.#flushLater())
    this.#frames += frame
    return this.#wait
  }

  #flush(): void {
    if (this.#frames === '') return
    const frames = this.#frames
    this.#frames = ''
    this.#write(frames)
  }

  /** At the end of the turn nobody is there to catch an error: the next `send` throws it. */
  #flushLater(): void {
    try {
      this.#flush()
    } catch {
      this.#frames = ''
    }
  }

  #write(frames: string): Promise<void> | undefined {
    const wait = this.#connection.write(frames, 'latin1')
    if (wait && wait !== this.#wait) {
      this.#wait = wait
      const done = () => {
        this.#wait = undefined
      }
      wait.then(done, done)
    }
    return wait
  }
}

/** Which messages {@link receive} takes, and how large they may be. */
export interface ReceiveOptions<Schema extends v.GenericSchema> extends FrameOptions {
  /** What every message must be. One that is not breaks the protocol. */
  schema: Schema
}

/**
 * Reads the messages that arrive, one at a time. While a message is being worked on, no more is
 * read, and a peer that sends faster is made to wait.
 *
 * @throws FrameError at a frame that breaks the protocol, or is not what the schema asks for. Its
 *   text names the peer, and the connection is of no more use.
 * @throws OperationalError when the connection is lost
 */
export async function* receive<Schema extends v.GenericSchema>(
  connection: Connection,
  { schema, ...frameOptions }: ReceiveOptions<Schema>,
): AsyncGenerator<v.InferOutput<Schema>, void, void> {
  const decoder = new Decoder({ ...frameOptions, from: connection.peer })
  const messages: unknown[] = []
  for await (const chunk of connection.chunks()) {
    let failure: unknown
    try {
      decoder.push(chunk, (message) => messages.push(message))
    } catch (error) {
      failure = error
    }
    for (const [index, message] of messages.splice(0).entries()) {
      if (index % LOOK_AT_CLOCK === LOOK_AT_CLOCK - 1) await connection.giveWay()
      yield check(schema, message, connection.peer)
    }
    if (failure) throw failure
  }
  // When this end has closed the connection, it does not matter in the middle of what.
  if (!connection.closedHere) decoder.end()
}

function check<Schema extends v.GenericSchema>(
  schema: Schema,
  message: unknown,
  from: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, message)
  if (result.success) return result.output
  const [issue] = result.issues
  const key = v.getDotPath(issue)
  if (key !== null && issue.received === 'undefined')
    throw new FrameError('of the wrong shape', `it has no "${key}"`, { from })
  const found = issue.received.length > SHOWN ? `${issue.received.slice(0, SHOWN)}...` : issue.received
  const what = key === null ? 'it' : `its "${key}"`
  throw new FrameError('of the wrong shape', `${what} is ${found}, where ${issue.expected} is right`, {
    from,
  })
}
