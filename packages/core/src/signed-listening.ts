/**
 * The handshake of a node that others connect to, where all that is said is signed: who connects has to prove which node it is.
 *
 * @since 0.21.0
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Secured } from './connection.ts'
import { beginsAsTls } from './decoder.ts'
import { Handshakes, NEWCOMER_MS } from './handshakes.ts'
import type { NodeKeys } from './key-files.ts'
import { OperationalError } from './lifecycle.ts'
import type { SecureListening } from './listening.ts'
import type { Logger } from './logging.ts'
import { sameAddress } from './network-addresses.ts'
import { firstFrame } from './newcomer-frames.ts'
import { SignatureError } from './signatures.ts'
import { SignedFrames } from './signed-frames.ts'
import {
  decodeFirst,
  encodeHello,
  encodeRefusal,
  type Hello,
  mayBecomeHello,
  newNonce,
} from './signed-hello.ts'

/** After how long in which it says nothing a peer that may come without a key is taken for one that has none, in ms: it may be waiting to be asked. */
const SILENT_MS = NEWCOMER_MS / 2

export interface SignedWithOptions {
  /** Begins no handshake any more when it is aborted. */
  stop: AbortSignal
  /** Where is told who is taken without a key. */
  log: Logger
  /** The addresses from which nodes without a key are taken, as those of the original: `192.168.1.20`. Default: none. */
  unsigned?: readonly string[]
}

/**
 * Believes nothing that is not signed with the key of the node that says it, and signs all that is said to it. It is the `secure`
 * of a program that listens.
 *
 * | Who connects | What happens |
 * | --- | --- |
 * | a node with a key that is known here | it is served, and its connection has its name |
 * | a node that is not known, or has another key | it is refused with the same words, and the log says which of the two it was |
 * | who plays back a recording | it is refused, since what this end has made up for this connection is not in it |
 * | a node without a key, from an address of `unsigned` | it is served as it was before there were keys |
 * | a node without a key, from elsewhere | it is refused in a frame that it can read, and the log says what to do |
 * | the same, and it encrypts | it is refused so, and the log says that it encrypts |
 *
 * Whoever has not proven anything yet has 5 s and 16 KiB for it, as {@link Handshakes} says.
 *
 * @param keys what {@link openKeys} has opened
 * @throws OperationalError when one of `unsigned` is no address
 */
export function signedWith(keys: NodeKeys, { stop, log, unsigned = [] }: SignedWithOptions): SecureListening {
  const handshakes = new Handshakes()
  const taken = new Set(unsigned.map(checkedAddress))
  return (socket, { address }) =>
    handshakes.run(socket, async () => {
      stop.throwIfAborted()
      const mayBeUnsigned = taken.has(sameAddress(socket.remoteAddress ?? '') ?? '')
      const hello = await readHello(socket, address, mayBeUnsigned)
      if (hello) return proven(socket, hello, keys, address)
      if (!mayBeUnsigned) throw withoutKey(socket, keys, address)
      log.info(`${address} comes without a key, as "unsigned" lets it`)
      return { socket }
    })
}

function checkedAddress(text: string): string {
  const address = sameAddress(text)
  if (address !== undefined) return address
  throw new OperationalError(
    `${JSON.stringify(text)} is no address from which nodes without a key could come. One looks like this: 192.168.1.20`,
  )
}

/** The hello of who connects. */
type NodesHello = Hello & { node: string }

/** The same, off its socket; undefined when it knows nothing of such. */
async function readHello(
  socket: Socket,
  from: string,
  mayBeUnsigned: boolean,
): Promise<NodesHello | undefined> {
  const bytes = await firstFrame(socket, {
    from,
    mayBegin: mayBecomeHello,
    ...(mayBeUnsigned && { enough: AbortSignal.timeout(SILENT_MS) }),
  })
  if (bytes === undefined) return undefined
  const hello = decodeFirst(bytes)
  if (!hello || 'refused' in hello || hello.node === undefined) {
    socket.write(encodeRefusal('This hello cannot be read here.'))
    throw new OperationalError(`The hello of ${from} cannot be read here, so it was refused.`)
  }
  return { node: hello.node, nonce: hello.nonce }
}

async function proven(
  socket: Socket,
  { node, nonce: connecting }: NodesHello,
  keys: NodeKeys,
  address: string,
): Promise<Secured> {
  const known = keys.keysOf(node)
  const listening = newNonce()
  socket.write(encodeHello({ nonce: listening }))
  const from = `${node} at ${address}`
  const proof = (await firstFrame(socket, { from })) ?? Buffer.alloc(0)

  // A node that is not known takes as long as one that has another key, and is told the same.
  let refused: SignatureError | undefined
  for (const key of known.length > 0 ? known : [randomBytes(32)]) {
    const layer = new SignedFrames({ key, node, connecting, listening }, '<', from)
    try {
      layer.checkProof(proof)
      socket.write(layer.proof())
      return { socket, layer, node }
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error
      refused = error
    }
  }
  socket.write(encodeRefusal(`It has not proven that it is ${node}. Has it the key that is kept here?`))
  if (refused?.kind !== 'bytes changed') throw refused
  throw new OperationalError(
    known.length > 0
      ? `${address} says that it is ${node}, and has not its key, so it was refused. The key of ${node} is in ${keys.folder}: has the node the same file?`
      : `${address} says that it is ${node}, and there is no key of ${node} in ${keys.folder}, so it was refused.`,
  )
}

function withoutKey(socket: Socket, keys: NodeKeys, address: string): OperationalError {
  const said: Buffer | null = socket.read()
  socket.write(encodeRefusal('Only nodes with a key are served here: all that is said has to be signed.'))
  if (said && beginsAsTls(said))
    return new OperationalError(
      `${address} encrypts (it begins as TLS does), so it was refused: this port is for who signs, and does not encrypt.`,
    )
  return new OperationalError(
    `${address} comes without a key, so it was refused. If it is one of yours, start a program there that signs, with a key of ${keys.folder}; or have its address in "unsigned".`,
  )
}
