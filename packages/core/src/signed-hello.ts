/**
 * What both ends of a signed connection say first: the hello, with what each has made up for this connection, and the refusal, in
 * words that a node without keys understands too.
 *
 * @since 0.21.0
 */
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { encode } from './frames.ts'
import { isNodeName } from './key-file.ts'
import { textOf } from './messages.ts'

/** How many bytes each end makes up: nobody has ever made up the same. */
const NONCE_BYTES = 32

/** 32 bytes as base64url. The last letter has two bits that stand for nothing, and are 0. */
const NONCE_TEXT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** How every hello begins, to the letter: who says anything else knows nothing of keys. */
const BEGINNING = '{"type":"hello","payload":{"signed":'

/** How much is shown of what a peer gives as its reason, in characters. */
const SHOWN = 300

/** @internal */
export interface Hello {
  /** Who connects. Who listens does not say it. */
  node?: string | undefined
  nonce: Buffer
}

const frame = v.object({ type: v.string(), payload: v.unknown() })

const hello = v.object({
  signed: v.literal(1),
  node: v.optional(v.custom<string>(isNodeName)),
  nonce: v.pipe(v.string(), v.regex(NONCE_TEXT)),
})

/**
 * What is made up for one connection.
 *
 * @internal
 */
export function newNonce(): Buffer {
  return randomBytes(NONCE_BYTES)
}

/** @internal */
export function encodeHello({ node, nonce }: Hello): string {
  return encode({
    type: 'hello',
    payload: { signed: 1, ...(node !== undefined && { node }), nonce: nonce.toString('base64url') },
  })
}

/** @internal */
export function encodeRefusal(why: string): string {
  return encode({ type: 'refused', payload: why })
}

/**
 * Whether what begins so may become a hello; or is one, if that is all.
 *
 * @internal
 */
export function mayBecomeHello(letters: string, isAll: boolean): boolean {
  return letters.startsWith(isAll ? BEGINNING : BEGINNING.slice(0, letters.length))
}

/**
 * What a first frame is: a hello, a reason why there is no conversation, or undefined: something else.
 *
 * @internal
 */
export function decodeFirst(bytes: Buffer): Hello | { refused: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  const said = v.safeParse(frame, value)
  if (!said.success) return undefined
  const { type, payload } = said.output
  if (type === 'refused') return { refused: textOf(payload).slice(0, SHOWN) }
  const parsed = type === 'hello' ? v.safeParse(hello, payload) : undefined
  if (!parsed?.success) return undefined
  return { node: parsed.output.node, nonce: Buffer.from(parsed.output.nonce, 'base64url') }
}
