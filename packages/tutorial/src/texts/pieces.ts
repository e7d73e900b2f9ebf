/**
 * A program in pieces: all of its lines, once each and in their order, a few to a paragraph of a README.
 * A piece begins where the one before it ended. Import lines are the exception: each stands at the head of
 * the first piece that uses what it brings, so that a reader meets the name where it is needed.
 */
import { ReadmeProblem } from './readme-problem.ts'

/** A line of a program beside the chapter before: kept, new, or gone. */
export interface MarkedLine {
  mark: ' ' | '+' | '-'
  text: string
  /** Where it is in the newer file, from 1; for a line that is gone, where the next one is. */
  line: number
}

/**
 * Takes a program apart.
 *
 * @param ends a text in the last line of each piece, or all of that line (`}`). Where several lines in a row have
 *   it (one gone, one new), the last of them is meant. The last piece goes to the end and has none.
 * @returns as many pieces as there are ends, each with its import lines first
 * @throws ReadmeProblem when a text is in no line after the piece before, or one but the last is missing
 */
export function piecesOf(
  program: readonly MarkedLine[],
  ends: readonly (string | undefined)[],
): MarkedLine[][] {
  const { imports, body } = withoutImports(program)
  let start = 0
  const pieces = ends.map((end, index) => {
    const last = endOf(body, start, end, index === ends.length - 1)
    const piece = withoutOuterBlanks(body.slice(start, last + 1))
    start = last + 1
    return piece
  })
  const heads: MarkedLine[][] = pieces.map(() => [])
  for (const statement of imports) heads[firstUser(statement, imports, pieces)]?.push(...statement.lines)
  return pieces.map((piece, index) => {
    const head = heads[index] ?? []
    return head.length > 0 && piece.length > 0
      ? [...head, { mark: ' ', text: '', line: 0 }, ...piece]
      : [...head, ...piece]
  })
}

function endOf(body: readonly MarkedLine[], start: number, end: string | undefined, isLast: boolean): number {
  if (end === undefined) {
    if (!isLast) throw new ReadmeProblem('a piece that another one follows says where it ends: to="..."')
    return body.length - 1
  }
  const isWholeLine = body.some(({ text }, index) => index >= start && text === end)
  const has = (index: number) => {
    const text = body[index]?.text
    return isWholeLine ? text === end : text?.includes(end) === true
  }
  let last = body.findIndex((_, index) => index >= start && has(index))
  if (last < 0) throw new ReadmeProblem(`no line after the piece before has the text ${JSON.stringify(end)}`)
  while (has(last + 1)) last += 1
  if (isLast && body.slice(last + 1).some(({ text }) => text.trim() !== ''))
    throw new ReadmeProblem(`the program goes on after ${JSON.stringify(end)}, and no piece shows that`)
  return last
}

/** An import statement. */
interface Import {
  lines: MarkedLine[]
  /** What the program calls what it brings. */
  names: string[]
  from: string
}

function withoutImports(program: readonly MarkedLine[]): { imports: Import[]; body: MarkedLine[] } {
  const imports: Import[] = []
  const body: MarkedLine[] = []
  let open: Import | undefined
  for (const line of program) {
    if (!open && !/^import\b/.test(line.text)) {
      body.push(line)
      continue
    }
    open ??= { lines: [], names: [], from: '' }
    open.lines.push(line)
    const from = /(?:from|^import) '([^']+)'/.exec(line.text)?.[1]
    if (from === undefined) continue
    open.from = from
    open.names = namesIn(open.lines.map(({ text }) => text).join(' '))
    imports.push(open)
    open = undefined
  }
  return { imports, body }
}

/** The names that `import a, { type b, c as d } from` gives to a program. */
function namesIn(statement: string): string[] {
  const names = statement.replace(/^import\s+|\s+from\s.*$/g, '').replace(/[{}]/g, ',')
  return names
    .split(',')
    .map((name) => /(\w+)\s*$/.exec(name)?.[1])
    .filter((name) => name !== undefined)
}

/** The index of the piece where an import belongs: a line that is gone goes with the new one from the same module. */
function firstUser(statement: Import, imports: readonly Import[], pieces: readonly MarkedLine[][]): number {
  const isGone = (other: Import) => other.lines.every(({ mark }) => mark === '-')
  const twin = isGone(statement)
    ? imports.find((other) => other.from === statement.from && !isGone(other))
    : undefined
  const { names } = twin ?? statement
  const wanted = isGone(twin ?? statement) ? /[- ]/ : /[+ ]/
  const index = pieces.findIndex((piece) =>
    piece.some(
      ({ mark, text }) => wanted.test(mark) && names.some((name) => new RegExp(`\\b${name}\\b`).test(text)),
    ),
  )
  return Math.max(index, 0)
}

function withoutOuterBlanks(lines: readonly MarkedLine[]): MarkedLine[] {
  const isBlank = (line: MarkedLine | undefined) => line?.text.trim() === ''
  let [first, end] = [0, lines.length]
  while (first < end && isBlank(lines[first])) first += 1
  while (end > first && isBlank(lines[end - 1])) end -= 1
  return lines.slice(first, end)
}
