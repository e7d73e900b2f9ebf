/**
 * Reading a connection: what arrives, in the pieces in which it arrives. The system keeps what nobody has read
 * yet, tells the peer when that is too much, and so makes it wait.
 *
 * @since 0.3.0
 */
import type { Socket } from 'node:net'

/**
 * What is read: a connection.
 *
 * @internal
 */
export interface ChunkSource {
  readonly socket: Socket
  /** Whether this end has closed it. */
  readonly closedHere: boolean
  /** Throws when the connection is lost, and says how that came. */
  throwIfLost(): void
  /** Returns a promise to wait for when the other connections are to have their turn. */
  giveWayAfter(chunk: Buffer): Promise<void> | undefined
}

/**
 * Each chunk as it arrives, until either end closes the connection.
 *
 * @internal
 */
export async function* chunksOf(source: ChunkSource): AsyncGenerator<Buffer, void, void> {
  const { socket } = source
  let wake = () => {}
  const look = () => wake()
  socket.on('readable', look).on('end', look).on('close', look)
  try {
    for (;;) {
      const chunk: Buffer | null = socket.read()
      if (chunk) {
        yield chunk
        await source.giveWayAfter(chunk)
      } else if (socket.readableEnded || source.closedHere) return
      else if (socket.destroyed) source.throwIfLost()
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    socket.off('readable', look).off('end', look).off('close', look)
  }
}
