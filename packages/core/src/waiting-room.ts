/**
 * Peers that a listener has no room for. They are not sent away at once: some come back at once, the Python nodes of the
 * posts 15 to 18 hundreds of times a second. They wait here, unserved, for some seconds, and are sent away then.
 *
 * @since 0.3.0
 */
import type { Socket } from 'node:net'

/** How long a peer waits before it is sent away, in ms. */
const WAIT_MS = 5_000

/** How many peers may wait at once. Each takes a descriptor, and what it says is read and thrown away. */
const MOST_WAITING = 256

/**
 * Where peers wait that are not served.
 *
 * @internal
 */
export class WaitingRoom {
  readonly #waiting = new Set<Socket>()

  /** Lets a peer wait until it leaves, or has waited for long enough; when there is no room here either, it has to go at once. */
  take(socket: Socket, hasRoom: boolean): void {
    socket.on('error', () => {})
    if (!hasRoom || this.#waiting.size >= MOST_WAITING) {
      socket.destroy()
      return
    }
    this.#waiting.add(socket)
    const timer = setTimeout(() => socket.destroy(), WAIT_MS)
    socket.resume().once('close', () => {
      clearTimeout(timer)
      this.#waiting.delete(socket)
    })
  }

  /** Sends all of them away. */
  end(): void {
    for (const socket of this.#waiting) socket.destroy()
  }
}
