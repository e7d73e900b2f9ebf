/** What stands between a reader's programs and a chapter's, one change after the other. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Comparison, type FileChange } from '../compare/comparison.ts'
import { type Change, explainedChanges } from '../compare/explanations.ts'
import { type ShownPiece, shownPieces } from '../compare/shown-programs.ts'
import { type CodeBlock, readReadme } from '../texts/readme.ts'
import { ROOT } from '../workspace/repository.ts'
import type { PracticeFolder } from './folder.ts'

/** A change of the chapter's own files that a reader's folder does not have yet. */
export interface Missing {
  /** The same for the same change, whenever it is looked for. */
  key: string
  /** Counted from the chapter's folder. */
  file: string
  change: Change
  /** What the README says of it, paragraph by paragraph; nothing when it says nothing. */
  explanation: string[]
  /** The file that becomes this one, when its name changes: `src/main.ts`. */
  from?: string
}

/** The changes that the reader's files do not have yet, in the order in which the chapter's README tells of them. */
export function missingChanges(folder: PracticeFolder): Missing[] {
  const { chapter, before } = folder
  const prefix = `chapters/${chapter.name}/`
  const files = changedFiles(folder)
  const programs = explainedChanges(before, chapter).filter(
    // What is back as it was is there from the start.
    ({ file, backFrom }) => file.startsWith(`${prefix}src/`) && backFrom === undefined,
  )
  const settings = files
    .filter(({ status, file }) => status === 'added' && !file.startsWith('src/'))
    .map(({ file }) => newFile(prefix + file))
  const readme = readReadme(`${prefix}README.md`)
  const pieces = shownPieces(readme)
  return [...programs, ...settings]
    .map((change) => {
      const block = readme.blocks.find((block) => shows(block, change, pieces.get(block)))
      const mention = readme.mentions.find(({ file, symbol }) =>
        change.goneFrom === undefined
          ? file === change.file && symbol === change.symbol
          : file === change.goneFrom,
      )
      return { change, block, line: block?.line ?? mention?.line ?? Number.POSITIVE_INFINITY }
    })
    .sort((a, b) => (a.line === b.line ? 0 : a.line - b.line))
    .map(({ change, block }) => {
      const file = change.file.slice(prefix.length)
      const from = files.find((other) => other.file === file)?.from
      const explanation = block?.paragraphs ?? (change.explanation === undefined ? [] : [change.explanation])
      return { key: keyOf(change), file, change, explanation, ...(from !== undefined && { from }) }
    })
    .filter(({ change, file }) => !isDone(change, file, folder))
}

/**
 * True when a block shows some of a change. Import lines stand in several, each with the code that needs it: the first of
 * them is where the README begins to tell of the change.
 */
function shows(
  { program, source, paragraphs }: CodeBlock,
  { file, line, last, removed, added }: Change,
  piece: ShownPiece | undefined,
): boolean {
  if ((program ?? source)?.file !== file || paragraphs.length === 0) return false
  if (!Array.isArray(piece)) return true
  return piece.some((shown) =>
    added.length === 0
      ? shown.mark === '-' && shown.line === line && removed.includes(shown.text)
      : shown.mark !== '-' && line <= shown.line && shown.line <= last && shown.text.trim() !== '',
  )
}

function changedFiles({ chapter, before }: PracticeFolder): FileChange[] {
  return new Comparison(before, chapter).files().filter(({ part }) => part === 'own')
}

/** A file beside the programs that the chapter brings, such as rpicluster.cfg in 04. */
function newFile(file: string): Change {
  const added = readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n')
  const { blocks } = readReadme(join(dirname(file), 'README.md'))
  const explanation =
    blocks.find(({ source, program }) => (program ?? source)?.file === file)?.explanation ||
    `The chapter brings a new file, ${basename(file)}.`
  return { file, line: 1, last: added.length, removed: [], added, explanation }
}

/**
 * True when the reader's file has the lines that a change adds, wherever they stand and however they
 * are indented, and no longer those that it removes. Of a settings file it is enough to be there.
 */
function isDone({ removed, added }: Change, file: string, folder: PracticeFolder): boolean {
  const text = folder.read(file)
  if (!file.endsWith('.ts')) return text !== undefined
  const own = linesOf(text ?? '')
  const goal = existsSync(join(folder.chapter.folder, file))
    ? linesOf(readFileSync(join(folder.chapter.folder, file), 'utf8'))
    : new Set()
  const obsolete = [...linesOf(removed.join('\n'))].filter((line) => !goal.has(line))
  return (
    [...linesOf(added.join('\n'))].every((line) => own.has(line)) && !obsolete.some((line) => own.has(line))
  )
}

/** The lines of a text that have something in them, each once. */
function linesOf(text: string): Set<string> {
  return new Set(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean),
  )
}

function keyOf({ file, removed, added }: Change): string {
  return createHash('sha256')
    .update(JSON.stringify([file, removed, added]))
    .digest('hex')
    .slice(0, 12)
}
