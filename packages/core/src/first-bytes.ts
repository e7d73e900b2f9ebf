/**
 * What somebody says first where connections are encrypted: a greeting of TLS, or something in the clear, whose sender is
 * told so in the only words that it understands.
 *
 * @since 0.22.0
 */
import type { Socket } from 'node:net'
import { encode } from './frames.ts'
import { OperationalError } from './lifecycle.ts'

/** With which byte TLS begins: the type of a record that is part of a handshake. No JSON begins so. */
const TLS_HANDSHAKE = 0x16

/**
 * Looks at the first bytes, and leaves them to be read.
 *
 * @throws OperationalError when they are not TLS, or none come. Whoever has sent them is answered a message `refused`, and
 *   its socket is left open, for `listen` to close it: some come back at once.
 * @internal
 */
export async function expectTls(socket: Socket, about: { peer: string; address: string }): Promise<void> {
  const first = await firstChunk(socket)
  if (!first)
    throw new OperationalError(`The ${about.peer} at ${about.address} left before it said anything.`)
  if (first[0] === TLS_HANDSHAKE) {
    socket.unshift(first)
    return
  }
  socket.write(encode({ type: 'refused', payload: 'This port is for encrypted connections only.' }))
  throw new OperationalError(
    `The ${about.peer} at ${about.address} is refused: it does not encrypt, and this port is for encrypted connections only. Has it a key, and does it use it?`,
  )
}

async function firstChunk(socket: Socket): Promise<Buffer | undefined> {
  let wake = () => {}
  const look = () => wake()
  socket.on('readable', look).on('end', look).on('close', look)
  try {
    for (;;) {
      const chunk: Buffer | null = socket.read()
      if (chunk) return chunk
      if (socket.readableEnded || socket.destroyed) return undefined
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    socket.off('readable', look).off('end', look).off('close', look)
  }
}
