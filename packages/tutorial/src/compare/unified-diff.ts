/** What differs, as a text that looks like git's: unified diffs, or lines with their changed words marked. */
import { diffArrays } from 'diff'
import type { FileDiff, Side } from './file-diff.ts'
import { type HunkOptions, hunksIn } from './hunks.ts'

/** The escape sequences that begin each kind of text; nothing for what has no colour. */
export interface Colors {
  /** Headers of files. */
  meta: string
  /** Where a hunk is. */
  frag: string
  /** The line of code that a hunk is below. */
  func: string
  context: string
  old: string
  new: string
}

export interface UnifiedOptions extends HunkOptions {
  /** What the names of the two folders are. */
  names: [before: string, after: string]
  /** Mark changed words in place of lines. */
  word?: boolean
  /** Without it the text is plain. */
  colors?: Colors
}

const RESET = '\u001b[m'

/** How much of the line of code that a hunk is below is shown, in characters. */
const LONGEST_HEADING = 80

/** All files, one after the other, each line ended by a line feed. Nothing when nothing differs. */
export function unifiedDiff(files: readonly FileDiff[], options: UnifiedOptions): string {
  return files
    .flatMap((file) => [...headerOf(file, options), ...hunksOf(file, options)])
    .map((line) => `${line}\n`)
    .join('')
}

function headerOf(diff: FileDiff, { names, colors }: UnifiedOptions): string[] {
  const { before, after, status, similarity = 0, isBinary, runs, backFrom } = diff
  const path = (name: string, side: Side | undefined) => quoted(`${name}/${side?.file}`)
  const older = path(before ? (backFrom ?? names[0]) : names[1], before ?? after)
  const newer = path(after ? names[1] : names[0], after ?? before)
  const [from, to] = [before ? older : '/dev/null', after ? newer : '/dev/null']
  return [
    `diff --git ${older} ${newer}`,
    ...(status === 'added' ? ['new file mode 100644'] : []),
    ...(status === 'removed' ? ['deleted file mode 100644'] : []),
    ...(status === 'moved'
      ? [`similarity index ${Math.floor(similarity * 100)}%`, `rename from ${older}`, `rename to ${newer}`]
      : []),
    ...(isBinary && status !== 'moved' ? [`Binary files ${from} and ${to} differ`] : []),
    // A space in a name ends with a tab, so that patch finds where the name ends.
    ...(runs.length > 0 ? [`--- ${withTab(from)}`, `+++ ${withTab(to)}`] : []),
  ].map((line) => colored(line, colors?.meta))
}

function hunksOf(diff: FileDiff, options: UnifiedOptions): string[] {
  const { word = false, colors } = options
  const [older, newer] = [diff.before?.lines ?? [], diff.after?.lines ?? []]
  return hunksIn(diff, options).flatMap(({ beforeStart, beforeEnd, afterStart, afterEnd, runs }) => {
    const place = `@@ -${rangeOf(beforeStart, beforeEnd)} +${rangeOf(afterStart, afterEnd)} @@`
    const heading = headingOf(older, beforeStart)
    const rows: string[] = []
    let next = afterStart
    for (const run of [...runs, undefined]) {
      for (; next < (run?.afterStart ?? afterEnd); next += 1)
        rows.push(...lineOf(word ? '' : ' ', newer[next] as string, colors?.context))
      if (!run) break
      const gone = older.slice(run.beforeStart, run.beforeEnd)
      const come = newer.slice(run.afterStart, run.afterEnd)
      if (word) rows.push(...wordDiff(gone.join(''), come.join(''), colors))
      else {
        rows.push(...gone.flatMap((line) => lineOf('-', line, colors?.old)))
        rows.push(...come.flatMap((line) => lineOf('+', line, colors?.new)))
      }
      next = run.afterEnd
    }
    return [colored(place, colors?.frag) + (heading && ` ${colored(heading, colors?.func)}`), ...rows]
  })
}

/** Lines from `start`, counted from 0, to `end`, as a hunk's header says it: first line and number. */
function rangeOf(start: number, end: number): string {
  const count = end - start
  // Where there are none, it is the line above.
  return count === 1 ? `${start + 1}` : `${count === 0 ? start : start + 1},${count}`
}

/** The nearest line above a hunk that begins at the margin with a letter, as a declaration does. */
function headingOf(lines: readonly string[], start: number): string {
  for (let index = start - 1; index >= 0; index -= 1) {
    const line = lines[index] as string
    if (/^[A-Za-z_$]/.test(line)) return line.slice(0, LONGEST_HEADING).trimEnd()
  }
  return ''
}

function lineOf(mark: string, line: string, color: string | undefined): string[] {
  if (line.endsWith('\n')) return [colored(mark + line.slice(0, -1), color)]
  return [colored(mark + line, color), ...(mark ? ['\\ No newline at end of file'] : [])]
}

/** A run of changed lines as one text: what is gone as `[-words-]`, what is new as `{+words+}`. */
function wordDiff(gone: string, come: string, colors: Colors | undefined): string[] {
  if (come === '') return marked(gone, '[-', '-]', colors?.old).replace(/\n$/, '').split('\n')
  const [older, newer] = [wordsIn(gone), wordsIn(come)]
  const texts = (words: readonly Word[]) => words.map(({ text }) => text)
  let result = ''
  let [olderNext, newerNext, shown] = [0, 0, 0]
  const parts = diffArrays(texts(older), texts(newer))
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index]
    if (!part) break
    if (!part.added && !part.removed) {
      olderNext += part.count
      newerNext += part.count
      continue
    }
    const pair = [part, parts[index + 1]]
    const removed = pair.find((other) => other?.removed)?.count ?? 0
    const added = pair.find((other) => other?.added)?.count ?? 0
    if (removed > 0 && added > 0) index += 1
    const taken = older.slice(olderNext, olderNext + removed)
    const put = newer.slice(newerNext, newerNext + added)
    // What is kept, with the space as it is now, up to where the new words are or would be.
    const upTo = put[0]?.start ?? newer[newerNext - 1]?.end ?? 0
    result += come.slice(shown, upTo)
    result += marked(gone.slice(taken[0]?.start ?? 0, taken.at(-1)?.end ?? 0), '[-', '-]', colors?.old)
    result += marked(come.slice(upTo, put.at(-1)?.end ?? upTo), '{+', '+}', colors?.new)
    shown = put.at(-1)?.end ?? upTo
    olderNext += removed
    newerNext += added
  }
  result += come.slice(shown)
  return result.replace(/\n$/, '').split('\n')
}

interface Word {
  text: string
  start: number
  end: number
}

function wordsIn(text: string): Word[] {
  return [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({
    text: word,
    start: index,
    end: index + word.length,
  }))
}

/** Words between marks, each line by itself. */
function marked(words: string, open: string, close: string, color: string | undefined): string {
  return words
    .split('\n')
    .map((line) => (line === '' ? '' : colored(open + line + close, color)))
    .join('\n')
}

function colored(text: string, color: string | undefined): string {
  return color && text ? `${color}${text}${RESET}` : text
}

function withTab(path: string): string {
  return path.includes(' ') ? `${path}\t` : path
}

/** A path as git writes it: in quotes if it has a quote, a backslash or a control character in it. */
export function quoted(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!/["\\\u0000-\u001f\u007f]/.test(path)) return path
  const escapes: Record<string, string> = { '\n': 'n', '\t': 't', '\r': 'r', '"': '"', '\\': '\\' }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const safe = path.replace(/["\\\u0000-\u001f\u007f]/g, (char) => {
    const octal = char.charCodeAt(0).toString(8).padStart(3, '0')
    return `\\${escapes[char] ?? octal}`
  })
  return `"${safe}"`
}
