/** Command lines for the shell of another machine. */

/**
 * A command line, with each value in it as one word, whatever it holds: no space, quote or `$` of it means anything
 * to the shell. A list becomes several words.
 *
 *     sh`cd ${folder} && node ${file}`
 */
export function sh(texts: TemplateStringsArray, ...values: (string | readonly string[])[]): string {
  return String.raw({ raw: texts }, ...values.map((value) => [value].flat().map(quoted).join(' ')))
}

/** A word in single quotes where it needs them: nothing means anything there but the quote itself. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
