/**
 * What a signature covers, and what can be wrong with one: who says something, in which connection, in which direction, as the
 * how many-th, and the exact bytes that are said.
 *
 * @since 0.21.0
 */
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { OperationalError } from './lifecycle.ts'

/** What is signed here, and in which version: a signature for one use is none for another. */
const PURPOSE = 'rpi-cluster signed 1'

/**
 * How many letters a signature has: 32 bytes as base64url.
 *
 * @internal
 */
export const SIGNATURE_LETTERS = 43

/** How many letters of a hash stand for a connection in a header: it is there to be read, and the signature covers the whole nonces. */
const CONNECTION_LETTERS = 16

/**
 * Who says something: `>` the end that has connected, `<` the one that listens.
 *
 * @internal
 */
export type Direction = '>' | '<'

/** What can be wrong with a signed frame. */
export type SignatureProblem =
  | 'not signed'
  | 'other node'
  | 'old connection'
  | 'other direction'
  | 'same connection again'
  | 'out of order'
  | 'bytes changed'
  | 'after the farewell'
  | 'cut off at the end'

/** Something has come that the peer has not said, or not here, or not now. Nothing after it on its connection is believed. */
export class SignatureError extends OperationalError {
  override readonly name: string = 'SignatureError'
  readonly kind: SignatureProblem

  constructor(kind: SignatureProblem, text: string) {
    super(text)
    this.kind = kind
  }
}

/**
 * What both ends have agreed on.
 *
 * @internal
 */
export interface Agreed {
  /** The key of the node that has connected: 32 bytes. */
  readonly key: Buffer
  /** What that node is called. */
  readonly node: string
  /** What each end has made up for this connection: 32 bytes. */
  readonly connecting: Buffer
  readonly listening: Buffer
}

/**
 * What stands for a connection in the header of a frame.
 *
 * @internal
 */
export function connectionId({ connecting, listening }: Agreed): string {
  return createHash('sha256').update(connecting).update(listening).digest('hex').slice(0, CONNECTION_LETTERS)
}

/**
 * Makes the signatures of one connection and one direction.
 *
 * @internal
 */
export class Signer {
  readonly #key: KeyObject
  /** All that comes before the frame, with room for what changes: the number of the frame, and its length. */
  readonly #before: Buffer

  constructor({ key, node, connecting, listening }: Agreed, direction: Direction) {
    this.#key = createSecretKey(key)
    // Each field has its length before it: no two lists of fields give the same bytes.
    const fields = [PURPOSE, node, direction, connecting, listening].map(field)
    this.#before = Buffer.concat([...fields, field(Buffer.alloc(8)), Buffer.alloc(4)])
  }

  /** The signature of a frame, without its separator, as base64url. */
  sign(number: number, frame: string | Uint8Array, encoding: BufferEncoding): string {
    const before = this.#before
    const isText = typeof frame === 'string'
    before.writeUInt32BE(Math.floor(number / 2 ** 32), before.length - 12)
    before.writeUInt32BE(number % 2 ** 32, before.length - 8)
    before.writeUInt32BE(isText ? Buffer.byteLength(frame, encoding) : frame.length, before.length - 4)
    const hmac = createHmac('sha256', this.#key).update(before)
    return (isText ? hmac.update(frame, encoding) : hmac.update(frame)).digest('base64url')
  }

  /**
   * Whether a signature is that of a frame. How long that takes tells nothing of where they differ. Letters are compared, and not
   * the bytes that they stand for: base64url has two ways to write some.
   */
  isRight(signature: Uint8Array, number: number, frame: Uint8Array): boolean {
    const right = Buffer.from(this.sign(number, frame, 'latin1'), 'latin1')
    return signature.length === right.length && timingSafeEqual(signature, right)
  }
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
