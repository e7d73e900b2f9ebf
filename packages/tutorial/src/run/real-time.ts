/** Time that passes as on the wall: under the tests' preload timers are faster, and processes are not. */
import { setTimeout as sleep } from 'node:timers/promises'

/** How often is looked at the clock, in ms. */
const LOOK_MS = 1_000

/**
 * Waits by the clock rather than by one timer.
 *
 * @param over ends it before that
 */
export async function realTime(ms: number, over?: AbortSignal): Promise<void> {
  const start = performance.now()
  while (!over?.aborted && performance.now() - start < ms)
    await sleep(Math.min(LOOK_MS, ms), undefined, { ...(over && { signal: over }) }).catch(() => {})
}
