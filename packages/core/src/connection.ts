/**
 * A connection: two programs, and between them bytes in both directions. Each end can be read, written and
 * closed, a peer that does not read is made to wait, and who uses a connection that is lost is told how that came.
 *
 * @since 0.3.0
 */
import type { Socket } from 'node:net'
import { addressOf } from './addresses.ts'
import { forEachChunk } from './chunk-reader.ts'
import { chunksOf } from './chunks.ts'
import { OperationalError } from './lifecycle.ts'
import { whyLost } from './socket-errors.ts'
import { Turn } from './turns.ts'

/**
 * How many bytes may wait in this process for a peer that does not read, unless told otherwise: 1 MiB,
 * as much as one largest frame of json-lines. (Some more wait in the two systems' own buffers.)
 */
const DEFAULT_MAX_WAITING_BYTES = 1024 * 1024

/** How long a closing connection waits for the peer to close its side, in ms. */
const CLOSE_TIMEOUT_MS = 500

/**
 * What stands between a connection and its socket, and changes what goes through: it signs what is sent, and checks what comes.
 * It may keep the end of a piece until the rest of it comes.
 */
export interface Layer {
  /** Makes of what is sent what goes over the wire. */
  outgoing(data: string | Uint8Array, encoding: BufferEncoding): string | Uint8Array
  /**
   * Makes of a chunk that has come what is to be read: all of it that is as it should be. When something is not, there is a
   * {@link failure} from then on.
   */
  incoming(chunk: Buffer): Buffer
  /** What is wrong with what has come. The connection is of no more use then. */
  readonly failure: OperationalError | undefined
  /** How much memory it keeps what has not come whole in, in bytes. */
  readonly heldBytes: number
  /** What goes over the wire as the last thing, when this end closes the connection. */
  farewell(): string | Uint8Array
  /** @throws OperationalError when the peer has closed the connection, and what has come is not all that it has said */
  end(): void
}

/** A socket that may be used, after a handshake, if there was one. */
export interface Secured {
  /** The socket to use: the one that there was, or one that stands on it, as that of TLS. */
  socket: Socket
  layer?: Layer
  /** Who the other end is, if it has proven that. */
  node?: string
  /** Where the other end is, when the socket below knows that better: `192.168.1.20:51234`. */
  address?: string
}

/**
 * One end of an open connection.
 *
 * Read it as text (`for await (const text of connection)`), in whatever pieces the network
 * delivers: TCP carries bytes, and knows nothing of where one message ends.
 */
export class Connection {
  /** The other end's address: `192.168.1.20:51234`. */
  readonly address: string
  /** How texts call the other end: `the master at 127.0.0.1:31415`. Who learns its name, changes it. */
  peer: string
  /** The socket itself, for layers that read or write it in their own way. */
  readonly socket: Socket
  /** The name that the other end has proven to have, by a key. Undefined where nobody asks for one. */
  readonly node: string | undefined

  readonly #layer: Layer | undefined
  readonly #maxWaitingBytes: number
  #closing = false
  #hasSaidLast = false
  #closedBecause: Error | undefined
  #failure: Error | undefined
  #drained: Promise<void> | undefined
  readonly #turn = new Turn()

  /**
   * @param secured a connected socket, and what a handshake has brought; from now on the connection handles its errors
   * @param peer how texts call the other end: `the master at 127.0.0.1:31415`
   * @param maxWaitingBytes how many bytes may wait to be sent before a peer that does not read is cut off
   * @param sought where the other end was looked for: the system forgets its address as soon as it resets the connection
   */
  constructor(
    secured: Socket | Secured,
    peer: string,
    maxWaitingBytes = DEFAULT_MAX_WAITING_BYTES,
    sought?: string,
  ) {
    const { socket, layer, node, address }: Secured = 'socket' in secured ? secured : { socket: secured }
    const { remoteAddress, remotePort } = socket
    this.socket = socket
    this.node = node
    this.#layer = layer
    this.address =
      address ?? ((remoteAddress === undefined && sought) || addressOf(remoteAddress, remotePort))
    this.peer = peer
    this.#maxWaitingBytes = maxWaitingBytes
    socket.setMaxListeners(0) // each part of a program that has something to do with this peer listens for its end
    socket.on('error', (error) => {
      this.#failure ??= error
    })
  }

  /**
   * Sends text (as UTF-8) or bytes.
   *
   * @returns nothing when more may be sent at once, or else a promise to wait for: the peer reads
   *   more slowly than this end writes. To await it in either case is right. The promise is rejected
   *   when the connection is lost meanwhile.
   * @throws OperationalError when the connection is lost, or when so much waits for the peer that
   *   with this it would be more than `maxWaitingBytes`: then it is cut off. (What is larger by
   *   itself is sent when nothing else waits.)
   * @throws the stop signal's reason, an AbortError, when the connection was closed by it
   */
  write(data: string | Uint8Array, encoding: BufferEncoding = 'utf8'): Promise<void> | undefined {
    this.#checkRoomFor(data.length)
    const sent = this.#layer ? this.#layer.outgoing(data, encoding) : data
    return this.socket.write(sent, encoding) ? undefined : this.#whenDrained()
  }

  /** Sends texts one after the other, as {@link write} does with one: all of them go out at once, or none. */
  writePieces(pieces: readonly string[], encoding: BufferEncoding = 'utf8'): Promise<void> | undefined {
    if (this.#layer) return this.write(pieces.join(''), encoding)
    const { socket } = this
    this.#checkRoomFor(pieces.reduce((length, piece) => length + piece.length, 0))
    let mayGoOn = true
    socket.cork()
    for (const piece of pieces) mayGoOn = socket.write(piece, encoding)
    socket.uncork()
    return mayGoOn ? undefined : this.#whenDrained()
  }

  #checkRoomFor(bytes: number): void {
    this.throwIfLost()
    const waiting = this.socket.writableLength
    if (waiting === 0 || waiting + bytes <= this.#maxWaitingBytes) return
    this.fail(
      new OperationalError(`Cut off ${this.peer}: it does not read, and ${waiting} bytes wait for it.`),
    )
    throw this.#lost()
  }

  #whenDrained(): Promise<void> {
    if (!this.#drained) {
      this.#drained = this.#waitForDrain()
      this.#drained.catch(() => {}) // who does not wait for it is told by the next write
    }
    return this.#drained
  }

  /** Reads what arrives as text, a piece at a time. A character that is cut in two pieces comes whole, with the second. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    const decoder = new TextDecoder()
    for await (const chunk of this.chunks()) {
      const text = decoder.decode(chunk, { stream: true })
      if (text) yield text
    }
  }

  /**
   * Reads what arrives as bytes, in the pieces in which it arrives, until either end closes the
   * connection. While nobody reads, the peer is made to wait. Where there is a layer, a piece may be empty.
   *
   * @throws OperationalError when the connection is lost before the peer closed it
   */
  chunks(): AsyncGenerator<Buffer, void, void> {
    return this.#layer ? this.#checkedChunks(this.#layer) : chunksOf(this)
  }

  async *#checkedChunks(layer: Layer): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of chunksOf(this)) {
      // Nothing, too: who counts what is held counts what the layer holds.
      yield layer.incoming(chunk)
      if (layer.failure) throw layer.failure
    }
    if (!this.#closing) layer.end()
  }

  /**
   * Lets the other connections have their turn, when this one has had the processor for 10 ms. Who
   * works on many small things that came in one piece calls it between them: Node would go on
   * reading from one busy connection, up to 2 MiB, before it looks at the next.
   *
   * @returns nothing when the turn may go on, or else a promise to wait for
   */
  giveWay(): Promise<void> | undefined {
    return this.#turn.giveWay()
  }

  /**
   * Does the same when a chunk is done with. For layers that read the socket in their own way.
   *
   * @returns nothing when the next chunk may be read at once, or else a promise to wait for
   */
  giveWayAfter(chunk: Buffer): Promise<void> | undefined {
    return this.#turn.giveWayAfter(chunk)
  }

  /**
   * Reads as {@link chunks} does, with a function, which is faster: calls it with each chunk as soon as it
   * arrives, until either end closes the connection. While a promise that it returned is pending, nothing
   * more is read, and the peer is made to wait. Where there is a layer, a chunk may be empty.
   *
   * @throws OperationalError when the connection is lost before the peer closed it
   * @throws whatever `take` throws
   */
  forEachChunk(take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    return this.#layer ? this.#forEachCheckedChunk(this.#layer, take) : forEachChunk(this, take)
  }

  async #forEachCheckedChunk(layer: Layer, take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    await forEachChunk(this, (chunk) => {
      const work = take(layer.incoming(chunk))
      const { failure } = layer
      if (failure === undefined) return work
      if (!work) throw failure
      return work.then(() => Promise.reject(failure))
    })
    if (!this.#closing) layer.end()
  }

  /**
   * Sends what waits to be sent, closes the connection, and resolves when it is closed: after half a
   * second at most. Never rejects.
   *
   * @param because what a later `write` throws. Default: an OperationalError that says that this end closed it.
   */
  async close(because?: Error): Promise<void> {
    if (this.socket.destroyed) return
    this.#closing = true
    this.#closedBecause ??= because
    const closed = new Promise((resolve) => this.socket.once('close', resolve))
    const timeout = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS)
    process.nextTick(() => {
      this.#sayLast()
      // What still arrives is not wanted, and would keep the socket from closing.
      this.socket.on('readable', () => this.socket.read()).read()
    })
    await closed
    clearTimeout(timeout)
  }

  /**
   * How much memory what has come of an unfinished piece takes in the layer, in bytes.
   *
   * @internal
   */
  get heldByLayer(): number {
    return this.#layer?.heldBytes ?? 0
  }

  /**
   * Says that this end will say no more, and sends what waits. What the peer still says is read, until it closes its end.
   */
  endWriting(): void {
    if (!this.socket.writable) return
    this.#hasSaidLast = true
    process.nextTick(() => this.#sayLast())
  }

  /** At the end of a turn: a layer above may have joined what it sends in this turn, to write it then. */
  #sayLast(): void {
    if (this.#layer && this.socket.writable) this.socket.end(this.#layer.farewell())
    else this.socket.end()
  }

  /** Whether this end has closed the connection. */
  get closedHere(): boolean {
    return this.#closing
  }

  /** Ends the connection at once, because of an error. Whoever reads or writes it gets that error. */
  fail(error: Error): void {
    this.#failure ??= error
    this.socket.destroy()
  }

  /**
   * Does nothing while the connection can be written.
   *
   * @throws OperationalError when it is lost, and says how that came
   * @throws the stop signal's reason, an AbortError, when it was closed by it
   */
  throwIfLost(): void {
    if (!this.socket.writable) throw this.#lost()
  }

  #lost(): Error {
    if (this.#failure instanceof OperationalError) return this.#failure
    if (this.#closing) {
      return this.#closedBecause ?? new OperationalError(`This end closed the connection to ${this.peer}.`)
    }
    if (this.#hasSaidLast && !this.#failure)
      return new OperationalError(`This end has said its last to ${this.peer}.`)
    const how = this.#failure ? whyLost(this.#failure) : 'the other end closed it'
    return new OperationalError(`Lost the connection to ${this.peer}: ${how}.`, { cause: this.#failure })
  }

  async #waitForDrain(): Promise<void> {
    const { socket } = this
    await new Promise<void>((resolve) => {
      const done = () => {
        socket.off('drain', done).off('close', done)
        resolve()
      }
      socket.on('drain', done).on('close', done)
    })
    this.#drained = undefined
    if (socket.destroyed) throw this.#lost()
  }
}
