/**
 * Listening for nodes with keys: a handshake of TLS 1.3 in which each proves that it knows the key of a node. Who it is, is
 * whose key it has; and whose key is taken away is cut off.
 *
 * @since 0.22.0
 */
import type { Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { CutOff } from './cut-off.ts'
import { expectTls } from './first-bytes.ts'
import { Handshakes, type HandshakesOptions } from './handshakes.ts'
import type { DatedKey } from './key-file.ts'
import { OperationalError } from './lifecycle.ts'
import type { SecureListening } from './listening.ts'
import type { Logger } from './logging.ts'
import type { NodeKeys } from './node-keys.ts'
import { type ProvenKey, ShownKey } from './shown-key.ts'
import { fingerprintOf } from './tls-keys.ts'
import { TLS_OPTIONS, TlsHandshake, tlsCodeOf, tlsReasonOf } from './tls-sockets.ts'

export interface EncryptedOptions extends HandshakesOptions {
  /** Ends the watch of the keys. */
  stop: AbortSignal
  /** Where is told which node has still to get its new key. */
  log: Logger
}

/**
 * Takes connections that are encrypted by a key, for the `secure` of `listen` and `ListeningNode`. A connection's `node` is
 * whose key it is.
 *
 * | What comes | What happens |
 * | --- | --- |
 * | a node with a key that holds | it is served |
 * | a name without its key, a key that is unknown or holds no more, a ticket, another version of TLS | refused, with a line |
 * | somebody who does not encrypt | is told so in a message `refused`, with a line |
 * | somebody who says too little, or too much, or comes too often | what `Handshakes` says |
 *
 * When a key is taken away, its node's connections end at once.
 *
 * @param keys those of all nodes that have access, as `openKeys` gives them
 * @param options with how much a newcomer may say, how long it may take, and how many are at work at once
 */
export function encryptedWith(keys: NodeKeys, options: EncryptedOptions): SecureListening {
  const handshakes = new Handshakes(options)
  const cutOff = new CutOff(keys, options.stop)
  return (below, about) =>
    handshakes.run(below, async () => {
      const { socket, node, key } = await acceptByKey(below, about, keys)
      cutOff.add({ socket, node, key, address: about.address })
      tellOldKey(options.log, keys.allOf(node), { node, key })
      return { socket, node }
    })
}

function tellOldKey(log: Logger, all: readonly DatedKey[], { node, key }: ProvenKey): void {
  const text = key.toString('base64url')
  const { until } = all.find(({ key }) => key === text) ?? {}
  if (until !== undefined)
    log.info(
      `${node} comes by its older key ${fingerprintOf(key)}, which holds until ${until}: its new file is to be copied there.`,
    )
}

/**
 * One handshake. There is no certificate in it: with one, TLS would show it to whoever names a key that is unknown, and let that
 * in.
 *
 * @param more what else TLS is told
 * @throws OperationalError when it fails, with who it was and why
 * @internal
 */
export async function acceptByKey(
  below: Socket,
  about: { peer: string; address: string },
  keys: NodeKeys,
  more: TlsOptions = {},
): Promise<ProvenKey & { socket: TLSSocket }> {
  const handshake = new TlsHandshake(below)
  await expectTls(below, about)
  const shown = new ShownKey(keys)
  const pskCallback = (_: TLSSocket, identity: string) => shown.take(identity)
  const refused = (why: string, cause?: unknown) =>
    new OperationalError(`The ${about.peer} at ${about.address} is refused: ${why}.`, { cause })
  let socket: TLSSocket
  try {
    socket = await handshake.accept({ ...TLS_OPTIONS, ...more, pskCallback })
  } catch (error) {
    throw refused(whyRefused(error, shown), error)
  }
  const { proven } = shown
  if (!proven) {
    socket.destroy()
    throw refused('it comes by a ticket of an earlier connection, or its key was revoked just now')
  }
  return { socket, ...proven }
}

function whyRefused(error: unknown, { problem }: ShownKey): string {
  switch (tlsCodeOf(error)) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it ended the connection in the middle of the handshake'
    case 'UNSUPPORTED_PROTOCOL':
    case 'VERSION_TOO_LOW':
      return 'it speaks an older TLS than 1.3'
    case 'NO_SHARED_CIPHER':
    case 'NO_SUITABLE_KEY_SHARE':
    case 'NO_SHARED_GROUPS':
      return 'it encrypts in no way that is taken here, which is TLS_AES_128_GCM_SHA256 with X25519'
    case 'BINDER_DOES_NOT_VERIFY':
    case 'NO_SUITABLE_SIGNATURE_ALGORITHM':
      return problem
    case 'DECRYPTION_FAILED_OR_BAD_RECORD_MAC':
      return `${problem}, or plays back what was recorded`
    default:
      return `${problem}, or what it says is no TLS (${tlsReasonOf(error)})`
  }
}
