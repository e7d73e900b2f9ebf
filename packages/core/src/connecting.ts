/**
 * Connecting: a program calls another one, by the machine that it runs on and the port that it listens on.
 *
 * @since 0.3.0
 */
import { addAbortListener, once } from 'node:events'
import { connect as openSocket, type Socket } from 'node:net'
import { addressOf, checkPort } from './addresses.ts'
import { Connection, type Secured } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import { whyNotConnected } from './socket-errors.ts'

/** How long to wait for an answer when connecting, in ms. A machine that is off answers nothing at all. */
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/**
 * How long to wait for one address of a host before the next is tried, in ms. Node waits 250 ms: less than a Pi on a bad
 * wireless network may take. Where there is only one address, it does not hold.
 */
const ADDRESS_TIMEOUT_MS = 1_000

/**
 * A handshake of the end that connects: it gets an open socket, and resolves when both ends know with whom they speak. It
 * reads the socket, hears its errors, and rejects when that is closed first: a handshake that takes too long is ended so.
 *
 * @throws OperationalError when it fails, with what to do about it. The socket is destroyed then.
 */
export type SecureConnecting = (socket: Socket, about: { peer: string; address: string }) => Promise<Secured>

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
  /** What comes before the first message. Default: nothing, and anybody may be the other end. */
  secure?: SecureConnecting | undefined
}

/**
 * Connects to a listening program. All addresses of the host are tried, one after the other.
 *
 * @returns the connection, once it is open
 * @throws OperationalError when nobody listens there, the host is unknown or cannot be reached, or
 *   nothing answers in time
 * @throws TypeError when the port is none: TypeScript sees that, and tsx does not look
 * @throws the signal's reason, an AbortError, when `stop` is aborted first
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { peer, host, port, stop, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options
  checkPort(port, 1)
  stop.throwIfAborted()

  const socket = openSocket({ host, port, noDelay: true, autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS })
  const timeout = setTimeout(
    () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
    timeoutMs,
  )
  const sought = addressOf(host, port)
  let secured: Secured = { socket }
  try {
    await once(socket, 'connect', { signal: stop })
    if (options.secure) {
      const stopping = addAbortListener(stop, () => socket.destroy())
      const address = addressOf(socket.remoteAddress, socket.remotePort)
      const proven = await options
        .secure(socket, { peer, address: sought })
        .finally(() => stopping[Symbol.dispose]())
      secured = { address, ...proven }
    }
  } catch (error) {
    socket.on('error', () => {}).destroy()
    stop.throwIfAborted()
    if (error instanceof OperationalError) throw error
    throw new OperationalError(whyNotConnected(error, sought, peer), { cause: error })
  } finally {
    clearTimeout(timeout)
  }
  const connection = new Connection(secured, `the ${peer} at ${sought}`, options.maxWaitingBytes, sought)
  const stopping = addAbortListener(stop, () => void connection.close(stop.reason))
  secured.socket.once('close', () => stopping[Symbol.dispose]())
  return connection
}
