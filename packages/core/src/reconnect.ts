/**
 * A program that outlives its peer: it connects, and when the connection is lost, or none came about, it waits and
 * connects again. It waits longer and longer, and at random, so that a peer that comes back is not overrun by all that
 * have waited for it.
 *
 * @since 0.11.0
 */
import { addAbortListener } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { BackOff } from './back-off.ts'
import { type ConnectOptions, connect } from './connecting.ts'
import type { Connection } from './connection.ts'
import { isAskedToStop, OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How long a connection has to last, in ms, before its loss is taken for an accident, and not for what is to be expected. */
const DEFAULT_LASTING_MS = 10_000

export interface StayConnectedOptions extends ConnectOptions {
  /** Where is told why there is no connection, and what is waited for. */
  log: Logger
  /**
   * How long a connection must last for the pauses to begin again with the shortest after it, in milliseconds; and the
   * peer must have said something. Default: 10,000.
   */
  lastingMs?: number
  /**
   * How long a pause is at most, in milliseconds: for a peer that is back soon, or never, such as one of several that lead in
   * turn. Then the first pause is a 32th of it at most, the next ones are twice as long each, and nothing is told before the
   * peer was away for two of the longest. Default: 60,000, and a first pause of up to a second.
   */
  longestPauseMs?: number | undefined
}

/**
 * Connects, and connects again whenever there is no connection, until `stop` is aborted. The first try comes at once, the
 * next within a second, and further ones less and less often, with pauses of up to a minute. Each looks up the address of
 * the host anew. Each loss is logged. Why no connection comes about is logged once, and so is what is waited for, until a
 * connection has lasted. In a program that was asked to stop, and finishes its work first, none of this is told.
 *
 * Nothing is sent again: what was on its way when a connection broke is lost, and to send on it is an error for the
 * sender. The next call of `use` says whatever the peer has to know.
 *
 * @param use what to do with a connection, each time that there is one. `over` is aborted when the connection has ended,
 *   or the program stops. When it returns, or throws an OperationalError, the connection is closed, as `listen` does it, and
 *   the next one comes.
 * @returns when `stop` is aborted
 * @throws whatever `use` throws that is not an OperationalError: that is a mistake, which no new connection mends
 * @throws TypeError when the port is none
 */
export async function stayConnected(
  options: StayConnectedOptions,
  use: (connection: Connection, over: AbortSignal) => Promise<void>,
): Promise<void> {
  const { peer, stop, log, lastingMs = DEFAULT_LASTING_MS, longestPauseMs } = options
  const backOff = new BackOff(Math.random, longestPauseMs)
  /** Why there was no connection, as far as it was told since one has lasted. */
  const told = new Set<string>()
  /** Since when there is none, in ms. */
  let lostAt = performance.now()

  while (!stop.aborted) {
    let wasConnected = false
    try {
      const connection = await connect(options)
      wasConnected = true
      let isOld = false
      const timer = setTimeout(() => {
        isOld = true
      }, lastingMs)
      try {
        await useUntilLost(connection, stop, use)
      } finally {
        clearTimeout(timer)
        lostAt = performance.now()
        if (isOld && connection.socket.bytesRead > 0) {
          backOff.reset()
          told.clear()
        }
      }
    } catch (error) {
      if (stop.aborted) return
      if (!(error instanceof OperationalError)) throw error
      tell(error, wasConnected)
    }
    await sleep(backOff.next(), undefined, { signal: stop }).catch(() => {})
  }

  function tell({ problems }: OperationalError, isLoss: boolean) {
    const isSoonBack =
      !isLoss && longestPauseMs !== undefined && performance.now() - lostAt < 2 * longestPauseMs
    // A peer that is lost while this program finishes its work is stopped with it, as a rule, or is a part of it.
    if (isSoonBack || isAskedToStop()) {
      for (const problem of problems) log.debug(problem)
      return
    }
    const isFirst = told.size === 0
    for (const problem of problems) {
      // Who has read that there is a connection has to read that there is none.
      if (isLoss || !told.has(problem)) log.warn(problem)
      else log.debug(problem)
      told.add(problem)
    }
    if (!isFirst) return
    const pauses =
      longestPauseMs === undefined
        ? 'trying again within a second, then less and less often, up to a minute after the last try.'
        : `trying again and again, up to ${longestPauseMs / 1_000} s after the last try.`
    log.info(`Waiting until the ${peer} is there: ${pauses}`)
  }
}

/**
 * Uses a connection, and closes it.
 *
 * @throws OperationalError why it is over
 * @throws whatever else `use` throws
 */
async function useUntilLost(
  connection: Connection,
  stop: AbortSignal,
  use: (connection: Connection, over: AbortSignal) => Promise<void>,
): Promise<never> {
  const controller = new AbortController()
  const { signal: over } = controller
  connection.socket.once('close', () => controller.abort(whyOver(connection)))
  const stopping = addAbortListener(stop, () => controller.abort(stop.reason))
  let why: unknown
  try {
    await use(connection, over)
  } catch (error) {
    // What waits on the signal says only that it was aborted.
    if (!(over.aborted && error instanceof Error && error.name === 'AbortError')) throw error
  } finally {
    why = whyOver(connection)
    stopping[Symbol.dispose]()
    void connection.close()
  }
  throw why
}

/** Why a connection is used no more: it is lost, or `use` has finished with it. */
function whyOver(connection: Connection): unknown {
  const { peer, socket } = connection
  try {
    connection.throwIfLost()
  } catch (error) {
    return error
  }
  return new OperationalError(
    socket.readableEnded
      ? `Lost the connection to ${peer}: the other end closed it.`
      : `This end closed the connection to ${peer}.`,
  )
}
