/** `pnpm where DIR`: which chapter a folder of the reader's is nearest to, and what lies between them. */
import { statSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { readersFiles } from '../chapters/readers-files.ts'
import { type ReadFiles, readFiles } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import { diffFiles, type Side, type Texts } from './file-diff.ts'

/** A run of lines that only one side has. */
interface Run {
  file: string
  /** Those with something in them, each with its number there. */
  lines: { text: string; line: number }[]
}

/** What lies between a chapter and the reader's folder. */
interface Distance {
  chapter: Chapter
  /** What the chapter has and the folder has not. */
  lacks: Run[]
  /** What the folder has and the chapter has not. */
  beyond: Run[]
  /** Files that have another name in the folder. */
  moved: { from: string; to: string }[]
}

/** How alike two programs must be to count as one by another name. */
const MOVED = 0.3

/** How many runs of lines are listed on each side. */
const RUNS_SHOWN = 10

/** Prints which chapter a folder is nearest to, and what it lacks or has beyond it. */
export function where(dir: string): void {
  // pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD.
  const folder = folderWithPrograms(resolve(process.env['INIT_CWD'] ?? process.cwd(), dir))
  const { distances, unreadable } = distancesOf(folder)
  const [nearest] = distances.toSorted((a, b) => size(a) - size(b))
  if (!nearest) throw new ReaderError('There is no chapter in the folder chapters.')
  console.log(told(nameOf(folder), nearest))
  for (const line of unreadable) console.error(line)
}

/** A folder as it is shown: counted from the repository when it is in there. */
function nameOf(folder: string): string {
  const inside = relative(ROOT, folder)
  return inside.startsWith('..') ? folder : inside || '.'
}

/** The folder, or the one above when it is a `src` with the programs in it. */
function folderWithPrograms(folder: string): string {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
  if (isFolder === undefined) throw new ReaderError(`There is no folder ${folder}.`)
  if (!isFolder) throw new ReaderError(`${folder} is a file. Name the folder that the programs are in.`)
  const parent = basename(folder) === 'src' ? dirname(folder) : folder
  if (readersFiles(parent).some((file) => file.endsWith('.ts'))) return parent
  throw new ReaderError(
    `${folder} holds no programs: there is no src/*.ts in it. Name the folder that src is in.`,
  )
}

/** How far a folder is from each chapter, and a line for each file that could not be read. */
function distancesOf(folder: string): { distances: Distance[]; unreadable: string[] } {
  const yours = comparable(folder)
  const chapters = allChapters().map((chapter) => ({ chapter, theirs: comparable(chapter.folder) }))
  return {
    distances: chapters.map(({ chapter, theirs }) => distanceBetween(chapter, theirs.texts, yours.texts)),
    unreadable: [yours, ...chapters.map(({ theirs }) => theirs)].flatMap(({ unreadable }) => unreadable),
  }
}

function comparable(folder: string): ReadFiles {
  const { texts, unreadable } = readFiles(folder, readersFiles(folder))
  // A reader's own configuration need not have our comments. An empty line for each keeps the line numbers.
  for (const [file, text] of texts) {
    if (file.endsWith('.cfg')) texts.set(file, text.replace(/^[;#].*$/gm, ''))
    if (file.endsWith('.json')) texts.set(file, text.replace(/^\s*\/\/.*$/gm, ''))
  }
  return { texts, unreadable }
}

function distanceBetween(chapter: Chapter, theirs: Texts, yours: Texts): Distance {
  const withoutSpace = (line: string) => line.replace(/\s+/g, '')
  const diffs = diffFiles(theirs, yours, { moved: MOVED, key: withoutSpace })
  return {
    chapter,
    lacks: diffs.flatMap(({ before, runs }) =>
      runs.flatMap(({ beforeStart, beforeEnd }) => runIn(before, beforeStart, beforeEnd)),
    ),
    beyond: diffs.flatMap(({ after, runs }) =>
      runs.flatMap(({ afterStart, afterEnd }) => runIn(after, afterStart, afterEnd)),
    ),
    moved: diffs.flatMap(({ status, before, after }) =>
      status === 'moved' && before && after ? [{ from: before.file, to: after.file }] : [],
    ),
  }
}

/** The lines of a side from `start`, counted from 0, to `end`; nothing when there is nothing in them. */
function runIn(side: Side | undefined, start: number, end: number): Run[] {
  if (!side) return []
  const lines = side.lines
    .slice(start, end)
    .map((text, index) => ({ text: text.trimEnd(), line: start + index + 1 }))
    .filter(({ text }) => text !== '')
  return lines.length > 0 ? [{ file: side.file, lines }] : []
}

function told(name: string, { chapter, lacks, beyond, moved }: Distance): string {
  if (lacks.length + beyond.length + moved.length === 0)
    return `${name} has the same programs as ${chapter.name}.`
  const total = [...comparable(chapter.folder).texts.values()].reduce((sum, text) => sum + linesIn(text), 0)
  const same = total - countLines(lacks)
  return [
    `${name} is nearest to ${chapter.name}: it has ${same} of its ${total} lines${same < total / 3 ? ', which is not much' : ''}.`,
    ...moved.map(({ from, to }) => `  its ${to} is taken for ${from}`),
    ...list('It lacks:', '-', lacks),
    ...list('It has beyond it:', '+', beyond),
  ].join('\n')
}

function list(title: string, sign: string, runs: Run[]): string[] {
  if (runs.length === 0) return []
  // To say that there is one more takes as much room as to show it.
  const shown = runs.slice(0, runs.length === RUNS_SHOWN + 1 ? runs.length : RUNS_SHOWN)
  const rows = shown.flatMap(({ file, lines }) =>
    lines.slice(0, lines.length === 2 ? 2 : 1).map(({ text, line }) => {
      const more = lines.length > 2 ? `  (and ${lines.length - 1} more)` : ''
      return `  ${file}:${line}  ${sign} ${text.trim()}${more}`
    }),
  )
  const left = runs.slice(shown.length)
  return [
    '',
    title,
    ...rows,
    ...(left.length > 0 ? [`  ... and ${countLines(left)} more lines in ${left.length} places`] : []),
  ]
}

function size({ lacks, beyond, moved }: Distance): number {
  return countLines(lacks) + countLines(beyond) + moved.length
}

function countLines(runs: readonly Run[]): number {
  return runs.reduce((sum, { lines }) => sum + lines.length, 0)
}

function linesIn(text: string): number {
  return text.split('\n').filter((line) => line.trim() !== '').length
}
