/**
 * Bytes as text, and text as bytes. What {@link shown} makes of bytes is what {@link bytesOf} takes: a reader
 * who copies what was shown, and types it, sends the same bytes again.
 */
import { isUtf8 } from 'node:buffer'
import { ReaderError } from '../workspace/reader-error.ts'

/** How many bytes a row of numbers has. */
const ROW = 16

/** The bytes that have an escape of their own. */
const SHORT_ESCAPES = new Map([
  ['\\', '\\'],
  ['r', '\r'],
  ['n', '\n'],
  ['t', '\t'],
  ['0', '\0'],
])
const SHORT_FORM = new Map([...SHORT_ESCAPES].map(([letter, char]) => [char, `\\${letter}`]))

/** What a terminal acts on, or does not show: controls, marks of direction, line and paragraph separators. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u

/**
 * Bytes as a line of text. What is readable is shown as it is, all else as an escape: `\r`, `\x00`; a backslash
 * is shown as two.
 *
 * @param limit after how many characters to stop; then `...` says that more would come
 */
export function shown(bytes: Buffer, limit = Number.POSITIVE_INFINITY): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    if (text.length >= limit) return `${text} ...`
    const char = characterAt(bytes, at)
    const end = at + Math.max(1, Buffer.byteLength(char))
    // JSON in single quotes is typed for JSON in double ones (see Quotes), so what is not that looks otherwise.
    const isPlain = char !== '' && !INVISIBLE.test(char) && !(char === "'" && /^ *[[{] *$/.test(text))
    text += SHORT_FORM.get(char) ?? (isPlain ? char : inHex(bytes.subarray(at, end)))
    at = end
  }
  return text
}

/**
 * The bytes of a text with escapes: `\r`, `\n`, `\t`, `\0`, `\\`, `\x1b` for one byte, `\u00e9` for a character.
 *
 * @throws ReaderError at an escape that is none of these
 */
export function bytesOf(text: string): Buffer {
  const parts = text.match(/(?:\\u[\da-fA-F]{4})+|\\x[\da-fA-F]{2}|\\.?|[^\\]+/gsu) ?? []
  return Buffer.concat(parts.map(bytesOfPart))
}

/** Bytes as rows of numbers, each with the characters beside it. */
export function hexRows(bytes: Buffer, limit: number): string[] {
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += ROW) {
    if (rows.length === limit) return [...rows, '...']
    const row = bytes.subarray(at, at + ROW)
    const numbers = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const characters = row.toString('latin1').replace(/[^ -~]/g, '.')
    rows.push(`${numbers.padEnd(3 * ROW)}  ${characters}`)
  }
  return rows
}

/** The character whose bytes begin here; none when they are no UTF-8. */
function characterAt(bytes: Buffer, at: number): string {
  const first = bytes[at] ?? 0
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  const character = bytes.subarray(at, at + length)
  return isUtf8(character) ? character.toString() : ''
}

function inHex(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

function bytesOfPart(part: string): Buffer {
  if (!part.startsWith('\\')) return Buffer.from(part)
  if (/^\\x../.test(part)) return Buffer.from(part.slice(2), 'hex')
  if (/^\\u..../.test(part)) {
    const characters = JSON.parse(`"${part}"`) as string
    if (/\p{Surrogate}/u.test(characters)) throw new ReaderError(`${part} is half a character.`)
    return Buffer.from(characters)
  }
  const char = SHORT_ESCAPES.get(part.slice(1))
  if (char !== undefined) return Buffer.from(char)
  throw new ReaderError(
    `${part} is no escape. There are \\r, \\n, \\t, \\0, \\x1b for a byte and \\u00e9 for a character; a backslash is \\\\.`,
  )
}
