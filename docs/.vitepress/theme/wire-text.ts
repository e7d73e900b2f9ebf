/** The bytes of the wire, made visible. */
export { bytesOf, hexDump } from '@rpi-cluster/tutorial/words.js'

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
