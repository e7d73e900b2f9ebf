/**
 * What the sockets of TLS have in common, whoever proves who it is and by what: one version, one cipher, no resumption; and a
 * handshake that can be waited for.
 *
 * @since 0.22.0
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls'

/**
 * TLS 1.3, of which every cipher is good, with the one whose hash belongs to pre-shared keys and the curve that is fast
 * everywhere. No tickets: who holds one could come back by it after its key is gone, and nobody would be asked for a key.
 *
 * @internal
 */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions

/** How long Node lets a handshake take, in ms. It is less elsewhere: this is for what nobody thought of. */
const HANDSHAKE_TIMEOUT_MS = 60_000

/**
 * A handshake, of which both sockets are heard from now on, so that no error of theirs is in nobody's ears.
 *
 * @internal
 */
export class TlsHandshake {
  readonly #below: Socket
  /** The first error of the two sockets: that of the one below says more, as that its time is over. */
  #first: Error | undefined

  /** @param below the socket that TLS is to stand on, of which nothing has been read */
  constructor(below: Socket) {
    this.#below = below
    this.#hear(below)
  }

  /**
   * The handshake of the end that connects.
   *
   * @throws the error that ended it: it has the code ECONNRESET when the other end closed the connection
   */
  async connect(options: ConnectionOptions): Promise<TLSSocket> {
    this.#throwIfClosed()
    const socket = connectTls({ ...options, socket: this.#below })
    this.#hear(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('close', () => reject(this.#why()))
    })
    return socket
  }

  /**
   * The handshake of the end that listens. There is a server for each, which takes 15 KiB: so none knows a ticket of another,
   * and an error after the handshake is told, which a TLSSocket that belongs to no server keeps to itself.
   *
   * @throws the error that ended it, as {@link connect} does
   */
  async accept(options: TlsOptions): Promise<TLSSocket> {
    this.#throwIfClosed()
    const server = createServer({ handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ...options })
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      server.once('secureConnection', resolve).once('tlsClientError', reject)
      this.#below.once('close', () => reject(this.#why()))
      server.emit('connection', this.#below)
    })
    this.#hear(socket)
    return socket
  }

  #hear(socket: Socket): void {
    socket.on('error', (error) => {
      this.#first ??= error
      socket.destroy() // TLS tells of what was changed on the way, and would go on
    })
  }

  #throwIfClosed(): void {
    if (this.#below.destroyed || this.#below.readableEnded) throw this.#why()
  }

  #why(): Error {
    const closed = new Error('the other end closed the connection')
    return this.#first ?? Object.assign(closed, { code: 'ECONNRESET' })
  }
}

/**
 * The code of an error of TLS, without what all of them begin with: `WRONG_VERSION_NUMBER`. What the other end says of an
 * error of its own is an `ALERT_`, whatever version of OpenSSL calls it SSLV3, TLSV1 or SSL/TLS.
 *
 * @internal
 */
export function tlsCodeOf(error: unknown): string {
  return ((error as NodeJS.ErrnoException)?.code ?? '')
    .replace(/^ERR_SSL_/, '')
    .replace(/^(SSLV3|TLSV1|SSL\/TLS)_ALERT_/, 'ALERT_')
}

/**
 * What TLS itself says of an error, for those that nothing better is known of.
 *
 * @internal
 */
export function tlsReasonOf(error: unknown): string {
  const { reason, message } = error as Error & { reason?: string }
  return reason ?? message
}
