/**
 * Brings what waits in an outbox to where it belongs, whether that is there now or not: in order, some at a time, and
 * dropped when it has arrived. Where it is not taken it is tried again, less and less often.
 *
 * @since 0.17.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { BackOff } from './back-off.ts'
import { stopRequest, within } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import type { Outbox } from './store.ts'

/** How often is looked whether something waits, in ms. */
const LOOK_INTERVAL_MS = 5_000

/** How many texts are sent at a time, unless told otherwise. */
const DEFAULT_BATCH = 500

/** How long they may take to be sent, in ms, unless told otherwise. */
const DEFAULT_TIMEOUT_MS = 60_000

export interface DeliverOptions {
  /** Where it goes, in the words of the log: `InfluxDB at http://127.0.0.1:8086`. */
  to: string
  /** Where it waits. */
  outbox: Outbox
  /**
   * Sends some texts. They have arrived when it resolves. When it rejects, they are sent again: what came of them
   * nobody knows, so to get a text twice has to be the same as to get it once.
   *
   * The signal is for all that waits in it, as `fetch` does: it is aborted when the delivery is stopped, or has taken
   * longer than `timeoutMs`. So nobody holds it up for good who accepts a connection and never answers.
   */
  send: (texts: string[], signal: AbortSignal) => Promise<void>
  /** Where is told that it is not taken, and that it is again. */
  log: Logger
  /** Ends it. Default: the stop signal of this program. */
  stop?: AbortSignal
  /** How many texts are sent at a time. Default: 500. */
  batch?: number
  /** How long `send` may take, in ms: 1 to 2147483647. Default: 60,000: a database on an SD card takes its time. */
  timeoutMs?: number
}

/** Delivers, until it is stopped. It never rejects. */
export async function deliver({
  to,
  outbox,
  send,
  log,
  stop = stopRequest,
  batch = DEFAULT_BATCH,
  timeoutMs = DEFAULT_TIMEOUT_MS,
}: DeliverOptions): Promise<void> {
  const backOff = new BackOff()
  let isTaken = true
  while (!stop.aborted) {
    try {
      for (
        let waiting = await outbox.oldest(batch);
        waiting.length > 0 && !stop.aborted;
        waiting = await outbox.oldest(batch)
      ) {
        await send(
          waiting.map(({ text }) => text),
          within(timeoutMs, stop),
        )
        await outbox.drop(waiting.at(-1)?.id ?? 0)
        if (!isTaken) log.info(`${to} takes it again`)
        isTaken = true
      }
      backOff.reset()
      await pause(LOOK_INTERVAL_MS)
    } catch (error) {
      if (isTaken && !stop.aborted) log.warn(`${to} does not take what is sent, so it waits: ${why(error)}`)
      isTaken = false
      await pause(backOff.next())
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stop }).catch(() => {})
  }
}

/** Why something has failed. What `fetch` throws has that in its cause. */
function why(error: unknown): string {
  const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException }
  return cause?.message || cause?.code || message
}
