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
 * What JSON lets through and a terminal or an editor acts on: DEL and the C1 controls (U+009B starts
 * an escape sequence as ESC [ does), the marks that reverse the direction of text, and two line ends.
 */
const INVISIBLE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** An escape sequence of JSON: a control character in group 1, or one that needs no attention. */
const JSON_ESCAPE = /\\(?:["\\/]|([bfnrt]|u[0-9a-f]{4}))/gi

/** Writes the characters that a terminal would act on as JSON's `\uXXXX`. The value of the JSON stays the same. */
export function escapeInvisible(json: string): string {
  return json.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
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
