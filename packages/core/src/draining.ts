/**
 * A stop that loses nothing: before a program stops, it finishes what it is doing, and says goodbye to its peers, within a
 * time.
 *
 * @since 0.23.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeStop, stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How long it may take, in ms, unless told otherwise: less than the `TimeoutStopSec` of a unit of {@link daemonUnits}. */
const DEFAULT_DRAIN_MS = 10_000

/** What can come to an end by itself: a node, a server. */
export interface Draining {
  /** Takes nothing new, and resolves when what was in work is done. Never rejects. */
  drain(): Promise<void>
}

export interface DrainOptions {
  /** Where is told what is waited for, and whether it came. */
  log: Logger
  /** How long it may take, in milliseconds. Default: 10,000. */
  withinMs?: number
}

/**
 * From now on, when this program is asked to stop, it drains first, and its stop signal is aborted when that is done, or
 * its time is over. Ctrl-C for a second time, or SIGTERM, half a second later stops it at once.
 */
export function drainFirst(
  drained: Draining | readonly Draining[],
  { log, withinMs = DEFAULT_DRAIN_MS }: DrainOptions,
): void {
  beforeStop(async () => {
    log.info(`Asked to stop: finishing what is in work, within ${withinMs / 1_000} s`)
    const all = [drained].flat()
    const timeout = sleep(withinMs, 'late' as const, { ref: false, signal: stopRequest }).catch(
      () => 'stopped',
    )
    const how = await Promise.race([Promise.all(all.map((each) => each.drain())), timeout])
    if (how === 'late')
      log.warn(`Not all of it was finished within ${withinMs / 1_000} s: the rest is cut off`)
  })
}
