/**
 * Connections by certificates, for who has an authority that gives them: each end shows one, and is called as it says. Where
 * there is none, keys need less ({@link encryptedBy}).
 *
 * @since 0.22.0
 */
import { open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  type PeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls'
import type { SecureConnecting } from './connecting.ts'
import type { EncryptedOptions } from './encrypted-listening.ts'
import { expectTls } from './first-bytes.ts'
import { encode } from './frames.ts'
import { Handshakes } from './handshakes.ts'
import { isNodeName } from './key-file.ts'
import { OperationalError } from './lifecycle.ts'
import type { SecureListening } from './listening.ts'
import { TLS_OPTIONS, TlsHandshake, tlsCodeOf, tlsReasonOf } from './tls-sockets.ts'

/** How large a file may be, in bytes: some certificates, one after the other. */
const LARGEST_FILE = 256 * 1024

/** Files in PEM, as openssl writes them. They are read for each connection: what is renewed holds from the next on. */
export interface CertificateFiles {
  /** The certificate of the authority that both ends trust. */
  ca: string
  /** This node's certificate, whose subject has the node's name as its common name (CN). */
  certificate: string
  /** The private key that belongs to it: only its owner may read it. */
  key: string
}

export interface CertifiedByOptions extends CertificateFiles {
  /** What the other end must be called in its certificate. */
  node: string
}

export interface CertifiedWithOptions extends CertificateFiles {
  /** Who has access. Whoever is not among these is refused, whatever its certificate says. */
  nodes: readonly string[]
}

/**
 * Makes connections that are encrypted, and shows a certificate, for the `secure` of `connect`, `stayConnected` and
 * `ConnectingNode`. The other end has to show one of the same authority, with the name that it must have.
 *
 * That this end's own certificate is not taken shows only after the handshake: the other end says so in a message
 * `refused`, and closes the connection.
 */
export function certifiedBy(files: CertifiedByOptions): SecureConnecting {
  return async (below, { peer, address }) => {
    const handshake = new TlsHandshake(below)
    const own = await read(files)
    const refused = (why: string, cause?: unknown) =>
      new OperationalError(
        `The ${peer} at ${address} is not trusted: ${why}${why.endsWith('?') ? '' : '.'}`,
        { cause },
      )
    let socket: TLSSocket
    try {
      socket = await handshake.connect({
        ...TLS_OPTIONS,
        ...own,
        rejectUnauthorized: true,
        // Its name is looked at below: an address says nothing of who is there.
        checkServerIdentity: () => undefined,
      })
    } catch (error) {
      throw refused(whyNotTrusted(error), error)
    }
    const name = nameIn(socket.getPeerCertificate())
    if (name === files.node) return { socket, node: name }
    socket.destroy()
    throw refused(`its certificate is that of ${JSON.stringify(name)}, and not of ${files.node}`)
  }
}

/**
 * Takes connections that are encrypted, of who shows a certificate of the authority and is among those that have access, for
 * the `secure` of `listen` and `ListeningNode`. A connection's `node` is the common name in it.
 *
 * @param files what this end shows, and whom it trusts
 * @param options with how much a newcomer may say, how long it may take, and how many are at work at once
 * @throws OperationalError when a file cannot be read, others may read the key, or they do not belong together
 */
export async function certifiedWith(
  files: CertifiedWithOptions,
  options: EncryptedOptions,
): Promise<SecureListening> {
  try {
    createSecureContext(await read(files))
  } catch (error) {
    if (error instanceof OperationalError) throw error
    throw new OperationalError(
      `${files.ca}, ${files.certificate} and ${files.key} are no certificates and key that belong together: ${tlsReasonOf(error)}.`,
    )
  }
  const handshakes = new Handshakes(options)
  const nodes = new Set(files.nodes)
  return (below, about) => handshakes.run(below, () => accept(below, about, files, nodes))
}

async function accept(
  below: Socket,
  about: { peer: string; address: string },
  files: CertificateFiles,
  nodes: ReadonlySet<string>,
): Promise<{ socket: Socket; node: string }> {
  const handshake = new TlsHandshake(below)
  const own = await read(files)
  await expectTls(below, about)
  const refused = (why: string, cause?: unknown) =>
    new OperationalError(
      `The ${about.peer} at ${about.address} is refused: ${why}${why.endsWith('?') ? '' : '.'}`,
      { cause },
    )
  let socket: TLSSocket
  try {
    socket = await handshake.accept({ ...TLS_OPTIONS, ...own, requestCert: true, rejectUnauthorized: false })
  } catch (error) {
    throw refused(whyRefused(error), error)
  }
  const certificate = socket.getPeerCertificate()
  const name = nameIn(certificate)
  const why = whyNoAccess(socket, certificate, nodes)
  if (name !== undefined && why === undefined) return { socket, node: name }
  socket.end(encode({ type: 'refused', payload: why ?? 'no name' }))
  throw refused(why ?? 'no name')
}

function whyNoAccess(
  socket: TLSSocket,
  certificate: PeerCertificate,
  nodes: ReadonlySet<string>,
): string | undefined {
  const name = nameIn(certificate)
  if (Object.keys(certificate).length === 0) return 'it shows no certificate'
  if (!socket.authorized) return whyNoGoodCertificate(String(socket.authorizationError), certificate)
  if (name === undefined) return 'its certificate has no name in it that a node can have (CN)'
  return nodes.has(name) ? undefined : `${name} has no access here`
}

/** The name in a certificate that a node can have, if there is one, and one only. */
function nameIn({ subject }: PeerCertificate): string | undefined {
  const name: unknown = subject?.CN
  return isNodeName(name) ? name : undefined
}

/** What is wrong with a certificate, by what OpenSSL calls it. */
function whyNoGoodCertificate(code: string, certificate?: PeerCertificate): string {
  const [from, to] = [certificate?.valid_from, certificate?.valid_to]
  const now = new Date().toISOString()
  switch (code) {
    case 'CERT_NOT_YET_VALID':
      return `its certificate is valid only from ${from ?? 'later'} on, and the clock of this machine says ${now}. Is that right? A Pi has none of its own, and sets it from the network some time after its start`
    case 'CERT_HAS_EXPIRED':
      return `its certificate was valid until ${to ?? 'some time ago'}, and the clock of this machine says ${now}`
    case 'CERT_REVOKED':
      return 'its certificate was revoked'
    default:
      return `its certificate is not of the authority that is trusted here (${code})`
  }
}

function whyNotTrusted(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException
  switch (tlsCodeOf(error)) {
    case 'ETIMEDOUT':
      return 'it takes the connection, and does not answer the handshake. Does it encrypt?'
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it ended the connection in the handshake. Does it encrypt? Its log says why'
    case 'WRONG_VERSION_NUMBER':
    case 'PACKET_LENGTH_TOO_LONG':
      return 'it does not encrypt: what it answers is no TLS. Is this the right port?'
    case 'ALERT_HANDSHAKE_FAILURE':
      return 'it takes no certificates: its listener may be one for keys, which are for encryptedBy'
    default:
      if (code.startsWith('ERR_')) return `there is no way to encrypt: ${tlsReasonOf(error)}`
      return whyNoGoodCertificate(code)
  }
}

function whyRefused(error: unknown): string {
  switch (tlsCodeOf(error)) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it ended the connection in the handshake. Does it trust the same authority, and is its clock right?'
    case 'UNSUPPORTED_PROTOCOL':
      return 'it speaks an older TLS than 1.3'
    case 'ALERT_UNKNOWN_CA':
    case 'ALERT_BAD_CERTIFICATE':
    case 'ALERT_CERTIFICATE_UNKNOWN':
    case 'ALERT_CERTIFICATE_EXPIRED':
      return `it does not take the certificate that is shown here (${tlsReasonOf(error)}). Has it the same authority, and is its clock right?`
    default:
      return `there is no way to encrypt: ${tlsReasonOf(error)}`
  }
}

async function read(files: CertificateFiles): Promise<SecureContextOptions> {
  const [ca, cert, key] = await Promise.all([
    readPem(files.ca),
    readPem(files.certificate),
    readPem(files.key, { isSecret: true }),
  ])
  return { ca, cert, key }
}

async function readPem(path: string, { isSecret = false } = {}): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      const { mode, size } = await file.stat()
      if (size > LARGEST_FILE) throw new OperationalError(`${path} has ${size} bytes, and is no certificate.`)
      if (isSecret && process.platform !== 'win32' && mode & 0o077)
        throw new OperationalError(
          `The key in ${path} is refused: others can get at it, since its mode is ${(mode & 0o777).toString(8)}. Do: chmod 600 ${path}`,
        )
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof OperationalError) throw error
    throw new OperationalError(`Cannot read ${path}: ${(error as Error).message}.`)
  }
}
