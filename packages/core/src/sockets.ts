/**
 * TCP between programs, on node:net: one program listens, others connect, and each end of a
 * connection is the same small thing that can be read, written and closed. Errors say what a reader
 * can do about them, and one peer that fails hurts no other.
 *
 * @since 0.3.0
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How long to wait for an answer when connecting, in ms. A machine that is off answers nothing at all. */
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/**
 * How many connections a listener holds at once, unless told otherwise. Each takes a descriptor. Node
 * takes as many as the system lets it have: 524,288 for a program of a systemd system, as a Pi's is
 * (DefaultLimitNOFILE, the second number).
 */
const DEFAULT_MAX_CONNECTIONS = 16_384

/**
 * How many peers may wait to be accepted, when many connect at once; a further one's system tries again a
 * second later. Node asks for 511. Linux gives at most net.core.somaxconn: 4,096 since version 5.4.
 */
const BACKLOG = 4096

/**
 * How many bytes may wait in this process for a peer that does not read, unless told otherwise: 1 MiB,
 * as much as one largest frame of json-lines. (Some more wait in the two systems' own buffers.)
 */
const DEFAULT_MAX_WAITING_BYTES = 1024 * 1024

/**
 * How long the reading of one connection may keep the others waiting, in ms. Less than the costliest
 * frame of 1 MiB takes to parse, which cannot be interrupted: measured, 130 ms. Each turn given
 * costs microseconds.
 */
const LONGEST_TURN_MS = 10

/**
 * A chunk of fewer bytes ends a connection's turn by itself, with no look at the clock: it was all that had
 * arrived, and Node goes on to the other connections. (It reads on from one only while each read fills its
 * 64 KiB, up to 32 times.)
 */
const LARGE_CHUNK = 16 * 1024

/** How long a closing connection waits for the peer to close its side, in ms. */
const CLOSE_TIMEOUT_MS = 500

export interface ConnectOptions {
  /** What the other end is, in the words of the program, for the texts of errors: `master`. */
  peer: string
  /** A name or an address: `localhost`, `192.168.1.20`. */
  host: string
  /** 1 to 65535. */
  port: number
  /** Closes the connection when aborted. */
  stop: AbortSignal
  /** How long to wait for the connection, in milliseconds. Default: 10,000. */
  timeoutMs?: number
  /** How many bytes may wait to be sent; a peer that does not read and would need more is cut off. Default: 1 MiB. */
  maxWaitingBytes?: number
}

export interface ListenOptions {
  /** What connects here, in the words of the program, for the texts of warnings: `slave`. */
  peer: string
  /** The address to listen on: `127.0.0.1` for this machine only, `0.0.0.0` for every IPv4 interface. */
  host: string
  /** 1 to 65535, or 0 for one that is free. */
  port: number
  /** Closes every connection and stops listening when aborted. */
  stop: AbortSignal
  /** Where a peer that fails is reported. */
  log: Logger
  /** How many peers may be connected at once; a further one is closed at once. Default: 16,384. */
  maxConnections?: number
  /** How many bytes may wait to be sent; a peer that does not read and would need more is cut off. Default: 1 MiB. */
  maxWaitingBytes?: number
}

/** A listening socket. */
export interface Listener {
  /** Where it listens: `127.0.0.1:31415`. */
  readonly address: string
  /** The peers connected now. */
  readonly connections: ReadonlySet<Connection>
}

/**
 * Connects to a listening program.
 *
 * @returns the connection, once it is open
 * @throws OperationalError when nobody listens there, the host is unknown or cannot be reached, or
 *   nothing answers in time
 * @throws the signal's reason, an AbortError, when `stop` is aborted first
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { peer, host, port, stop, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options
  stop.throwIfAborted()

  const socket = openSocket({ host, port, noDelay: true })
  const timeout = setTimeout(
    () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
    timeoutMs,
  )
  try {
    await once(socket, 'connect', { signal: stop })
  } catch (error) {
    socket.on('error', () => {}).destroy()
    stop.throwIfAborted()
    throw new OperationalError(whyNotConnected(error, addressOf(host, port), peer), { cause: error })
  } finally {
    clearTimeout(timeout)
  }
  const connection = new Connection(
    socket,
    `the ${peer} at ${addressOf(host, port)}`,
    options.maxWaitingBytes,
  )
  whenAborted(stop, () => void connection.close(stop.reason))
  return connection
}

/**
 * Listens, and serves every peer that connects, all at the same time. A peer's connection is closed
 * when `serve` has finished with it. When a peer fails (it resets, it breaks the protocol), or
 * `serve` does, that is a line in the log and the end of that connection only.
 *
 * @param serve what to do with one peer
 * @returns once it listens
 * @throws OperationalError when it cannot listen there: the port is taken, or needs more rights, or
 *   the address is not one of this machine's
 */
export async function listen(
  options: ListenOptions,
  serve: (connection: Connection) => Promise<void>,
): Promise<Listener> {
  const { peer, host, port, stop, log, maxConnections = DEFAULT_MAX_CONNECTIONS } = options
  stop.throwIfAborted()

  const connections = new Set<Connection>()
  const server = createServer({ noDelay: true }, (socket) => {
    const address = addressOf(socket.remoteAddress, socket.remotePort)
    const connection = new Connection(socket, `the ${peer} at ${address}`, options.maxWaitingBytes)
    connections.add(connection)
    void serveOne(connection).finally(() => connections.delete(connection))
  })

  async function serveOne(connection: Connection): Promise<void> {
    try {
      await serve(connection)
    } catch (error) {
      if (!stop.aborted) reportFailure(log, connection, error)
    }
    await connection.close()
  }

  server.maxConnections = maxConnections
  server.on('drop', (dropped) => {
    log.warn(
      `Turned away ${addressOf(dropped?.remoteAddress, dropped?.remotePort)}: the limit of open connections is ${maxConnections}`,
    )
  })

  try {
    server.listen({ host, port, backlog: BACKLOG })
    await once(server, 'listening')
  } catch (error) {
    throw new OperationalError(whyNotListening(error, host, port), { cause: error })
  }
  // Past this point an error of the listening socket (no descriptor left, say) concerns one newcomer.
  server.on('error', (error) => log.warn(`Could not accept a connection: ${error.message}`))
  whenAborted(stop, () => {
    server.close()
    for (const connection of connections) void connection.close(stop.reason)
  })

  return { address: listeningAddress(server), connections }
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
  /** How texts call the other end: `the master at 127.0.0.1:31415`. */
  readonly peer: string
  /** The socket itself, for layers that read or write it in their own way. */
  readonly socket: Socket

  readonly #maxWaitingBytes: number
  #closing = false
  #closedBecause: Error | undefined
  #failure: Error | undefined
  #drained: Promise<void> | undefined
  /** When somebody first looked at the clock in this connection's turn, in ms of performance.now(). */
  #turnBegan: number | undefined

  /**
   * @param socket a connected socket; from now on the connection handles its errors
   * @param peer how texts call the other end: `the master at 127.0.0.1:31415`
   * @param maxWaitingBytes how many bytes may wait to be sent before a peer that does not read is cut off
   */
  constructor(socket: Socket, peer: string, maxWaitingBytes = DEFAULT_MAX_WAITING_BYTES) {
    this.socket = socket
    this.address = addressOf(socket.remoteAddress, socket.remotePort)
    this.peer = peer
    this.#maxWaitingBytes = maxWaitingBytes
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
    return this.socket.write(data, encoding) ? undefined : this.#whenDrained()
  }

  /** Sends texts one after the other, as {@link write} does with one: all of them go out at once, or none. */
  writePieces(pieces: readonly string[], encoding: BufferEncoding = 'utf8'): Promise<void> | undefined {
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
   * connection. While nobody reads, the peer is made to wait.
   *
   * @throws OperationalError when the connection is lost before the peer closed it
   */
  async *chunks(): AsyncGenerator<Buffer, void, void> {
    const { socket } = this
    let wake = () => {}
    const look = () => wake()
    socket.on('readable', look).on('end', look).on('close', look)
    try {
      for (;;) {
        const chunk: Buffer | null = socket.read()
        if (chunk) {
          yield chunk
          await this.giveWayAfter(chunk)
        } else if (socket.readableEnded || this.#closing) return
        else if (socket.destroyed) throw this.#lost()
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      socket.off('readable', look).off('end', look).off('close', look)
    }
  }

  /**
   * Lets the other connections have their turn, when this one has had the processor for 10 ms. Who
   * works on many small things that came in one piece calls it between them: Node would go on
   * reading from one busy connection, up to 2 MiB, before it looks at the next.
   *
   * @returns nothing when the turn may go on, or else a promise to wait for
   */
  giveWay(): Promise<void> | undefined {
    const now = performance.now()
    this.#turnBegan ??= now
    if (now - this.#turnBegan < LONGEST_TURN_MS) return undefined
    return nextTurn().then(() => {
      this.#turnBegan = undefined
    })
  }

  /**
   * Does the same when a chunk is done with. For layers that read the socket in their own way.
   *
   * @returns nothing when the next chunk may be read at once, or else a promise to wait for
   */
  giveWayAfter(chunk: Buffer): Promise<void> | undefined {
    if (chunk.length >= LARGE_CHUNK) return this.giveWay()
    this.#turnBegan = undefined
    return undefined
  }

  /**
   * Reads as {@link chunks} does, with a function, which is faster: calls it with each chunk as soon as it
   * arrives, until either end closes the connection. While a promise that it returned is pending, nothing
   * more is read, and the peer is made to wait.
   *
   * @throws OperationalError when the connection is lost before the peer closed it
   * @throws whatever `take` throws
   */
  async forEachChunk(take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    const { socket } = this
    await new Promise<void>((resolve, reject) => new ChunkReader(this, take, resolve, reject).begin())
    if (!socket.readableEnded && !this.#closing) throw this.#lost()
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
    // Not at once: a layer above may have joined what it sends in this turn, to write it at its end.
    process.nextTick(() => {
      this.socket.end()
      // What still arrives is not wanted, and would keep the socket from closing.
      this.socket.on('readable', () => this.socket.read()).read()
    })
    await closed
    clearTimeout(timeout)
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
    const how = this.#failure
      ? (REASONS_OF_LOSS[codeOf(this.#failure)] ?? this.#failure.message)
      : 'the other end closed it'
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

/** The work of {@link Connection.forEachChunk}. */
class ChunkReader {
  readonly #connection: Connection
  readonly #take: (chunk: Buffer) => void | Promise<void>
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  #working = false

  constructor(
    connection: Connection,
    take: (chunk: Buffer) => void | Promise<void>,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#connection = connection
    this.#take = take
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(): void {
    const { socket } = this.#connection
    chunkReaders.set(socket, this)
    socket.on('data', giveChunk).on('end', endChunks).on('close', endChunks)
    this.#goOn()
  }

  give(chunk: Buffer): void {
    if (this.#connection.closedHere) return // What still arrives is not wanted.
    try {
      const work = this.#take(chunk) ?? this.#connection.giveWayAfter(chunk)
      if (!(work instanceof Promise)) return
      this.#working = true
      this.#connection.socket.pause()
      work.then(
        () => this.#goOn(),
        (error) => this.#fail(error),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  end(): void {
    if (this.#working) return // #goOn looks again
    this.#letGo()
    const rest: Buffer | null = this.#connection.socket.read() // what had arrived before the connection was lost
    if (rest) this.give(rest)
    if (!this.#working) this.#resolve()
  }

  #goOn(): void {
    const { socket } = this.#connection
    this.#working = false
    if (socket.readableEnded || socket.destroyed) this.end()
    else socket.resume()
  }

  #fail(error: unknown): void {
    this.#letGo()
    this.#connection.socket.pause()
    this.#reject(error)
  }

  #letGo(): void {
    this.#connection.socket.off('data', giveChunk).off('end', endChunks).off('close', endChunks)
  }
}

/** By socket, so that all of them share their listeners: closures would take a kilobyte more of every connection. */
const chunkReaders = new WeakMap<Socket, ChunkReader>()

function giveChunk(this: Socket, chunk: Buffer): void {
  chunkReaders.get(this)?.give(chunk)
}

function endChunks(this: Socket): void {
  chunkReaders.get(this)?.end()
}

/** `192.168.1.20:31415`, and `[::1]:31415` for an IPv6 address. */
function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return 'an address that is gone'
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function listeningAddress(server: Server): string {
  const { address, port } = server.address() as AddressInfo
  return addressOf(address, port)
}

function whenAborted(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action()
  else signal.addEventListener('abort', action, { once: true })
}

function reportFailure(log: Logger, connection: Connection, error: unknown): void {
  if (error instanceof OperationalError) {
    const done = connection.socket.writable ? ' The connection is closed.' : ''
    for (const problem of error.problems) log.warn(`${problem}${done}`)
    return
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  log.error(
    `A mistake in the program ended the connection to ${connection.address}: ${what} (its stack is in the log file, at level debug)`,
  )
  log.debug({ err: error }, 'Where the mistake was')
}

const REASONS_OF_LOSS: Record<string, string> = {
  ECONNRESET: 'the other end reset it',
  EPIPE: 'the other end closed it',
  ETIMEDOUT: 'the other end answers no more',
  EHOSTUNREACH: 'its machine cannot be reached any more',
  ENETUNREACH: 'its network cannot be reached any more',
}

function whyNotConnected(error: unknown, address: string, peer: string): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `Nobody listens on ${address}. Is the ${peer} running?`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `No machine is known by the name in ${address}. Is it spelled right? An IP address works without names.`
    case 'ETIMEDOUT':
      return `No answer from ${address}. Is the ${peer}'s machine on, the address right, and the port open in its firewall?`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `There is no route to ${address}. Are both machines on the same network?`
    default:
      return `Cannot connect to the ${peer} at ${address}: ${messageOf(error)}.`
  }
}

function whyNotListening(error: unknown, host: string, port: number): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `Port ${port} is taken on ${host}: another program listens there, perhaps this one in another terminal. Stop it, or choose another port.`
    case 'EACCES':
      return `Port ${port} needs more rights than this user has. Choose one from 1024 to 65535.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${host} to listen on. Use one of its own, 127.0.0.1 for this machine only, or 0.0.0.0 for all of them.`
    default:
      return `Cannot listen on ${addressOf(host, port)}: ${messageOf(error)}.`
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
