/**
 * Texts that need no care, recognised fast: most are, and to know it saves most of the work on them. Only for
 * speed: a program that knew nothing of this would send the same bytes.
 *
 * @since 0.5.0
 */

/** A text that JSON takes as it is. To look for it takes half the time of JSON.stringify. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/**
 * Whether a value is a text that JSON has as it stands, between quotes.
 *
 * @internal
 */
export function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && PLAIN.test(value)
}

/**
 * Whether a text is ASCII without the DEL character, in a fifth of the time of a search for anything else: what
 * is not ASCII takes more bytes than units.
 *
 * @internal
 */
export function isAsciiOnly(text: string): boolean {
  return Buffer.byteLength(text) === text.length && !text.includes('\x7f')
}
