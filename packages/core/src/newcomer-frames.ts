/**
 * Reading the first frames off a socket, one by one, before there is a connection: what comes behind a frame stays in the socket,
 * for whoever reads it next.
 *
 * @since 0.21.0
 */
import type { Socket } from 'node:net'
import { SEPARATOR } from './frames.ts'
import { NEWCOMER_BYTES } from './handshakes.ts'
import { OperationalError } from './lifecycle.ts'
import { whyLost } from './socket-errors.ts'

/** How many letters of a frame are looked at to see that it cannot be what is expected, before it has ended. */
const LOOKED_AT = 64

interface FirstFrameOptions {
  /** What texts call the other end. */
  from: string
  /** Whether a frame that begins so, or is no longer than this, may be what is expected. Default: any may. */
  mayBegin?: (letters: string, isAll: boolean) => boolean
  /** Ends the wait for a frame when it is aborted: then none was expected. */
  enough?: AbortSignal
}

/**
 * The next frame, without its separator.
 *
 * @returns undefined when what comes is no frame that is expected: then all of it is in the socket again
 * @throws OperationalError when the other end leaves before, or says too much
 * @internal
 */
export function firstFrame(
  socket: Socket,
  { from, mayBegin = () => true, enough }: FirstFrameOptions,
): Promise<Buffer | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  let letters = ''
  return new Promise((resolve, reject) => {
    const done = () => {
      socket.off('readable', look).off('end', gone).off('close', gone).off('error', lost)
      enough?.removeEventListener('abort', none)
    }
    const fail = (error: Error) => {
      done()
      reject(error)
    }
    const gone = () => fail(new OperationalError(`${from} has gone before it has proven who it is.`))
    const lost = (error: Error) =>
      fail(
        error instanceof OperationalError
          ? error
          : new OperationalError(`${from} was lost before it has proven who it is: ${whyLost(error)}.`),
      )
    /** At once, in the turn in which it was read: a moment later the stream may have ended, and takes nothing back. */
    const putBack = (rest: Buffer) => {
      if (rest.length > 0) socket.unshift(rest)
    }
    const none = () => {
      done()
      putBack(Buffer.concat(pieces))
      resolve(undefined)
    }
    const look = () => {
      for (let chunk: Buffer | null = socket.read(); chunk; chunk = socket.read()) {
        const end = chunk.indexOf(SEPARATOR)
        pieces.push(end < 0 ? chunk : chunk.subarray(0, end))
        bytes += end < 0 ? chunk.length : end
        if (letters.length < LOOKED_AT) letters += pieces.at(-1)?.toString('latin1', 0, LOOKED_AT)
        if (!mayBegin(letters, end >= 0)) {
          if (end >= 0) pieces.push(chunk.subarray(end))
          none()
          return
        }
        if (bytes > NEWCOMER_BYTES) {
          socket.destroy()
          fail(
            new OperationalError(
              `${from} has said more than ${NEWCOMER_BYTES} bytes before it has proven who it is, and was closed.`,
            ),
          )
          return
        }
        if (end >= 0) {
          done()
          putBack(chunk.subarray(end + 1))
          resolve(Buffer.concat(pieces))
          return
        }
      }
    }
    socket.on('end', gone).on('close', gone).on('error', lost)
    enough?.addEventListener('abort', none)
    if (socket.destroyed || socket.readableEnded) gone()
    else {
      socket.on('readable', look)
      look()
    }
  })
}
