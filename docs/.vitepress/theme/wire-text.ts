/** The bytes of the wire, made visible. */
import type { WireBytes } from '@rpi-cluster/tutorial/record/wire'

/** The bytes of an entry. */
export function bytesOf({ text, base64 }: WireBytes): Uint8Array {
  if (text !== undefined) return new TextEncoder().encode(text)
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}

/** A piece of text: as it is, or a character that is not seen otherwise, in the form that programs write. */
export interface Visible {
  text: string
  isEscape: boolean
}

/** A text with its control characters made visible: `\r`, `\n`, `\x1b`. */
export function visible(text: string): Visible[] {
  return text
    .split(/(\p{Cc})/u)
    .filter((part) => part !== '')
    .map((part) => ({
      isEscape: /^\p{Cc}$/u.test(part),
      text: part.replace(/\p{Cc}/u, escaped),
    }))
}

function escaped(char: string): string {
  const names: Record<string, string> = { '\r': '\\r', '\n': '\\n', '\t': '\\t' }
  return names[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** So many bytes to a line, in hexadecimal and as ASCII; a point stands for what is not printed. */
export function hexDump(bytes: Uint8Array, perLine: number): string {
  const lines: string[] = []
  for (let start = 0; start < bytes.length; start += perLine) {
    const row = [...bytes.subarray(start, start + perLine)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${hex.padEnd(perLine * 3)}  ${ascii}`)
  }
  return lines.join('\n')
}
