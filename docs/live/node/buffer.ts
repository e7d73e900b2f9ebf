/** Bytes: npm's, and what Node has besides. */
// By a path that Node's own of this name does not take.
import * as npm from 'buffer/index.js'

export const Buffer = npm.Buffer as unknown as typeof import('node:buffer').Buffer
const LARGEST = 2 ** 31 - 1
export const kMaxLength = LARGEST
export const constants = { MAX_LENGTH: LARGEST, MAX_STRING_LENGTH: 2 ** 29 - 24 }
const strict = new TextDecoder('utf-8', { fatal: true })

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

export function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80)
}

export default { Buffer, isUtf8, isAscii, kMaxLength, constants }
