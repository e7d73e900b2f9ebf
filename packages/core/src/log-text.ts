/**
 * Makes a line of a log safe to look at. What a peer sends ends up in the log, and a terminal obeys
 * control characters: so they are shown as text, and what is very long is shortened.
 *
 * @since 0.2.0
 */

/** The longest value that a log line keeps whole, in characters. */
const LONGEST_VALUE = 2000

/** How much is kept of a value that is longer, in characters. */
const KEPT = 1000

/**
 * What cannot be seen, and what a terminal or an editor acts on: control characters (U+009B starts an escape
 * sequence as ESC [ does), the marks that reverse the direction of text, two line ends, and all that is drawn
 * as nothing: zero-width spaces and joiners, the soft hyphen, tags, variation selectors. The Arabic number
 * signs count as format characters too, and are to be seen.
 */
const INVISIBLE = String.raw`(?![\u0600-\u0605\u06dd\u0890\u0891\u08e2])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`

/** In JSON, which shows U+0000 to U+001F by itself. The line feed at the end of a log's line is one. */
const INVISIBLE_IN_JSON = new RegExp(`(?![\\0-\\x1f])${INVISIBLE}`, 'gu')

/** In a text: half a character, too, and what looks like a space. */
const INVISIBLE_IN_TEXT = new RegExp(`${INVISIBLE}|(?! )[\\p{Zs}\\u2800]|\\p{Cs}`, 'gu')

/** What a line has that needs no look for what is invisible: most of them. */
const ASCII = /^[\n\x20-\x7e]*$/

/** An escape sequence of JSON: a control character in group 1, or one that needs no attention. */
const JSON_ESCAPE = /\\(?:["\\/]|([bfnrt]|u[0-9a-f]{4}))/gi

/** Writes the characters of a JSON text that cannot be seen, or that a terminal would act on, as JSON's `\uXXXX`. Its value stays the same. */
export function escapeInvisible(json: string): string {
  return ASCII.test(json) ? json : json.replace(INVISIBLE_IN_JSON, codeOf)
}

/** A text as a reader has to see it who looks for what is wrong with it: with `\u200b` for a zero-width space, and its like. */
export function showInvisible(text: string): string {
  return text.replace(INVISIBLE_IN_TEXT, codeOf)
}

/** Changes JSON text so that a control character inside its strings parses to its escaped form: ESC to the six characters `\u001b`. */
export function escapeControls(json: string): string {
  return json.replace(JSON_ESCAPE, (whole, control: string | undefined) =>
    control ? `\\\\${control}` : whole,
  )
}

/** Shortens the values of a log line (one JSON object) that are longer than 2000 characters, and says how long they were. */
export function shortenLine(line: string): string {
  if (line.length <= LONGEST_VALUE) return line
  const record = Object.entries(JSON.parse(line) as Record<string, unknown>)
  const shortened = record.map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    if (text.length <= LONGEST_VALUE) return [key, value]
    return [key, `${text.slice(0, KEPT)}... (${text.length} characters in all)`]
  })
  return `${JSON.stringify(Object.fromEntries(shortened))}\n`
}

/** `\u200b`; a character beyond U+FFFF is two such, as in JSON. */
function codeOf(char: string): string {
  return [...Array(char.length).keys()]
    .map((index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('')
}
