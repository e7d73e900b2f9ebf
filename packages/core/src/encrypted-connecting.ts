/**
 * Connecting with a key: the handshake of TLS 1.3 in which each end proves that it knows the key of this node, without
 * saying it.
 *
 * @since 0.22.0
 */
import type { TLSSocket } from 'node:tls'
import type { SecureConnecting } from './connecting.ts'
import { OperationalError } from './lifecycle.ts'
import type { OwnKey } from './own-key.ts'
import { fingerprintOf, tlsIdentityOf, tlsKeyOf } from './tls-keys.ts'
import { TLS_OPTIONS, TlsHandshake, tlsCodeOf, tlsReasonOf } from './tls-sockets.ts'

/** What OpenSSL is told of a certificate that it would take. */
const NO_CERTIFICATES = 'a certificate is no key'

/**
 * Makes connections that are encrypted by a key, for the `secure` of `connect`, `stayConnected` and `ConnectingNode`. The
 * file of the key is read for each connection: a new one in its place holds from the next on.
 *
 * What goes wrong is an OperationalError of `connect`: the other end does not take this key, does not have it, or does not
 * encrypt.
 *
 * @param key this node's, as `openKey` gives it
 */
export function encryptedBy(key: OwnKey): SecureConnecting {
  return async (below, { peer, address }) => {
    const { node } = key
    const handshake = new TlsHandshake(below)
    const secret = await key.current()
    const psk = tlsKeyOf(secret)
    const tried = { peer, address, node, fingerprint: fingerprintOf(secret) }
    let socket: TLSSocket
    try {
      socket = await handshake.connect({
        ...TLS_OPTIONS,
        ca: [], // no authority is trusted
        rejectUnauthorized: true,
        pskCallback: () => ({ psk, identity: tlsIdentityOf(node, secret) }),
        checkServerIdentity: () => new Error(NO_CERTIFICATES),
      })
    } catch (error) {
      throw new OperationalError(whyNotEncrypted(error, tried), { cause: error })
    }
    if (!hasProvenKey(socket)) {
      socket.destroy()
      throw new OperationalError(showsCertificate(tried))
    }
    return { socket }
  }
}

/** A key is a session to TLS, of before this one: where none was taken up, the other end has proven nothing. */
function hasProvenKey(socket: TLSSocket): boolean {
  return socket.isSessionReused() && Object.keys(socket.getPeerCertificate()).length === 0
}

interface Tried {
  peer: string
  address: string
  node: string
  fingerprint: string
}

function whyNotEncrypted(error: unknown, tried: Tried): string {
  const { peer, address, node, fingerprint } = tried
  const other = `The ${peer} at ${address}`
  const code = tlsCodeOf(error)
  if (code === 'ETIMEDOUT')
    return `${other} takes the connection, and does not answer the handshake. Does it encrypt? Is it busy?`
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return `${other} ended the connection in the handshake. Does it encrypt? Its log says why.`
  if (code === 'ALERT_HANDSHAKE_FAILURE')
    return `${other} does not take the key ${fingerprint} of ${node}. Does it know it? Compare it with what \`keys list\` says there.`
  if (code === 'ALERT_ILLEGAL_PARAMETER' || code === 'ALERT_DECRYPT_ERROR')
    return `${other} knows ${node}, and has another key for it than ${fingerprint}. Compare it with what \`keys list\` says there.`
  if (code === 'WRONG_VERSION_NUMBER' || code === 'PACKET_LENGTH_TOO_LONG' || code === 'HTTP_REQUEST')
    return `${other} does not encrypt: what it answers is no TLS. Is this the right port, and does its program use encryptedWith?`
  if (isAboutCertificate(error)) return showsCertificate(tried)
  return `${other} and this node find no way to encrypt: ${tlsReasonOf(error)}.`
}

function showsCertificate({ peer, address, node }: Tried): string {
  return `The ${peer} at ${address} shows a certificate, and does not prove that it knows the key of ${node}. It may be somebody else, or a listener for certificates: those are for certifiedBy.`
}

/** As Node calls what OpenSSL finds wrong with one: SELF_SIGNED_CERT_IN_CHAIN, and no ERR_ before it. */
function isAboutCertificate(error: unknown): boolean {
  const { code = '', message } = error as NodeJS.ErrnoException
  return /^(?!ERR_).*(CERT|SIGNATURE|CRL)/.test(code) || message === NO_CERTIFICATES
}
