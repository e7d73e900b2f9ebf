/**
 * `pnpm diff A B`: what changed between two chapters, and what the README says of each change. The lesson comes
 * first: programs and configuration. What the core and the tests have gained is a line each, until it is asked for.
 */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { stripVTControlCharacters, styleText } from 'node:util'
import type { Chapter } from '../chapters/chapters.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { besideTheirUse } from './between.ts'
import { ALL_PARTS, Comparison, type FileChange, type Part } from './comparison.ts'
import { differenceOf, explanationsFor, growthOf } from './difference.ts'
import { type Display, readersDisplay, shownByGit } from './display.ts'
import type { Change } from './explanations.ts'
import { page } from './pager.ts'
import { quoted } from './unified-diff.ts'

export interface DiffOptions {
  /** The core's part. */
  core?: boolean
  /** The tests' part. */
  tests?: boolean
  /** Every part; READMEs and the naming lines of package.json too. */
  all?: boolean
  /** Only the summary. */
  stat?: boolean
  /** Only the paths. */
  names?: boolean
  /** Word by word. */
  word?: boolean
  /** Write a page to this file. */
  html?: string
  /** Print everything as JSON. */
  json?: boolean
}

const TITLES: Record<Part, string> = {
  own: 'Programs and configuration',
  core: 'How the core grew',
  tests: 'The tests',
}

/** Compares two chapters, and prints, writes or pages what `options` ask for. */
export async function diff(before: Chapter, after: Chapter, options: DiffOptions): Promise<void> {
  const comparison = new Comparison(before, after, options)
  if (options.html !== undefined) await writePage(options.html, comparison, options)
  else if (options.names || options.stat || options.json)
    process.stdout.write(`${textOf(comparison, options)}\n`)
  else {
    const display = readersDisplay(process.stdout.isTTY)
    const { text, problem = display.problem } = rendered(comparison, display, options)
    const trouble = display.pager && (await page(text, display.pager.command))
    if (!display.pager) process.stdout.write(`${text.trimEnd()}\n`)
    else if (trouble !== undefined)
      console.error(
        `Shown without the pager "${display.pager.command}" (${display.pager.from}), which ${trouble}.`,
      )
    if (problem !== undefined) console.error(`Shown without your settings for git: ${problem}.`)
  }
  for (const line of comparison.unreadable) console.error(line)
}

/** What `diff` prints to somebody who has told git nothing. */
export function diffText(
  before: Chapter,
  after: Chapter,
  options: DiffOptions & { chapters?: readonly Chapter[] },
): string {
  return textOf(new Comparison(before, after, options), options)
}

function textOf(comparison: Comparison, options: DiffOptions): string {
  const parts = partsAskedFor(options) ?? ALL_PARTS
  if (options.names) return pathsOf(comparison, parts).join('\n')
  if (options.stat) return [summary(comparison, parts), '', coreLine(comparison)].join('\n')
  if (options.json) return JSON.stringify(differenceOf(comparison, parts), undefined, 2)
  return rendered(comparison, { hasOwnTool: false }, options).text
}

/** Which parts the reader has named; nothing when none, so that it depends on how they are shown. */
function partsAskedFor({ all, core, tests }: DiffOptions): readonly Part[] | undefined {
  if (all) return ALL_PARTS
  const named: Part[] = [...(core ? (['core'] as const) : []), ...(tests ? (['tests'] as const) : [])]
  return named.length > 0 ? named : undefined
}

function pathsOf(comparison: Comparison, parts: readonly Part[]): string[] {
  return comparison
    .files(parts)
    .map(({ part, status, file }) =>
      quoted(
        part === 'core'
          ? file
          : `chapters/${(status === 'removed' ? comparison.before : comparison.after).name}/${file}`,
      ),
    )
}

/** The files that differ, a line each. */
function summary(comparison: Comparison, parts: readonly Part[]): string {
  const { before, after } = comparison
  const files = comparison.files(parts)
  const names = files.map(({ file, from }) => (from ? `${quoted(from)} -> ${quoted(file)}` : quoted(file)))
  const width = Math.max(...names.map(({ length }) => length), 0)
  const rows = files.map(({ status, addedLines, removedLines, backFrom }, index) => {
    const lines = `${`+${addedLines}`.padStart(5)} ${`-${removedLines}`.padStart(5)}`
    return `  ${status.padEnd(8)} ${names[index]?.padEnd(width)} ${lines}${backFrom === undefined ? '' : `  ${backWords(status, backFrom)}`}`
  })
  return [`${before.name} -> ${after.name}`, '', ...rows].join('\n')
}

/** What is said of a file that is back: the lines beside it count from that version on. */
function backWords(status: FileChange['status'], backFrom: string): string {
  return `back from ${backFrom}, ${status === 'back' ? 'unchanged' : 'changed since'}`
}

/** The programs that are back as they were, below what is said of them. */
function linesOfBack(comparison: Comparison, changes: readonly Change[]): string[] {
  const prefix = `chapters/${comparison.after.name}/`
  const back = comparison.backUnchanged()
  const sentenceOf = ({ file }: FileChange) =>
    changes.find((change) => change.backFrom !== undefined && change.file === prefix + file)?.explanation
  const sentences = [...new Set(back.flatMap((file) => sentenceOf(file) ?? []))]
  return sentences.flatMap((sentence) => [
    `    # ${sentence.replace(/\s+/g, ' ')}`,
    ...back
      .filter((file) => sentenceOf(file) === sentence)
      .map(({ file, status, backFrom = '' }) => `${quoted(file)}: ${backWords(status, backFrom)}`),
  ])
}

function coreLine({ newModules, lostModules }: Comparison): string {
  if (lostModules.length > 0)
    return `The core does not have yet: ${lostModules.map(({ name }) => name).join(', ')}.`
  return newModules.length > 0
    ? `The core gained: ${newModules.map(({ name, bornIn }) => `${name} (0.${bornIn}.0)`).join(', ')}.`
    : 'The core is the same.'
}

/** What only `--core` and `--tests` show, a line each. */
function linesOfOthers(comparison: Comparison): string[] {
  const { before, after, newModules, lostModules } = comparison
  const chapters = after.number === before.number + 1 ? after.number : `${before.number} ${after.number}`
  const [core, tests] = (['core', 'tests'] as const).map((part) => {
    const files = comparison.files([part])
    return {
      count: files.length,
      added: files.reduce((sum, { addedLines }) => sum + addedLines, 0),
      removed: files.reduce((sum, { removedLines }) => sum + removedLines, 0),
      shownBy: `pnpm diff ${chapters} --${part}`,
    }
  })
  const names = newModules.map(({ name }) => name).join(', ')
  const coreGrew = core && lostModules.length === 0 && newModules.length > 0
  const several = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
  return [
    coreGrew
      ? `The core gained ${several(newModules.length, 'module')}, ${several(core.added, 'line')} (${core.shownBy}): ${names}.`
      : coreLine(comparison),
    ...(tests && tests.count > 0
      ? [
          `Of the tests, ${several(tests.count, 'file')} changed, +${tests.added} -${tests.removed} (${tests.shownBy}).`,
        ]
      : []),
  ]
}

/** The whole text, and why the reader's own tool is not in it, if there is one that should be. */
function rendered(
  comparison: Comparison,
  display: Display,
  options: DiffOptions,
): { text: string; problem?: string } {
  const asked = partsAskedFor(options)
  const parts = asked ?? (['own'] as const)
  const word = options.word === true
  let problem: string | undefined
  const explanations = besideTheirUse(explanationsFor(comparison), ({ explanation }) => explanation)
  const style = (format: 'bold' | 'dim', text: string) =>
    display.colors ? styleText(format, text, { validateStream: false }) : text
  const section = (title: string, body: string) =>
    body.trim() ? `\n${style('bold', `== ${title} ==`)}\n\n${body}` : ''
  const differences = (part: Part) => {
    if (display.hasOwnTool && problem === undefined) {
      const answer = shownByGit(comparison, part, display, word ? ['--word-diff'] : [])
      if (answer.isOk) return answer.stdout
      problem = answer.why
    }
    return comparison.unified(part, { ...display, word })
  }
  const diffOf = (part: Part) => {
    const text = differences(part)
    return word ? text : withExplanations(text, comparison, explanations, (line) => style('dim', line))
  }
  const names = () =>
    growthOf(comparison).map(({ name, bornIn, publicNames }) => {
      const rows = publicNames.map(
        (symbol) => `  ${symbol.name}${symbol.firstUsedBy ? `  (first used by ${symbol.firstUsedBy})` : ''}`,
      )
      return [`${name}, born in chapter ${String(bornIn).padStart(2, '0')}:`, ...rows, ''].join('\n')
    })
  const bodyOf = (part: Part) =>
    part === 'core' && comparison.newModules.length > 0
      ? `${names().join('\n')}\n${diffOf(part)}`
      : [diffOf(part), ...(part === 'own' ? back : [])].filter(Boolean).join('\n')
  const back = linesOfBack(comparison, explanations).map((line) =>
    line.startsWith(' ') ? style('dim', line) : line,
  )
  const others = asked ? [] : linesOfOthers(comparison)
  const text = [
    `${summary(comparison, parts)}\n`,
    ...parts.map((part) => section(TITLES[part], bodyOf(part))),
    others.length > 0 ? `\n${others.join('\n')}\n` : '',
  ].join('')
  return { text, ...(problem !== undefined && { problem }) }
}

/** Puts the explanation of each change before its first line, in a unified diff (colours and all). */
function withExplanations(
  text: string,
  { after }: Comparison,
  changes: Change[],
  style: (line: string) => string,
): string {
  let file = ''
  let lineNumber = 0
  // How many lines of either side the hunk still has. Only outside of one is "+++ " a header.
  let [olderLeft, newerLeft] = [0, 0]
  const told = new Set<string>()
  return text
    .split('\n')
    .flatMap((line) => {
      const plain = stripVTControlCharacters(line)
      if (olderLeft <= 0 && newerLeft <= 0) {
        const header = /^\+\+\+ [^/]+\/(.*)$/.exec(plain)
        if (header) {
          const [, path = ''] = header
          file = path.startsWith('packages/') ? path : `chapters/${after.name}/${path}`
          told.clear() // what was said in one file has to be said again in the next
        }
        const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(plain)
        if (hunk) {
          lineNumber = Number(hunk[2])
          ;[olderLeft, newerLeft] = [Number(hunk[1] ?? 1), Number(hunk[3] ?? 1)]
        }
        return [line]
      }
      const sentences = /^[+-]/.test(plain)
        ? changes.filter(
            (change) =>
              change.file === file && change.line === lineNumber && change.explanation !== undefined,
          )
        : []
      if (/^[ -]/.test(plain)) olderLeft -= 1
      if (/^[ +]/.test(plain)) {
        newerLeft -= 1
        lineNumber += 1
      }
      return [
        ...sentences
          .map(({ explanation }) => explanation as string)
          .filter((explanation) => !told.has(explanation) && told.add(explanation))
          .map((explanation) => style(`    # ${explanation.replace(/\s+/g, ' ')}`)),
        line,
      ]
    })
    .join('\n')
}

async function writePage(file: string, comparison: Comparison, options: DiffOptions): Promise<void> {
  // pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD.
  const path = resolve(process.env['INIT_CWD'] ?? process.cwd(), file)
  const { diffPage } = await import('./diff-page.ts')
  const text = diffPage(differenceOf(comparison, partsAskedFor(options)))
  try {
    writeFileSync(path, text)
    if (!path.startsWith('/dev/')) console.log(`Wrote ${path}`)
  } catch (error) {
    throw new ReaderError(`Cannot write ${path}: ${error instanceof Error ? error.message : error}`)
  }
}
