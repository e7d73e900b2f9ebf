/** The list of the chapters in the repository's README: what the chapters say of themselves, in parts, a row each. */
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { PARTS, stillToCome, twoDigits } from '../chapters/parts.ts'

/** The text that has the list. */
export const TEXT_WITH_TABLE = 'README.md'

/** The heading of the part of the text that begins with the list. */
const HEADING = '## The chapters'

/** A line that is of the list: a part's heading, what it leads to, a table, and what is to come. Between them are empty lines. */
const OF_LIST = /^(### Part |At its end you can |\||Still to come: |$)/

/** What is wrong with the list in a text, a line each. */
export function tableProblems(text: string): string[] {
  const found = listIn(text)
  if (!found) return [`${TEXT_WITH_TABLE}: the list of the chapters is gone: it stands below "${HEADING}"`]
  const wanted = list()
  const at = Math.max(
    wanted.findIndex((line, index) => line !== found.lines[index]),
    0,
  )
  if (wanted.join('\n') === found.lines.join('\n')) return []
  return [
    `${TEXT_WITH_TABLE}:${found.first + 1 + at}: the list of the chapters is stale (pnpm sync mends it): a line is to be ${wanted[at]}`,
  ]
}

/** The text with the list as it is to be. */
export function withTable(text: string): string {
  const found = listIn(text)
  if (!found) return text
  return text
    .split('\n')
    .toSpliced(found.first, found.lines.length, ...list())
    .join('\n')
}

/** The list as it stands in a text, with the index of its first line. */
function listIn(text: string): { first: number; lines: string[] } | undefined {
  const lines = text.split('\n')
  const heading = lines.indexOf(HEADING)
  if (heading < 0) return undefined
  const after = lines.findIndex((line, index) => index > heading && !OF_LIST.test(line))
  return { first: heading + 1, lines: lines.slice(heading + 1, after < 0 ? lines.length : after) }
}

function list(): string[] {
  const chapters = allChapters()
  const parts = PARTS.flatMap((part) => {
    const own = chapters.filter(({ number }) => part.first <= number && number <= part.last)
    if (own.length === 0) return []
    return [
      `### Part ${part.number}: ${part.title}`,
      '',
      `At its end you can ${part.atItsEnd}.`,
      '',
      '| Nr. | Chapter | What it teaches | Minutes to read, to do | The post |',
      '| --- | --- | --- | --- | --- |',
      ...own.map(rowOf),
      '',
    ]
  })
  const rest = stillToCome(chapters.at(-1)?.number ?? 0)
  return ['', ...parts, ...(rest === undefined ? [] : [rest, ''])]
}

function rowOf({ number, name, title, teaches, post, minutes }: Chapter): string {
  // A post's address has its number: https://chewett.co.uk/blog/741/...
  const shown = /\/(\d+)\//.exec(post)?.[1] ?? 'post'
  return `| ${twoDigits(number)} | [${title}](chapters/${name}/README.md) | ${teaches} | ${minutes.reading} + ${minutes.doing} | [${shown}](${post}) |`
}
