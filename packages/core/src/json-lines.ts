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

/** The largest message taken and sent, in bytes without its separator, unless told otherwise: 1 MiB, as NATS has it (max_payload). */
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

/** A text of more characters is not copied where that can be helped: neither to join it, nor to parse it. */
export const LARGE_TEXT = 256 * 1024

/** Room for a begun frame of more bytes is not thrown away, but kept for the next large frame of any connection. */
const SMALL_ROOM = 64 * 1024

/**
 * The largest room that was used, while nobody uses it: at most as large as the largest frame that came. New
 * memory for every large frame would cost the system, and the garbage collector, a fifth of all the work on it.
 */
let spareRoom: Buffer = NOTHING

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

export interface ParseOptions {
  /** What to parse a frame with, for a layer above that knows a faster way. It throws what is not JSON. Default: JSON.parse. */
  parse?: (json: string) => unknown
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
 * A value as JSON that is ASCII only, as it stands before the carriage return.
 *
 * @throws TypeError when the value has no JSON form: `undefined`, a function, a BigInt, a circle
 */
export function asciiJson(value: unknown): string {
  if (typeof value === 'string' && PLAIN.test(value)) return `"${value}"`
  const json: string | undefined = JSON.stringify(value)
  if (json === undefined)
    throw new TypeError(`A message must have a JSON form, which ${typeof value} has not`)
  return isAsciiOnly(json) ? json : json.replace(NOT_ASCII, escapeUnit)
}

/** A text that JSON takes as it is. To look for it takes half the time of JSON.stringify. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is what this is about
const NOT_ASCII = /[^\x00-\x7e]/g

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** As a search for NOT_ASCII, in a fifth of its time: what is not ASCII takes more bytes than units. */
function isAsciiOnly(json: string): boolean {
  return Buffer.byteLength(json) === json.length && !json.includes('\x7f')
}

/**
 * Takes a stream apart into messages. Give it the chunks as they come, cut anywhere.
 *
 * It holds at most `maxFrameBytes`, and a stream costs time in proportion to its length however it
 * is cut: it doubles the room for what it holds when that is full. All decoders together keep one large room
 * for the next large frame. After an error a decoder takes nothing more.
 */
export class Decoder {
  readonly #maxFrameBytes: number
  readonly #from: string | undefined
  readonly #parseJson: (json: string) => unknown
  /** Room for the beginning of a frame whose separator has not come yet, and how much of it is used. */
  #begun: Buffer = NOTHING
  #begunBytes = 0
  #failure: FrameError | undefined

  /** @param options `from`: who sends the stream, for the texts of errors */
  constructor({
    maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
    from,
    parse = JSON.parse,
  }: FrameOptions & ParseOptions & { from?: string } = {}) {
    this.#maxFrameBytes = maxFrameBytes
    this.#from = from
    this.#parseJson = parse
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
    let rest = chunk
    if (this.#begunBytes > 0) {
      const end = chunk.indexOf(SEPARATOR)
      if (end < 0) {
        this.#hold(chunk)
        return
      }
      this.#hold(chunk.subarray(0, end))
      onMessage(this.#parseBegun())
      rest = chunk.subarray(end + 1)
    }
    // Mostly a chunk ends with a frame: a program pauses there. A look at one byte costs less than a search.
    const whole = rest[rest.length - 1] === SEPARATOR ? rest.length : rest.lastIndexOf(SEPARATOR) + 1
    const frames = whole === rest.length ? rest : rest.subarray(0, whole)
    if (isAscii(frames)) this.#parseFrames(frames, onMessage)
    else this.#parseUtf8Frames(frames, onMessage)
    if (whole < rest.length) this.#hold(rest.subarray(whole))
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

  /**
   * Parses whole frames of ASCII, each with its separator. They are made a text all at once, which is then
   * cut: a call into native code for each frame would cost as much as to parse a small one.
   */
  #parseFrames(frames: Buffer, onMessage: (message: unknown) => void): void {
    const text = frames.toString('latin1')
    for (let start = 0, end = text.indexOf('\r'); end >= 0; end = text.indexOf('\r', start)) {
      this.#checkSize(end - start)
      const json = text.slice(start, end)
      let message: unknown
      try {
        message = this.#parseJson(json)
      } catch (error) {
        throw this.#failToParse(json.length, json, error)
      }
      onMessage(message)
      start = end + 1
    }
  }

  /** The same for frames with characters of several bytes: each for itself, since a limit counts bytes. */
  #parseUtf8Frames(frames: Buffer, onMessage: (message: unknown) => void): void {
    for (let start = 0, end = frames.indexOf(SEPARATOR); end >= 0; end = frames.indexOf(SEPARATOR, start)) {
      this.#checkSize(end - start)
      onMessage(this.#parse(frames.subarray(start, end)))
      start = end + 1
    }
  }

  #hold(piece: Buffer): void {
    this.#checkSize(piece.length)
    const bytes = this.#begunBytes + piece.length
    if (bytes > this.#begun.length) {
      const room = roomFor(bytes, Math.min(this.#maxFrameBytes, Math.max(bytes, 2 * this.#begun.length)))
      this.#begun.copy(room, 0, 0, this.#begunBytes)
      this.#begun = room
    }
    piece.copy(this.#begun, this.#begunBytes)
    this.#begunBytes = bytes
  }

  #parseBegun(): unknown {
    const [room, bytes] = [this.#begun, this.#begunBytes]
    this.#dropBegun()
    const message = this.#parse(room.subarray(0, bytes))
    if (room.length > SMALL_ROOM && room.length > spareRoom.length) spareRoom = room
    return message
  }

  #dropBegun(): void {
    this.#begun = NOTHING
    this.#begunBytes = 0
  }

  #checkSize(more: number): void {
    const bytes = this.#begunBytes + more
    if (bytes > this.#maxFrameBytes) {
      throw this.#fail('too large', `${bytes} bytes or more, the limit is ${this.#maxFrameBytes}`)
    }
  }

  #parse(frame: Buffer): unknown {
    const ascii = isAscii(frame)
    if (!ascii && !isUtf8(frame))
      throw this.#fail('not UTF-8', describe(frame.length, frame.toString('utf8', 0, SHOWN)))
    const json = frame.toString(ascii ? 'latin1' : 'utf8')
    try {
      return this.#parseJson(json)
    } catch (error) {
      throw this.#failToParse(frame.length, json, error)
    }
  }

  #failToParse(bytes: number, frame: string, error: unknown): FrameError {
    if (bytes === 0) return this.#fail('empty', 'nothing stands before its carriage return')
    return this.#fail('not JSON', describe(bytes, frame), error)
  }

  #fail(kind: FrameProblem, detail: string, cause?: unknown): FrameError {
    this.#failure = new FrameError(kind, detail, { from: this.#from, cause })
    this.#dropBegun()
    return this.#failure
  }
}

/** Room for so many bytes: the spare one for a large frame, if that is large enough, or else a new one of this size. */
function roomFor(bytes: number, size: number): Buffer {
  if (bytes <= SMALL_ROOM || bytes > spareRoom.length) return Buffer.allocUnsafeSlow(size)
  const room = spareRoom
  spareRoom = NOTHING
  return room
}

function describe(bytes: number, frame: string): string {
  return `it has ${bytes} bytes and begins ${JSON.stringify(frame.slice(0, SHOWN))}`
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

/**
 * Does the same with one message in pieces, which are not joined: that would copy them, and a large text
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

/** Whether a value is a large text that JSON has as it stands, between quotes. */
export function isLargePlainText(value: unknown): value is string {
  return typeof value === 'string' && value.length > LARGE_TEXT && PLAIN.test(value)
}

function checkSizeToSend(bytes: number, maxFrameBytes: number): void {
  if (bytes > maxFrameBytes)
    throw new FrameError('too large', `${bytes} bytes to send, the limit is ${maxFrameBytes}`)
}

function outboxOf(connection: Connection): Outbox {
  let outbox = outboxes.get(connection)
  if (!outbox) {
    outbox = new Outbox(connection)
    outboxes.set(connection, outbox)
  }
  return outbox
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
      this.flush()
      if (frame.length > JOINED_SIZE) return this.#keep(this.#connection.write(frame, 'latin1'))
    }
    if (this.#frames === '') process.nextTick(flushAtEndOfTurn, this)
    this.#frames += frame
    return this.#wait
  }

  addPieces(pieces: readonly string[]): Promise<void> | undefined {
    this.#connection.throwIfLost()
    this.flush()
    return this.#keep(this.#connection.writePieces(pieces, 'latin1'))
  }

  flush(): void {
    if (this.#frames === '') return
    const frames = this.#frames
    this.#frames = ''
    this.#keep(this.#connection.write(frames, 'latin1'))
  }

  /** Keeps what there is to wait for, for those who send before it has come. */
  #keep(wait: Promise<void> | undefined): Promise<void> | undefined {
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

function flushAtEndOfTurn(outbox: Outbox): void {
  try {
    outbox.flush()
  } catch {
    // Nobody is there to catch it: the next `send` throws it.
  }
}

/** Which messages {@link receive} and {@link forEachMessage} take, and how large they may be. */
export interface ReceiveOptions<Schema extends v.GenericSchema> extends FrameOptions, ParseOptions {
  /** What every message must be. One that is not breaks the protocol. */
  schema: Schema
  /**
   * A test that costs less than the schema, where many messages come. A message that passes it is taken
   * as it is, with every key that it has; only one that does not is shown to the schema. Default: none passes.
   */
  accepts?: (message: unknown) => message is v.InferOutput<Schema>
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
  options: ReceiveOptions<Schema>,
): AsyncGenerator<v.InferOutput<Schema>, void, void> {
  const decoder = new Decoder({ ...options, from: connection.peer })
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
      yield checked(message, options, connection.peer)
    }
    if (failure) throw failure
  }
  // When this end has closed the connection, it does not matter in the middle of what.
  if (!connection.closedHere) decoder.end()
}

/**
 * Does the same with a function, at twice the speed: calls it with each message that arrives, one after
 * the other, until the peer closes the connection. While a promise that it returned is pending, no more
 * is read, and a peer that sends faster is made to wait.
 *
 * @param handle what to do with one message
 * @throws what {@link receive} throws, and whatever `handle` throws
 */
export async function forEachMessage<Schema extends v.GenericSchema>(
  connection: Connection,
  options: ReceiveOptions<Schema>,
  handle: (message: v.InferOutput<Schema>) => void | Promise<void>,
): Promise<void> {
  const reader = new MessageReader(connection, options, handle)
  await connection.forEachChunk((chunk) => reader.take(chunk))
  if (!connection.closedHere) reader.end()
}

/** The work of {@link forEachMessage}. */
class MessageReader<Schema extends v.GenericSchema> {
  readonly #options: ReceiveOptions<Schema>
  readonly #connection: Connection
  readonly #handle: (message: v.InferOutput<Schema>) => void | Promise<void>
  readonly #decoder: Decoder
  #working: Promise<void> | undefined
  /** What came in one chunk with a message that is being worked on, and behind it. */
  #behind: unknown[] | undefined
  #handled = 0
  #failure: unknown

  constructor(
    connection: Connection,
    options: ReceiveOptions<Schema>,
    handle: (message: v.InferOutput<Schema>) => void | Promise<void>,
  ) {
    this.#connection = connection
    this.#options = options
    this.#handle = handle
    this.#decoder = new Decoder({ ...options, from: connection.peer })
  }

  take(chunk: Buffer): void | Promise<void> {
    try {
      this.#decoder.push(chunk, (message) => this.#handleOrKeep(message))
    } catch (error) {
      if (!this.#working) throw error
      this.#failure = error
    }
    if (this.#working) return this.#workOff(this.#working)
  }

  end(): void {
    this.#decoder.end()
  }

  #handleOrKeep(message: unknown): void {
    if (this.#working) {
      this.#behind ??= []
      this.#behind.push(message)
      return
    }
    const work = this.#handleOne(message)
    this.#working = work instanceof Promise ? work : this.#giveWay()
  }

  #handleOne(message: unknown): void | Promise<void> {
    return this.#handle(checked(message, this.#options, this.#connection.peer))
  }

  /** Every so often, a promise to wait for when the other connections are to have their turn. */
  #giveWay(): Promise<void> | undefined {
    this.#handled += 1
    return this.#handled % LOOK_AT_CLOCK === 0 ? this.#connection.giveWay() : undefined
  }

  async #workOff(working: Promise<void>): Promise<void> {
    await working
    for (const message of this.#behind ?? []) {
      await this.#handleOne(message)
      await this.#giveWay()
    }
    this.#behind = undefined
    this.#working = undefined
    if (this.#failure) throw this.#failure
  }
}

/** The message, if it is right. */
function checked<Schema extends v.GenericSchema>(
  message: unknown,
  { schema, accepts }: ReceiveOptions<Schema>,
  from: string,
): v.InferOutput<Schema> {
  return accepts?.(message) ? message : check(schema, message, from)
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
  throw new FrameError('of the wrong shape', `${what} is ${found}, where ${issue.expected} is expected`, {
    from,
  })
}
