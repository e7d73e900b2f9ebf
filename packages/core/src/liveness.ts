/**
 * Whether the other end is still there. A connection that is closed or reset says so by itself. One whose cable is
 * pulled says nothing, and one whose program stands still says nothing either: that shows only when something is
 * expected of it and does not come.
 *
 * @since 0.10.0
 */
import type { Socket } from 'node:net'
import type { Connection } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import { canonicalAddress, tcpEntries } from './tcp-tables.ts'

/** How long a peer may say nothing, in ms, unless told otherwise: three beats of five seconds. */
const DEFAULT_SILENCE_MS = 15_000

/** How often is looked whether something has come, in ms. */
const LOOK_INTERVAL_MS = 250

/** The shortest silence that can be told from the time between two looks, in ms. */
const LEAST_SILENCE_MS = 2_000

/**
 * How long before the silence is over the system begins to ask the other system whether it is there, in ms, or in parts of
 * a short silence: so that it knows then. It asks once a second, and gives up after ten times, as Node has it: later than
 * the silence ends.
 */
const PROBING_MS = 6_000
const PROBING_PART = 0.4

/**
 * What has become of a peer that says nothing: `silent`, when its system confirms nothing either; `frozen`, when its
 * system does, and only its program says nothing; `unknown` where the own system does not tell.
 */
export type Silence = 'silent' | 'frozen' | 'unknown'

/** A peer has said nothing for too long, and its connection was cut. */
export class SilenceError extends OperationalError {
  override readonly name = 'SilenceError'
  readonly kind: Silence
  /** For how long nothing came, in ms. */
  readonly afterMs: number

  constructor(peer: string, kind: Silence, afterMs: number) {
    super(`Nothing came from ${peer} for ${afterMs / 1000} s${MEANINGS[kind]} The connection is cut.`)
    this.kind = kind
    this.afterMs = afterMs
  }
}

const MEANINGS: Record<Silence, string> = {
  silent: ', and its system confirms nothing that is sent: its power, its cable or the network is gone.',
  frozen: ', and its system still confirms what is sent: its program is stopped or hangs.',
  unknown: '.',
}

/** How a connection is watched. */
export interface WatchOptions {
  /** How long its peer may say nothing, in milliseconds: at least 2,000. Default: 15,000. */
  silenceMs?: number
}

/**
 * Cuts a connection whose peer says nothing for too long. Each byte counts: a large message that is still arriving is a
 * sign of life, and so is whatever kind of message. What the connection throws from then on is a {@link SilenceError}.
 *
 * Time is counted in looks, four a second, and not read from a clock. So a program that was stopped, or whose machine was
 * asleep, takes nobody for dead when it goes on: it has not listened meanwhile. While it reads nothing, because a handler
 * is still at work, it expects nothing; but when it waits for the peer to read, it does.
 *
 * @throws RangeError when `silenceMs` is less than 2,000
 */
export function watch(connection: Connection, { silenceMs = DEFAULT_SILENCE_MS }: WatchOptions = {}): void {
  const { socket } = connection
  if (silenceMs < LEAST_SILENCE_MS)
    throw new RangeError(`A silence has at least ${LEAST_SILENCE_MS} ms, and this one ${silenceMs}.`)
  if (socket.destroyed) return
  socket.setKeepAlive(true, silenceMs - Math.min(PROBING_MS, PROBING_PART * silenceMs))
  // The first look comes sooner than the others, and does not count.
  watched.set(connection, { silenceMs, bytesRead: socket.bytesRead, bytesWaiting: 0, quietLooks: -1 })
  socket.once('close', () => unwatch(connection))
  timer ??= setInterval(look, LOOK_INTERVAL_MS).unref()
}

interface Watched {
  readonly silenceMs: number
  bytesRead: number
  /** What was still to be sent. */
  bytesWaiting: number
  quietLooks: number
}

/** All that are watched share one timer: a thousand timers would fire one after the other. */
const watched = new Map<Connection, Watched>()
let timer: NodeJS.Timeout | undefined

function unwatch(connection: Connection): void {
  watched.delete(connection)
  if (watched.size > 0) return
  clearInterval(timer)
  timer = undefined
}

function look(): void {
  const quiet: [Connection, Watched][] = []
  for (const [connection, state] of watched) {
    const { socket } = connection
    const isStuck = socket.writableLength > 0 && socket.writableLength >= state.bytesWaiting
    const isQuiet = socket.bytesRead === state.bytesRead && (listens(socket) || isStuck)
    state.bytesRead = socket.bytesRead
    state.bytesWaiting = socket.writableLength
    state.quietLooks = isQuiet ? state.quietLooks + 1 : 0
    // The last byte came up to one look before the first that was quiet.
    if ((state.quietLooks + 1) * LOOK_INTERVAL_MS >= state.silenceMs) quiet.push([connection, state])
  }
  if (quiet.length === 0) return
  const entries = whatTheSystemKnows()
  for (const [connection, { silenceMs }] of quiet) {
    unwatch(connection)
    connection.fail(new SilenceError(connection.peer, silenceOf(connection, entries), silenceMs))
  }
}

/** Whether this end would notice a byte. */
function listens(socket: Socket): boolean {
  if (socket.readableLength > 0) return false // something waits for this end
  return socket.listenerCount('readable') > 0 || !socket.isPaused()
}

function whatTheSystemKnows(): ReturnType<typeof tcpEntries> {
  try {
    return tcpEntries()
  } catch {
    return undefined // it does not let everybody look
  }
}

/** What the own system knows of a connection on which nothing comes. */
function silenceOf({ socket }: Connection, entries: ReturnType<typeof tcpEntries>): Silence {
  const { localPort, remotePort, remoteAddress = '' } = socket
  const entry = entries?.find(
    ({ port, peerPort, peerAddress }) =>
      port === localPort && peerPort === remotePort && peerAddress === withoutMapping(remoteAddress),
  )
  if (!entry) return 'unknown'
  // One may be on its way.
  return entry.isSentAgain || entry.unansweredProbes > 1 ? 'silent' : 'frozen'
}

/** `::ffff:10.0.0.1` is `10.0.0.1` in the system's list. */
function withoutMapping(address: string): string {
  return canonicalAddress(address.replace(/^::ffff:(?=[\d.]+$)/i, ''))
}
