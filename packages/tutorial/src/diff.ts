/** `pnpm diff A B`: what changed between two chapters, and what the README says of each change. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters, styleText } from 'node:util'
import { execaSync } from 'execa'
import { allChapters, type Chapter } from './chapters.ts'
import { Comparison, type FileChange, type Part } from './comparison.ts'
import { diffPage } from './diff-page.ts'
import { type Change, explainedChanges } from './explanations.ts'
import { ReaderError } from './reader-error.ts'
import { ROOT, trackedFiles } from './repository.ts'
import { importedNames, openingComment, symbolsOf } from './source.ts'

export interface DiffOptions {
  /** READMEs and the naming lines of package.json too. */
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

/** A module that the core gained between two chapters. */
interface Growth {
  /** `json-lines` */
  name: string
  /** The chapter that brought it. */
  bornIn: number
  /** What it is for: its opening comment. */
  doc: string
  publicNames: { name: string; doc: string; firstUsedBy?: string }[]
}

/** All that is known of the difference between two chapters. The site and `--json` show it as it is. */
export interface Difference {
  before: string
  after: string
  files: FileChange[]
  growth: Growth[]
  /** Names of modules that the second chapter does not have yet. */
  lost: string[]
  /** Each change with its explanation, where the README of its chapter has one. */
  changes: Change[]
  /** git's unified diffs, whole. */
  diffs: Record<Part, string>
}

const TITLES: Record<Part, string> = {
  own: "The chapter's own files",
  core: 'How the core grew',
  tests: 'The tests',
}

/** Compares two chapters, and prints, writes or pages what `options` ask for. */
export async function diff(before: Chapter, after: Chapter, options: DiffOptions): Promise<void> {
  if (options.html !== undefined) return writePage(options.html, before, after, options)
  const text = diffText(before, after, options, usesColor())
  if (options.names || options.stat || options.json) process.stdout.write(`${text}\n`)
  else await page(text)
}

/** What `diff` prints. */
export function diffText(before: Chapter, after: Chapter, options: DiffOptions, color = false): string {
  return compared(before, after, options, (comparison) => {
    if (options.names) return pathsOf(comparison).join('\n')
    if (options.stat) return summary(comparison)
    if (options.json) return JSON.stringify(differenceOf(comparison), undefined, 2)
    return render(comparison, { color, word: options.word === true })
  })
}

/** All that `--json` prints, for the site. */
export function difference(before: Chapter, after: Chapter): Difference {
  return compared(before, after, {}, differenceOf)
}

/** Makes a comparison for one use. */
function compared<T>(
  before: Chapter,
  after: Chapter,
  { all }: DiffOptions,
  use: (comparison: Comparison) => T,
): T {
  const comparison = new Comparison(before, after, { all: all === true })
  try {
    return use(comparison)
  } finally {
    comparison.dispose()
  }
}

/** Everything about the difference, as data. */
function differenceOf(comparison: Comparison): Difference {
  const { before, after } = comparison
  return {
    before: before.name,
    after: after.name,
    files: comparison.files(),
    growth: growthOf(comparison),
    lost: comparison.lostModules.map(({ name }) => name),
    changes: explanationsFor(comparison),
    diffs: { own: comparison.git('own'), core: comparison.git('core'), tests: comparison.git('tests') },
  }
}

function pathsOf(comparison: Comparison): string[] {
  return comparison
    .files()
    .map(({ part, status, file }) =>
      part === 'core'
        ? file
        : `chapters/${(status === 'removed' ? comparison.before : comparison.after).name}/${file}`,
    )
}

function summary(comparison: Comparison): string {
  const { before, after, newModules, lostModules } = comparison
  const files = comparison.files()
  const width = Math.max(...files.map(({ file, from }) => file.length + (from ? from.length + 4 : 0)), 0)
  const rows = files.map(({ status, file, from, addedLines, removedLines }) => {
    const name = from ? `${from} -> ${file}` : file
    return `  ${status.padEnd(8)} ${name.padEnd(width)} ${`+${addedLines}`.padStart(5)} ${`-${removedLines}`.padStart(5)}`
  })
  const core =
    lostModules.length > 0
      ? `The core does not have yet: ${lostModules.map(({ name }) => name).join(', ')}.`
      : newModules.length > 0
        ? `The core gained: ${newModules.map(({ name, bornIn }) => `${name} (0.${bornIn}.0)`).join(', ')}.`
        : 'The core is the same.'
  return [`${before.name} -> ${after.name}`, '', ...rows, '', core].join('\n')
}

/** The modules that came in between, with their names, and who uses each first. */
function growthOf({ newModules, after }: Comparison): Growth[] {
  const sources = trackedFiles(join(after.folder, 'src'))
    .sort((a, b) => Number(isProgram(b, after)) - Number(isProgram(a, after)))
    .map((file) => ({
      file: `src/${file}`,
      imports: importedNames(readFileSync(join(after.folder, 'src', file), 'utf8')),
    }))
  return newModules.map(({ name, bornIn }) => {
    const text = readFileSync(join(ROOT, 'packages/core/src', `${name}.ts`), 'utf8')
    const publicNames = symbolsOf(text).filter((symbol) => symbol.isPublic && !symbol.name.includes('.'))
    return {
      name,
      bornIn,
      doc: openingComment(text),
      publicNames: publicNames.map((symbol) => {
        const user = sources.find(({ imports }) => imports.get(`@rpi-cluster/core/${name}`)?.has(symbol.name))
        return { name: symbol.name, doc: symbol.doc, ...(user && { firstUsedBy: user.file }) }
      }),
    }
  })
}

function isProgram(file: string, { programs }: Chapter): boolean {
  return programs.includes(file.replace(/\.ts$/, ''))
}

/** The explanations of every chapter from the first to the second; going backwards, there are none. */
function explanationsFor({ before, after }: Comparison): Change[] {
  const chapters = allChapters().filter(({ number }) => before.number <= number && number <= after.number)
  return chapters
    .slice(1)
    .flatMap((chapter, index) =>
      explainedChanges(chapters[index] as Chapter, chapter).flatMap((change) =>
        placeIn(after, change, chapter),
      ),
    )
}

/** Where lines that an earlier chapter added stand in a later one; nowhere when they have changed since. */
function placeIn(after: Chapter, change: Change, chapter: Chapter): Change[] {
  if (chapter.name === after.name || change.file.startsWith('packages/')) return [change]
  const file = change.file.replace(chapter.name, after.name)
  if (change.added.length === 0 || !existsSync(join(ROOT, file))) return []
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n')
  const index = lines.findIndex((_, index) =>
    change.added.every((text, offset) => lines[index + offset] === text),
  )
  return index < 0 ? [] : [{ ...change, file, line: index + 1, last: index + change.added.length }]
}

function render(comparison: Comparison, { color, word }: { color: boolean; word: boolean }): string {
  const explanations = explanationsFor(comparison)
  const style = (format: 'bold' | 'dim', text: string) =>
    color ? styleText(format, text, { validateStream: false }) : text
  const section = (title: string, body: string) =>
    body.trim() ? `\n${style('bold', `== ${title} ==`)}\n\n${body}` : ''
  const diffOf = (part: Part) => {
    const text = comparison.git(part, word ? ['--word-diff'] : [], { color, externalTools: true })
    return word ? text : withExplanations(text, comparison, explanations, (line) => style('dim', line))
  }
  const names = growthOf(comparison).map(({ name, bornIn, publicNames }) => {
    const rows = publicNames.map(
      (symbol) => `  ${symbol.name}${symbol.firstUsedBy ? `  (first used by ${symbol.firstUsedBy})` : ''}`,
    )
    return [`${name}, born in chapter ${String(bornIn).padStart(2, '0')}:`, ...rows, ''].join('\n')
  })
  return [
    `${summary(comparison)}\n`,
    section(TITLES.own, diffOf('own')),
    section(TITLES.core, names.length > 0 ? `${names.join('\n')}\n${diffOf('core')}` : ''),
    section(TITLES.tests, diffOf('tests')),
  ].join('')
}

/** Puts the explanation of each change before its first line, in what git printed (colours and all). */
function withExplanations(
  text: string,
  { after }: Comparison,
  changes: Change[],
  style: (line: string) => string,
): string {
  let file = ''
  let lineNumber = 0
  const told = new Set<string>()
  return text
    .split('\n')
    .flatMap((line) => {
      const plain = stripVTControlCharacters(line)
      const header = /^\+\+\+ [^/]+\/(.*)$/.exec(plain)
      if (header) {
        const [, path = ''] = header
        file = path.startsWith('packages/') ? path : `chapters/${after.name}/${path}`
        told.clear() // what was said in one file has to be said again in the next
        return [line]
      }
      const block = /^@@ -\S+ \+(\d+)/.exec(plain)
      if (block) {
        lineNumber = Number(block[1])
        return [line]
      }
      const sentences = /^[+-]/.test(plain)
        ? changes.filter(
            (change) =>
              change.file === file && change.line === lineNumber && change.explanation !== undefined,
          )
        : []
      if (!plain.startsWith('-')) lineNumber += 1
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

function writePage(file: string, before: Chapter, after: Chapter, options: DiffOptions): void {
  // pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD.
  const path = resolve(process.env['INIT_CWD'] ?? process.cwd(), file)
  const difference = compared(before, after, options, differenceOf)
  try {
    writeFileSync(path, diffPage(difference))
    if (!path.startsWith('/dev/')) console.log(`Wrote ${path}`)
  } catch (error) {
    throw new ReaderError(`Cannot write ${path}: ${error instanceof Error ? error.message : error}`)
  }
}

function usesColor(): boolean {
  if (!process.stdout.isTTY) return false
  const { stdout } = execaSync('git', ['config', '--get-colorbool', 'color.diff', 'true'], { reject: false })
  return stdout.trim() === 'true' && !process.env['NO_COLOR']
}

/** Shows a text in the reader's own pager, as git does; in a pipe, just prints it. */
async function page(text: string): Promise<void> {
  const pager = process.stdout.isTTY
    ? execaSync('git', ['var', 'GIT_PAGER'], { reject: false }).stdout.trim()
    : ''
  if (pager === '' || pager === 'cat') {
    process.stdout.write(`${text.trimEnd()}\n`)
    return
  }
  const child = spawn(pager, {
    shell: true,
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { LESS: 'FRX', LV: '-c', ...process.env },
  })
  child.stdin.on('error', () => {}) // the reader left the pager before the end
  child.stdin.end(text)
  await once(child, 'close')
}
