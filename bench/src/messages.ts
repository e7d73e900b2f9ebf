import type { Message } from './contestants/contestant.ts'

/** What stands around the payload on the wire. */
const AROUND = JSON.stringify({ type: 'message', payload: '' }).length

/** How much memory the distinct messages may take, in bytes: far more than a processor's caches hold. */
const POOL_BYTES = 16 * 1024 * 1024

/**
 * Distinct messages of this size on the wire, in bytes without a separator. They begin like the beat of
 * a slave (`I am still alive, client: 12345`, which makes 62 bytes) and are filled up with its repetition.
 */
export function distinctMessages(size: number): Message[] {
  const count = Math.max(4, Math.min(50_000, Math.floor(POOL_BYTES / size)))
  return Array.from({ length: count }, (_, n) => {
    const beat = `I am still alive, client: ${10_000 + n} `
    const length = size - AROUND
    // Through a Buffer, so that the text lies in one piece, as one that was read does.
    return { type: 'message', payload: Buffer.alloc(length, beat, 'latin1').toString('latin1') }
  })
}
