/**
 * Connecting: a program calls another one, by the machine that it runs on and the port that it listens on.
 *
 * @since 0.3.0
 */
import { addAbortListener, once } from 'node:events'
import { connect as openSocket } from 'node:net'
import { addressOf, checkPort } from './addresses.ts'
import { Connection } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import { whyNotConnected } from './socket-errors.ts'

/** How long to wait for an answer when connecting, in ms. A machine that is off answers nothing at all. */
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/**
 * How long to wait for one address of a host before the next is tried, in ms. Node waits 250 ms: less than a Pi on a bad
 * wireless network may take. Where there is only one address, it does not hold.
 */
const ADDRESS_TIMEOUT_MS = 1_000

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
  try {
    await once(socket, 'connect', { signal: stop })
  } catch (error) {
    socket.on('error', () => {}).destroy()
    stop.throwIfAborted()
    throw new OperationalError(whyNotConnected(error, addressOf(host, port), peer), { cause: error })
  } finally {
    clearTimeout(timeout)
  }
  const sought = addressOf(host, port)
  const connection = new Connection(socket, `the ${peer} at ${sought}`, options.maxWaitingBytes, sought)
  const stopping = addAbortListener(stop, () => void connection.close(stop.reason))
  socket.once('close', () => stopping[Symbol.dispose]())
  return connection
}
