/** What is random. Digests are not among it: who needs one is told so. */
import { Buffer } from 'node:buffer'

const UINT32 = 2 ** 32

/** How many bytes a browser gives at once. */
const MOST_AT_ONCE = 65_536

export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count)
  for (let from = 0; from < count; from += MOST_AT_ONCE)
    globalThis.crypto.getRandomValues(bytes.subarray(from, from + MOST_AT_ONCE))
  return bytes
}

export const randomUUID = () => globalThis.crypto.randomUUID()

/** A whole number from `from`, or 0, to one less than `to`. */
export function randomInt(from: number, to?: number): number {
  const [least, end] = to === undefined ? [0, from] : [from, to]
  const range = end - least
  if (!(range > 0 && range <= UINT32))
    throw new RangeError(
      `The value of "max" is out of range. It must be greater than the value of "min" (${least}). Received ${end}`,
    )
  const fair = UINT32 - (UINT32 % range)
  for (;;) {
    const [number = 0] = globalThis.crypto.getRandomValues(new Uint32Array(1))
    if (number < fair) return least + (number % range)
  }
}

export function createHash(): never {
  throw new Error('The page has no digests as node:crypto makes them.')
}

export default { randomBytes, randomUUID, randomInt, createHash }
