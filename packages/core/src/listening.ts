/**
 * Listening: a program waits on a port for others to connect, and serves all of them at the same time.
 *
 * @since 0.3.0
 */
import { addAbortListener, once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOf, checkPort } from './addresses.ts'
import { Connection, type Secured } from './connection.ts'
import { hasRoomToWait, TurnedAway, whyNoRoomForPeer } from './descriptors.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { whyNotListening } from './socket-errors.ts'
import { WaitingRoom } from './waiting-room.ts'

/**
 * How many connections a listener holds at once, unless told otherwise. Each takes a descriptor. Node
 * takes as many as the system lets it have: 524,288 for a program of a systemd system, as a Pi's is
 * (DefaultLimitNOFILE, the second number).
 */
const DEFAULT_MAX_CONNECTIONS = 16_384

/**
 * For how long who comes from an address waits to be served, in ms, when a mistake of this program has ended a connection
 * to that address: there are nodes that come back at once, and would meet the same mistake hundreds of times a second.
 */
const AFTER_MISTAKE_MS = 1_000

/**
 * How many peers may wait to be accepted, when many connect at once; a further one's system tries again a
 * second later. Node asks for 511. Linux gives at most net.core.somaxconn: 4,096 since version 5.4.
 */
const BACKLOG = 4096

/**
 * A handshake of the end that listens: it gets the socket of who has just connected, of which nothing was read yet (it is
 * paused), and resolves when that has proven who it is. It reads the socket, hears its errors, and rejects when that is closed
 * first. How long it may take, how much may be said meanwhile, and how many do so at once, is its own to limit.
 *
 * @throws OperationalError when it fails, with who it was and why. That is a line in the log. A socket that it has not destroyed
 *   is not served, and closed after five seconds.
 */
export type SecureListening = (socket: Socket, about: { peer: string; address: string }) => Promise<Secured>

export interface ListenOptions {
  /** What connects here, in the words of the program, for the texts of warnings: `slave`. */
  peer: string
  /** The address to listen on: `127.0.0.1` for this machine only, `0.0.0.0` for every IPv4 interface. */
  host: string
  /** 1 to 65535, or 0 for one that is free. */
  port: number
  /** The descriptor of a socket that somebody else has opened to listen there, and handed over. Default: it is opened here. */
  descriptor?: number | undefined
  /** Closes every connection and stops listening when aborted. */
  stop: AbortSignal
  /** Where a peer that fails is reported. */
  log: Logger
  /** How many peers may be connected at once; a further one is not served, and closed after five seconds. Default: 16,384. */
  maxConnections?: number
  /** How many bytes may wait to be sent; a peer that does not read and would need more is cut off. Default: 1 MiB. */
  maxWaitingBytes?: number
  /** What comes before the first message, for each who connects. Default: nothing, and everybody is served. */
  secure?: SecureListening | undefined
}

/** A listening socket. */
export interface Listener {
  /** Where it listens: `127.0.0.1:31415`. */
  readonly address: string
  /** The peers connected now. */
  readonly connections: ReadonlySet<Connection>
  /** Takes no further peer. Those that are connected stay. */
  stopAccepting(): void
}

/**
 * Listens, and serves every peer that connects, all at the same time. A peer's connection is closed
 * when `serve` has finished with it. When a peer fails (it resets, it breaks the protocol), or
 * `serve` does, that is a line in the log and the end of that connection only. After an error of `serve` that is no
 * OperationalError, a mistake, the next peer from the same address is served a second later at the earliest.
 *
 * @param serve what to do with one peer
 * @returns once it listens
 * @throws OperationalError when it cannot listen there: the port is taken, or needs more rights, or
 *   the address is not one of this machine's
 * @throws TypeError when the port is none: Node would take any that is free, and nobody would find it
 */
export async function listen(
  options: ListenOptions,
  serve: (connection: Connection) => Promise<void>,
): Promise<Listener> {
  const { peer, host, port, descriptor, stop, log, secure } = options
  const { maxConnections = DEFAULT_MAX_CONNECTIONS } = options
  checkPort(port, 0)
  stop.throwIfAborted()

  const connections = new Set<Connection>()
  /** Who has not proven yet who it is. */
  const newcomers = new Set<Socket>()
  const turnedAway = new TurnedAway(log)
  const waitingRoom = new WaitingRoom()
  /** By host: what who comes from there has to wait for. */
  const pauses = new Map<string | undefined, Promise<void>>()
  // A newcomer that waits until it may prove who it is says nothing meanwhile that this process would have to keep.
  const server = createServer({ noDelay: true, pauseOnConnect: secure !== undefined }, (socket) => {
    const address = addressOf(socket.remoteAddress, socket.remotePort)
    if (connections.size >= maxConnections) {
      turnAwayForLimit(socket, address)
      return
    }
    const why = whyNoRoomForPeer()
    if (why !== undefined) {
      waitingRoom.take(socket, hasRoomToWait())
      turnedAway.tell(address, why)
      return
    }
    if (secure) void serveSecured(socket, address, secure)
    else serveSocket(socket, address)
  })

  function turnAwayForLimit(socket: Socket, address: string): void {
    waitingRoom.take(socket, hasRoomToWait())
    log.warn(`Turned away ${address}: the limit of open connections is ${maxConnections}`)
  }

  function serveSocket(socket: Socket | Secured, address: string): void {
    const who = 'node' in socket ? socket.node : `the ${peer}`
    const connection = new Connection(socket, `${who} at ${address}`, options.maxWaitingBytes, address)
    connections.add(connection)
    void serveOne(connection).finally(() => connections.delete(connection))
  }

  async function serveSecured(socket: Socket, address: string, secure: SecureListening): Promise<void> {
    newcomers.add(socket)
    try {
      const secured = await secure(socket, { peer, address })
      if (stop.aborted) return
      // Others may have proven who they are in the same time.
      if (connections.size < maxConnections) serveSocket(secured, address)
      else turnAwayForLimit(secured.socket, address)
    } catch (error) {
      // Not closed at once: some come back at once.
      if (socket.destroyed || stop.aborted) socket.on('error', () => {}).destroy()
      else waitingRoom.take(socket, hasRoomToWait())
      if (!stop.aborted) reportFailure(log, { address, socket }, error)
    } finally {
      newcomers.delete(socket)
      if (stop.aborted) socket.destroy()
    }
  }

  async function serveOne(connection: Connection): Promise<void> {
    const { remoteAddress } = connection.socket
    const pause = pauses.get(remoteAddress)
    if (pause) await pause
    try {
      if (!stop.aborted) await serve(connection)
    } catch (error) {
      if (!stop.aborted) reportFailure(log, connection, error)
      if (!(error instanceof OperationalError)) pauseAfterMistake(remoteAddress)
    }
    await connection.close()
  }

  function pauseAfterMistake(host: string | undefined): void {
    const pause = sleep(AFTER_MISTAKE_MS, undefined, { signal: stop })
      .catch(() => {})
      .then(() => {
        if (pauses.get(host) === pause) pauses.delete(host)
      })
    pauses.set(host, pause)
  }

  try {
    if (descriptor === undefined) server.listen({ host, port, backlog: BACKLOG })
    else server.listen({ fd: descriptor }, BACKLOG)
    await once(server, 'listening')
  } catch (error) {
    const why =
      descriptor === undefined
        ? await whyNotListening(error, host, port)
        : `Cannot listen on the socket that was handed over, descriptor ${descriptor}: ${(error as Error).message}.`
    throw new OperationalError(why, { cause: error })
  }
  const address = listeningAddress(server)
  if (descriptor !== undefined && port !== 0 && !address.endsWith(`:${port}`))
    log.warn(
      `The socket that was handed over listens on ${address}, and not on port ${port}: that one is not used.`,
    )
  // Past this point an error of the listening socket concerns one newcomer.
  server.on('error', (error) => log.warn(`Could not accept a connection: ${error.message}`))
  addAbortListener(stop, () => {
    server.close()
    turnedAway.end()
    waitingRoom.end()
    for (const newcomer of newcomers) newcomer.destroy()
    for (const connection of connections) void connection.close(stop.reason)
  })

  return { address, connections, stopAccepting: () => void server.close() }
}

function listeningAddress(server: Server): string {
  const { address, port } = server.address() as AddressInfo
  return addressOf(address, port)
}

function reportFailure(
  log: Logger,
  connection: Pick<Connection, 'address' | 'socket'>,
  error: unknown,
): void {
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
