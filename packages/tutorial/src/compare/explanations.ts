/**
 * Which words of a chapter's README explain which of its changes, and which changes nothing explains.
 *
 * What has to be explained is small: a run of changed lines in a program, taken apart at the
 * statements of the file, which the README of its chapter explains; and each public name of a module that the
 * core gained, which the pages of the modules in docs/core do.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { type BlockSource, type CodeBlock, cut, type Readme, readReadme } from '../texts/readme.ts'
import { ReadmeProblem } from '../texts/readme-problem.ts'
import {
  type LineRange,
  type SourceSymbol,
  smallestSymbolAt,
  symbolsOf,
  topLevelRanges,
} from '../texts/source.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { Comparison, type FileChange, type Hunk } from './comparison.ts'
import { type ShownPiece, shownPieces } from './shown-programs.ts'

/** Something that has changed, and is to be explained. */
export interface Change {
  /** Counted from the repository. */
  file: string
  /** Its first line in the newer file. */
  line: number
  /** Its last line there; before `line` when lines were only removed. */
  last: number
  removed: string[]
  added: string[]
  /** The smallest symbol that holds it, `imports` for import lines, if there is one. */
  symbol?: string
  /** The file in the chapter before, when there is none in this one. */
  goneFrom?: string
  /** The file in the latest earlier chapter that has it, when it is back as it was. */
  backFrom?: string
  /** What the README says of it; nothing when it says nothing. */
  explanation?: string
  /** The same as Markdown. */
  explanationMarkdown?: string
  /** The README that says it, counted from the repository. */
  explainedIn?: string
}

/**
 * All changes of a chapter against the one before it, and the programs that are back as they were, each with what its
 * README says of it.
 */
export function explainedChanges(
  before: Chapter,
  chapter: Chapter,
  readme = readReadme(`chapters/${chapter.name}/README.md`),
): Change[] {
  const comparison = new Comparison(before, chapter)
  const programs = comparison
    .hunks('own')
    .filter(({ file }) => /^src\/.*\.ts$/.test(file))
    .flatMap((hunk): Change[] => {
      const text = comparison.texts.own[1].get(hunk.file)
      return text === undefined ? [goneFile(hunk, before, chapter)] : changesOf(hunk, chapter, text)
    })
  const back = comparison
    .backUnchanged()
    .filter(({ file }) => /^src\/.*\.ts$/.test(file))
    .map((change) => fileBack(change, chapter))
  const pieces = shownPieces(readme)
  const names = comparison.newModules.flatMap(({ name }) => publicNamesOf(`packages/core/src/${name}.ts`))
  const pages = [...modulePages(), readme]
  return [
    ...[...programs, ...back].map((change) => explain(change, [readme], pieces)),
    ...names.map((change) => explain(change, pages, pieces)),
  ]
}

/** Every change that no README explains, a line each, with its file and line. */
export function unexplainedChanges(): string[] {
  const chapters = allChapters()
  return chapters.slice(1).flatMap((chapter, index) =>
    explainedChanges(chapters[index] as Chapter, chapter)
      .filter(({ explanation }) => explanation === undefined)
      .map(({ file, line, symbol, added, removed, goneFrom, backFrom }) => {
        if (goneFrom !== undefined)
          return `${file}: chapters/${chapter.name}/README.md does not say that it is gone, in a sentence that links ${goneFrom}`
        if (backFrom !== undefined)
          return `${file}: chapters/${chapter.name}/README.md does not say that it is back, in a sentence that links ${backFrom}`
        const what = [...removed.map((text) => `-${text}`), ...added.map((text) => `+${text}`)].join('\n    ')
        return `${file}:${line}: chapters/${chapter.name}/README.md does not explain ${symbol ?? 'this'}${what && `:\n    ${what}`}`
      }),
  )
}

function goneFile({ file, line, removed }: Hunk, before: Chapter, chapter: Chapter): Change {
  return {
    file: `chapters/${chapter.name}/${file}`,
    line,
    last: line - 1,
    removed,
    added: [],
    goneFrom: `chapters/${before.name}/${file}`,
  }
}

function fileBack({ file, backFrom }: FileChange, chapter: Chapter): Change {
  const path = `chapters/${chapter.name}/${file}`
  return { file: path, line: 1, last: 0, removed: [], added: [], backFrom: `chapters/${backFrom}/${file}` }
}

/** A hunk, taken apart at the statements of its file. */
function changesOf({ file, line, removed, added }: Hunk, chapter: Chapter, text: string): Change[] {
  const path = `chapters/${chapter.name}/${file}`
  if (added.length === 0) {
    const isImports = removed.every((text) => /^(import\b|$)/.test(text))
    return [{ file: path, line, last: line - 1, removed, added, ...(isImports && { symbol: 'imports' }) }]
  }

  const symbols = symbolsOf(text)
  const last = line + added.length - 1
  const parts = topLevelRanges(text).filter((range) => range.first <= last && line <= range.last)
  return parts
    .map((range): Change => {
      const first = Math.max(line, range.first)
      const symbol = range.isImports ? 'imports' : smallestSymbolAt(symbols, first)?.name
      return {
        file: path,
        line: first,
        last: Math.min(last, range.last),
        removed: range === parts[0] ? removed : [],
        added: added.slice(first - line, range.last - line + 1),
        ...(symbol !== undefined && { symbol }),
      }
    })
    .filter(({ added }) => added.some((text) => text.trim() !== ''))
}

/** The names that a module of the core gives to others. */
function publicNamesOf(file: string): Change[] {
  return symbolsOf(readFileSync(join(ROOT, file), 'utf8'))
    .filter((symbol: SourceSymbol) => symbol.isPublic && !symbol.name.includes('.'))
    .map(({ name, first, last }) => ({ file, line: first, last, removed: [], added: [], symbol: name }))
}

/** The pages of the core's modules. */
function modulePages(): Readme[] {
  return repositoryFiles(join(ROOT, 'docs/core'))
    .filter((file) => /^[^/]+\.md$/.test(file))
    .map((file) => readReadme(`docs/core/${file}`))
}

function explain(
  change: Change,
  readmes: readonly Readme[],
  pieces: ReadonlyMap<CodeBlock, ShownPiece>,
): Change {
  for (const readme of readmes) {
    const explanation =
      byPiece(change, readme, pieces) ?? byBlock(change, readme) ?? byMention(change, readme)
    if (explanation) return { ...change, ...explanation, explainedIn: readme.file }
  }
  return change
}

/** What is said of a change, as plain text and as Markdown. */
type Explanation = Required<Pick<Change, 'explanation' | 'explanationMarkdown'>>

/** The paragraph before the piece of a program that the change stands in. */
function byPiece(
  { file, line, removed, added }: Change,
  { blocks }: Readme,
  pieces: ReadonlyMap<CodeBlock, ShownPiece>,
): Explanation | undefined {
  const mark = added.length > 0 ? '+' : '-'
  const [first] = added.length > 0 ? added : removed
  for (const block of blocks) {
    const piece = pieces.get(block)
    if (block.program?.file !== file || !Array.isArray(piece) || block.explanation === '') continue
    // Where a file is new nothing is marked.
    if (
      piece.some(
        (shown) => shown.text === first && shown.line === line && shown.mark !== (mark === '+' ? '-' : '+'),
      )
    )
      return { explanation: block.explanation, explanationMarkdown: block.explanationMarkdown }
  }
  return undefined
}

/** The paragraph before a code block that shows the lines. */
function byBlock({ file, line, last, added }: Change, { blocks }: Readme): Explanation | undefined {
  for (const { source, explanation, explanationMarkdown } of blocks) {
    if (source?.file !== file || source.at === undefined || explanation === '') continue
    const range = rangeOf(source)
    if (range && added.length > 0 && range.first <= line && last <= range.last)
      return { explanation, explanationMarkdown }
  }
  return undefined
}

/** The lines that a block shows; none when it is wrong about its source, which the check of the blocks tells. */
function rangeOf(source: BlockSource): LineRange | undefined {
  try {
    return cut(source).range
  } catch (error) {
    if (error instanceof ReadmeProblem) return undefined
    throw error
  }
}

/** The sentence that names the file and the smallest symbol of the change, or a file that is gone or back where it was. */
function byMention(
  { file, symbol, goneFrom, backFrom }: Change,
  { mentions }: Readme,
): Explanation | undefined {
  const elsewhere = goneFrom ?? backFrom
  if (symbol === undefined && elsewhere === undefined) return undefined
  const mention = mentions.find((mention) =>
    elsewhere === undefined ? mention.file === file && mention.symbol === symbol : mention.file === elsewhere,
  )
  return mention && { explanation: mention.sentence, explanationMarkdown: mention.sentenceMarkdown }
}
