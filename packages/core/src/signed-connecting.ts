/**
 * The handshake of a node that connects, and signs what it says: it proves who it is, and has the other end prove that it has the
 * key as well.
 *
 * @since 0.21.0
 */
import type { Socket } from 'node:net'
import type { SecureConnecting } from './connecting.ts'
import type { Secured } from './connection.ts'
import { NEWCOMER_MS } from './handshakes.ts'
import type { OwnKey } from './key-files.ts'
import { OperationalError } from './lifecycle.ts'
import { firstFrame } from './newcomer-frames.ts'
import { SignatureError } from './signatures.ts'
import { SignedFrames } from './signed-frames.ts'
import { decodeFirst, encodeHello, newNonce } from './signed-hello.ts'

/**
 * Signs all that is said over a connection with the key of this node, and believes nothing that is not signed so. It is the
 * `secure` of a program that connects; the key is read again for each connection.
 *
 * A handshake that takes more than 5 s is given up: so it is where a program listens that knows nothing of keys, since it does not
 * answer.
 *
 * @param key what {@link openKey} has opened
 */
export function signedBy(key: Pick<OwnKey, 'node' | 'current'>): SecureConnecting {
  return async (socket, { peer, address }) => {
    const from = `the ${peer} at ${address}`
    const timeout = setTimeout(
      () => socket.destroy(new OperationalError(noAnswer(from, `does not answer the hello`))),
      NEWCOMER_MS,
    )
    try {
      return await shakeHands(socket, key.node, await key.current(), from)
    } finally {
      clearTimeout(timeout)
    }
  }
}

async function shakeHands(socket: Socket, node: string, key: Buffer, from: string): Promise<Secured> {
  const connecting = newNonce()
  socket.write(encodeHello({ node, nonce: connecting }))
  const answer = decodeFirst(await nextFrame(socket, from))
  if (answer === undefined) throw new OperationalError(noAnswer(from, 'does not answer with a hello'))
  if ('refused' in answer) throw refusedBy(from, answer.refused)

  const layer = new SignedFrames({ key, node, connecting, listening: answer.nonce }, '>', from)
  socket.write(layer.proof())
  const proof = await nextFrame(socket, from)
  try {
    layer.checkProof(proof)
  } catch (error) {
    const said = decodeFirst(proof)
    if (said && 'refused' in said) throw refusedBy(from, said.refused)
    if (error instanceof SignatureError && error.kind === 'bytes changed')
      throw new OperationalError(
        `${capital(from)} has not proven that it has the key of ${node}. Is it the right machine, and has it the same key?`,
      )
    throw error
  }
  return { socket, layer }
}

async function nextFrame(socket: Socket, from: string): Promise<Buffer> {
  return (await firstFrame(socket, { from: capital(from) })) ?? Buffer.alloc(0)
}

function refusedBy(from: string, why: string): OperationalError {
  return new OperationalError(`${capital(from)} refuses this node: ${why}`)
}

function noAnswer(from: string, what: string): string {
  return `${capital(from)} ${what}. Probably the program there knows nothing of keys, or has much to do: is it of the same chapter, and does it ask for signatures?`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
