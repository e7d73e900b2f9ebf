/** `pnpm where DIR`: which chapter a folder of the reader's is nearest to, and what lies between them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { parse } from 'diff2html'
import { execaSync } from 'execa'
import { allChapters, type Chapter } from './chapters.ts'
import { ReaderError } from './reader-error.ts'
import { readersFiles } from './readers-files.ts'
import { ROOT } from './repository.ts'

/** A run of lines that only one side has. */
interface Run {
  file: string
  /** Where it begins there. */
  line: number
  lines: string[]
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

/** How many runs of lines are listed on each side. */
const RUNS_SHOWN = 10

/** Prints which chapter a folder is nearest to, and what it lacks or has beyond it. */
export function where(dir: string): void {
  // pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD.
  const folder = folderWithPrograms(resolve(process.env['INIT_CWD'] ?? process.cwd(), dir))
  const [nearest] = distances(folder).toSorted((a, b) => size(a) - size(b))
  if (!nearest) throw new ReaderError('There is no chapter in the folder chapters.')
  console.log(told(nameOf(folder), nearest))
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

/** How far a folder is from each chapter. git finds the differences, as it does for pnpm diff. */
function distances(folder: string): Distance[] {
  const copies = mkdtempSync(join(tmpdir(), 'where-'))
  try {
    copyFiles(folder, join(copies, 'yours'))
    return allChapters().map((chapter) => {
      copyFiles(chapter.folder, join(copies, chapter.name))
      return distanceIn(copies, chapter)
    })
  } finally {
    rmSync(copies, { recursive: true })
  }
}

function copyFiles(folder: string, target: string): void {
  for (const file of readersFiles(folder)) {
    mkdirSync(dirname(join(target, file)), { recursive: true })
    const text = readFileSync(join(folder, file), 'utf8')
    // A reader's own configuration need not have our comments. An empty line for each keeps the line numbers.
    writeFileSync(join(target, file), file.endsWith('.cfg') ? text.replace(/^[;#].*$/gm, '') : text)
  }
}

function distanceIn(copies: string, chapter: Chapter): Distance {
  const { stdout } = execaSync(
    'git',
    [
      ...['diff', '--no-index', '--no-color', '--no-ext-diff', '-U0'],
      ...['--find-renames=30%', '--ignore-all-space', '--ignore-blank-lines'],
      ...['--src-prefix=', '--dst-prefix=', '--', chapter.name, 'yours'],
    ],
    { cwd: copies, reject: false },
  )
  const files = parse(stdout).map(({ oldName, newName, ...rest }) => ({
    from: withoutFirstFolder(oldName),
    to: withoutFirstFolder(newName),
    ...rest,
  }))
  const runs = (type: 'delete' | 'insert') =>
    files.flatMap(({ from, to, blocks }) =>
      blocks.flatMap((block) => {
        const lines = block.lines.filter((line) => line.type === type && line.content.slice(1).trim() !== '')
        const line = lines[0]?.oldNumber ?? lines[0]?.newNumber
        if (line === undefined) return []
        const file = type === 'delete' ? from : to
        return [{ file, line, lines: lines.map(({ content }) => content.slice(1)) }]
      }),
    )
  return {
    chapter,
    lacks: runs('delete'),
    beyond: runs('insert'),
    moved: files.filter(({ isRename }) => isRename).map(({ from, to }) => ({ from, to })),
  }
}

function told(name: string, { chapter, lacks, beyond, moved }: Distance): string {
  if (lacks.length + beyond.length + moved.length === 0)
    return `${name} has the same programs as ${chapter.name}.`
  const total = readersFiles(chapter.folder).reduce(
    (sum, file) => sum + linesIn(readFileSync(join(chapter.folder, file), 'utf8'), file),
    0,
  )
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
  const rows = runs.slice(0, RUNS_SHOWN).map(({ file, line, lines: [first = '', ...others] }) => {
    const more = others.length > 0 ? `  (and ${others.length} more)` : ''
    return `  ${file}:${line}  ${sign} ${first.trim()}${more}`
  })
  const left = runs.slice(RUNS_SHOWN)
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

function linesIn(text: string, file: string): number {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !(file.endsWith('.cfg') && /^[;#]/.test(line))).length
}

/** `03-sockets/src/slave.ts` to `src/slave.ts`. */
function withoutFirstFolder(path: string): string {
  return path.split('/').slice(1).join('/')
}
