/**
 * What a README says of the code: the blocks it cuts from source files, the symbols it points at,
 * and the words around both.
 *
 * - A code block names its source after its language: `ts file=src/main.ts` is the whole file,
 *   `ts file=src/main.ts at="for await"` the statement whose first line has that text, with
 *   `to="..."` the lines up to the first that has that text. A block that is cut from nowhere says `example`.
 * - `diff program=src/main.ts to="..."` is a piece of a program, against the chapter before: the blocks with one
 *   program show all of its lines, each up to the line with that text, the last one to the end. Where there is
 *   nothing to compare with, it is `ts program=...`.
 * - A `console` block is commands (after `$ `) and what they print; `exit=1` says with which code the
 *   last ends, when that is not 0. A line `...` stands for lines left out.
 * - A link to a source file points at a symbol: `[connect](src/sockets.ts#connect)`; `#imports` is
 *   the import lines.
 *
 * A file counts from the README's folder, or from the repository where there is none.
 */
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Code, Link, Nodes, Paragraph, Root } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { toString as textOf } from 'mdast-util-to-string'
import { gfm } from 'micromark-extension-gfm'
import { visitParents } from 'unist-util-visit-parents'
import { textOfFile } from '../workspace/files.ts'
import { ROOT } from '../workspace/repository.ts'
import { ReadmeProblem } from './readme-problem.ts'
import { type LineRange, lineWith, statementAt } from './source.ts'

/** A README, taken apart. */
export interface Readme {
  /** Counted from the repository. */
  file: string
  text: string
  tree: Root
  blocks: CodeBlock[]
  mentions: Mention[]
}

/** A code block of a README. */
export interface CodeBlock {
  /** `ts`, `console`, `sh`... */
  language: string
  /** Where the block is cut from, when it says so. */
  source?: BlockSource
  /** Which program it shows a piece of, when it says so. */
  program?: ProgramPiece
  /** True for code that stands nowhere else: its fence says `example`. */
  isExample: boolean
  /** The exit code that its last command ends with, from `exit=1`. Default: 0. */
  exitCode: number
  /** What stands in it. */
  content: string
  /** The README's line that the block begins in. */
  line: number
  /** The paragraph that comes before it. */
  explanation: string
  /** The same as Markdown. */
  explanationMarkdown: string
  /** All paragraphs before it, from the heading or the block above on. */
  paragraphs: string[]
  /** Where the content stands in the README's text: after the fence's line, before the closing fence. */
  range: [start: number, end: number]
  /** The white space before each of its lines, when it is part of a list. */
  indent: string
}

/** Where a block is cut from. */
export interface BlockSource {
  /** Counted from the repository. */
  file: string
  at?: string
  to?: string
}

/** A piece of a program, which begins where the one before it ended. */
export interface ProgramPiece {
  /** Counted from the repository. */
  file: string
  /** A text in its last line. */
  to?: string
}

/** A place in a README's prose that points at code. */
interface Mention {
  /** Counted from the repository. */
  file: string
  /** The symbol, or `imports`; nothing when the whole file is meant. */
  symbol?: string
  /** The sentence that the link is in. */
  sentence: string
  /** The same as Markdown. */
  sentenceMarkdown: string
  line: number
}

/** Whether a text, counted from the repository, is the README of a chapter. */
export function isOfChapter(file: string): boolean {
  return /^chapters\/[^/]+\/README\.md$/.test(file)
}

/** What was taken apart already. One text explains many changes, and Markdown takes its time. */
const taken = new Map<string, Readme>()

/** Reads a README, counted from the repository. One that is not there says nothing. */
export function readReadme(file: string): Readme {
  const text = textOfFile(join(ROOT, file)) ?? ''
  const known = taken.get(file)
  if (known?.text === text) return known
  const tree = fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] })
  const blocks: CodeBlock[] = []
  const mentions: Mention[] = []
  let paragraphs: Paragraph[] = []
  let isAfterBlock = false
  visitParents(tree, (node, ancestors) => {
    if (node.type === 'heading') paragraphs = []
    if (node.type === 'paragraph') {
      paragraphs = [...(isAfterBlock ? [] : paragraphs), node]
      isAfterBlock = false
    }
    if (node.type === 'code') {
      blocks.push(readBlock(node, file, text, paragraphs))
      isAfterBlock = true
    }
    if (node.type === 'link') {
      const mention = readMention(node, file, text, ancestors)
      if (mention) mentions.push(mention)
    }
  })
  const readme = { file, text, tree, blocks, mentions }
  taken.set(file, readme)
  return readme
}

/**
 * The lines that a block is to show, cut from its source, and where they stand there.
 *
 * @throws ReadmeProblem when there is no such file, or no such text in it
 */
export function cut(source: BlockSource): { content: string; range: LineRange } {
  const text = textOfFile(join(ROOT, source.file))
  if (text === undefined) throw new ReadmeProblem(`there is no file ${source.file}`)
  const range = rangeOf(source, text)
  const lines = text.split('\n').slice(range.first - 1, range.last)
  const indent = Math.min(...lines.filter((line) => line.trim()).map((line) => line.search(/\S/)))
  return { content: lines.map((line) => line.slice(indent)).join('\n'), range }
}

function rangeOf({ file, at, to }: BlockSource, text: string): LineRange {
  if (at === undefined) return { first: 1, last: text.trimEnd().split('\n').length }
  const first = lineWith(text, at)
  if (first === undefined) throw new ReadmeProblem(`no line of ${file} has the text ${JSON.stringify(at)}`)
  if (to !== undefined) {
    const last = lineWith(text, to, first)
    if (last === undefined)
      throw new ReadmeProblem(`after line ${first}, no line of ${file} has the text ${JSON.stringify(to)}`)
    return { first, last }
  }
  if (!/\.[cm]?[jt]s$/.test(file)) return { first, last: first }
  const statement = statementAt(text, first)
  if (!statement)
    throw new ReadmeProblem(
      `no statement of ${file} begins on its line ${first}; say where the block ends with to="..."`,
    )
  return statement
}

function readBlock(node: Code, readme: string, text: string, paragraphs: readonly Paragraph[]): CodeBlock {
  const paragraph = paragraphs.at(-1)
  const start = node.position?.start.offset ?? 0
  const end = node.position?.end.offset ?? 0
  const firstLineEnd = text.indexOf('\n', start)
  const lastLineStart = text.lastIndexOf('\n', end - 1)
  const indent = ' '.repeat((node.position?.start.column ?? 1) - 1)
  const attributes = readAttributes(node.meta ?? '')
  const source = readSource(attributes, readme)
  const program = readProgram(attributes, readme)
  return {
    language: node.lang ?? '',
    ...(source && { source }),
    ...(program && { program }),
    isExample: /(^|\s)example(\s|$)/.test(node.meta ?? ''),
    exitCode: Number(/(?:^|\s)exit=(\d+)/.exec(node.meta ?? '')?.[1] ?? 0),
    content: node.value,
    line: node.position?.start.line ?? 0,
    explanation: paragraph ? textOf(paragraph) : '',
    explanationMarkdown: paragraph ? markdownOf(paragraph, text) : '',
    paragraphs: paragraphs.map((paragraph) => textOf(paragraph)),
    range: [firstLineEnd + 1, Math.max(firstLineEnd, lastLineStart) + 1],
    indent,
  }
}

/** `file=src/main.ts at="for await"`, by name. */
function readAttributes(meta: string): Map<string, string> {
  return new Map(
    [...meta.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)].map(([, key = '', quoted, bare]) => [
      key,
      quoted ?? bare ?? '',
    ]),
  )
}

function readProgram(attributes: ReadonlyMap<string, string>, readme: string): ProgramPiece | undefined {
  const program = attributes.get('program')
  if (program === undefined) return undefined
  const to = attributes.get('to')
  return { file: fromRepository(program, readme), ...(to !== undefined && { to }) }
}

function readSource(attributes: ReadonlyMap<string, string>, readme: string): BlockSource | undefined {
  const file = attributes.get('file')
  if (file === undefined) return undefined
  const at = attributes.get('at')
  const to = attributes.get('to')
  return {
    file: fromRepository(file, readme),
    ...(at !== undefined && { at }),
    ...(to !== undefined && { to }),
  }
}

function readMention(
  node: Link,
  readme: string,
  text: string,
  ancestors: readonly Nodes[],
): Mention | undefined {
  const [path, symbol] = node.url.split('#')
  if (!path || !/\.ts$/.test(path) || /^\w+:/.test(path)) return undefined
  const around = ancestors.findLast(({ type }) => type === 'paragraph' || type === 'tableRow')
  return {
    file: fromRepository(path, readme),
    ...(symbol && { symbol: decodeURIComponent(symbol) }),
    sentence: around ? sentenceWith(textOf(around), textOf(node)) : '',
    sentenceMarkdown: around ? sentenceWith(markdownOf(around, text), markdownOf(node, text)) : '',
    line: node.position?.start.line ?? 0,
  }
}

/** A path that counts from a README's folder, or from the repository where the README's folder has no such file. */
function fromRepository(path: string, readme: string): string {
  const beside = join(dirname(readme), path)
  return existsSync(join(ROOT, beside)) ? relative(ROOT, join(ROOT, beside)) : path
}

/** A node as it stands in its README. */
function markdownOf(node: Nodes, text: string): string {
  return text.slice(node.position?.start.offset, node.position?.end.offset)
}

/** The sentence of a paragraph that has a text. */
function sentenceWith(paragraph: string, text: string): string {
  const sentences = [...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(paragraph)].map(
    ({ segment }) => segment,
  )
  return (sentences.find((sentence) => sentence.includes(text)) ?? paragraph).replace(/\s+/g, ' ').trim()
}
