/** The programs that a chapter's README shows: the pieces of its blocks, and what they have to be. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '../chapters/chapters.ts'
import { type MarkedLine, piecesOf } from '../texts/pieces.ts'
import { type CodeBlock, isOfChapter, type Readme } from '../texts/readme.ts'
import { ReadmeProblem } from '../texts/readme-problem.ts'
import { ROOT } from '../workspace/repository.ts'
import { Comparison } from './comparison.ts'

/** The lines that a block is to show, or why there are none. */
export type ShownPiece = MarkedLine[] | ReadmeProblem

/** What each block of a README that shows a piece of a program is to show. */
export function shownPieces(readme: Readme): Map<CodeBlock, ShownPiece> {
  const blocks = readme.blocks.filter(({ program }) => program)
  if (blocks.length === 0) return new Map()
  const comparison = comparisonFor(readme)
  const files = [...new Set(blocks.map(({ program }) => program?.file ?? ''))]
  return new Map(
    files.flatMap((file) => {
      const own = blocks.filter(({ program }) => program?.file === file)
      const shown = piecesOfFile(file, own, comparison)
      return own.map((block, index): [CodeBlock, ShownPiece] => [block, shown[index] ?? []])
    }),
  )
}

function piecesOfFile(
  file: string,
  blocks: readonly CodeBlock[],
  comparison: Comparison | undefined,
): ShownPiece[] {
  try {
    return piecesOf(
      markedProgram(file, comparison),
      blocks.map(({ program }) => program?.to),
    )
  } catch (error) {
    if (error instanceof ReadmeProblem) return blocks.map(() => error)
    throw error
  }
}

/** The chapter of a README and the one before it; nothing for the first, or where it is no chapter's. */
function comparisonFor({ file }: Readme): Comparison | undefined {
  if (!isOfChapter(file)) return undefined
  const chapters = allChapters()
  const index = chapters.findIndex(({ name }) => file === `chapters/${name}/README.md`)
  const [before, after] = [chapters[index - 1], chapters[index]]
  return before && after && new Comparison(before, after)
}

/** A piece as a block shows it: with marks, if anything of the program was there before and something has changed. */
export function contentOfPiece(lines: readonly MarkedLine[], language: string): string {
  if (language !== 'diff') return lines.map(({ text }) => text).join('\n')
  return lines.map(({ mark, text }) => (text === '' && mark === ' ' ? '' : mark + text)).join('\n')
}

/**
 * All lines of a program beside the chapter before, those that are gone included.
 *
 * @param comparison with the chapter before; nothing where there is none
 * @throws ReadmeProblem when there is no such file
 */
function markedProgram(file: string, comparison: Comparison | undefined): MarkedLine[] {
  if (!existsSync(join(ROOT, file))) throw new ReadmeProblem(`there is no file ${file}`)
  const own = comparison && file.slice(`chapters/${comparison.after.name}/`.length)
  const marked = own === undefined ? undefined : comparison?.marked(own)
  // Where a file is new, or what it was, there is nothing to mark.
  if (marked?.some(({ mark }) => mark !== '+')) return marked
  const lines = readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n')
  return lines.map((text, index) => ({ mark: ' ', text, line: index + 1 }))
}
