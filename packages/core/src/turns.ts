/**
 * Turns at the one processor that all connections of a program share. Node reads on from a busy connection, up
 * to 2 MiB, before it looks at the next: so who works on what has arrived has to give way now and then.
 *
 * @since 0.3.0
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

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

/**
 * The turn of one connection.
 *
 * @internal
 */
export class Turn {
  /** When somebody first looked at the clock in this turn, in ms of performance.now(). */
  #began: number | undefined

  /** Ends the turn when it has lasted 10 ms. Returns a promise to wait for then, and nothing when it may go on. */
  giveWay(): Promise<void> | undefined {
    const now = performance.now()
    this.#began ??= now
    if (now - this.#began < LONGEST_TURN_MS) return undefined
    return nextTurn().then(() => {
      this.#began = undefined
    })
  }

  /** Does the same when a chunk is done with. */
  giveWayAfter(chunk: Buffer): Promise<void> | undefined {
    if (chunk.length >= LARGE_CHUNK) return this.giveWay()
    this.#began = undefined
    return undefined
  }
}
