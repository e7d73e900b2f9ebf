/** How long a chapter's README takes to read, and the line in it that says so. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Nodes } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { SKIP, visitParents } from 'unist-util-visit-parents'
import { versionBefore } from '../chapters/back.ts'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { TIMES_LINE, timesLine } from '../chapters/times.ts'
import { type CodeBlock, isOfChapter, type Readme, readReadme } from '../texts/readme.ts'
import { isUnwritten } from '../texts/unwritten.ts'
import { ROOT } from '../workspace/repository.ts'

/**
 * Words a minute. Adults read English non-fiction at 238, most of them at 175 to 300, and slower when it is not their
 * first language: M. Brysbaert, "How many words do we read per minute?", Journal of Memory and Language 109 (2019).
 */
const WORDS_A_MINUTE = 200

/**
 * Lines of code a minute: 500 an hour, as reviewers take for an application's code when they prepare. W. Humphrey,
 * "Managing the Software Process" (1989), quoted in S. McConnell's "Code Complete".
 */
const LINES_A_MINUTE = 500 / 60

/** Languages whose blocks are code; others show what is typed and printed, which is read as words are. */
const CODE = new Set(['ts', 'js', 'ini', 'json', 'jsonc', 'python', 'diff'])

/** What is wrong with the line in a text: a chapter's has one. */
export function timesProblems({ file, text }: Readme): string[] {
  const chapter = chapterOf(file)
  if (!chapter) return []
  const wanted = lineFor(chapter, text)
  const found = TIMES_LINE.exec(text)
  if (!found) return [`${file}: below its heading a line is missing (pnpm sync writes it): ${wanted}`]
  const [line, , doing = ''] = found
  const where = `${file}:${text.slice(0, found.index).split('\n').length}`
  const isTold = /^[1-9]\d*$/.test(doing) || isUnwritten(doing)
  return [
    ...(line === wanted
      ? []
      : [`${where}: its part and its times are stale (pnpm sync mends them): ${wanted}`]),
    ...(isTold ? [] : [`${where}: the time to run and try is "${doing}", and is to be a number of minutes`]),
  ]
}

/** Writes the line into a chapter's text. Returns whether anything changed. */
export function syncTimes(file: string): boolean {
  const chapter = chapterOf(file)
  if (!chapter) return false
  const { text } = readReadme(file)
  const wanted = lineFor(chapter, text)
  const synced = TIMES_LINE.test(text)
    ? text.replace(TIMES_LINE, () => wanted)
    : text.replace(/^# .*\n/m, (heading) => `${heading}\n${wanted}\n`)
  if (synced === text) return false
  writeFileSync(join(ROOT, file), synced)
  return true
}

/** How many minutes a chapter's README takes: its words, and the lines of code that its reader has not seen before. */
export function minutesToRead(chapter: Chapter): number {
  const { blocks, tree } = readReadme(readmeOf(chapter))
  const chapters = allChapters()
  const newLines = blocks.flatMap((block) => newLinesOf(block, chapter, chapters))
  const shown = blocks.flatMap(({ content }) => content.split('\n'))
  const words = wordsOf(proseOf(tree)) + wordsOf(shown.join('\n')) - wordsOf(newLines.join('\n'))
  return Math.max(1, Math.round(words / WORDS_A_MINUTE + newLines.length / LINES_A_MINUTE))
}

function lineFor(chapter: Chapter, text: string): string {
  return timesLine(chapter.number, minutesToRead(chapter), TIMES_LINE.exec(text)?.[2])
}

/** The lines of a block that are code, and of a file that is new: neither in the chapter before, nor back from an earlier one. */
function newLinesOf(
  { language, content, source, program }: CodeBlock,
  chapter: Chapter,
  chapters: readonly Chapter[],
): string[] {
  if (!CODE.has(language)) return []
  const lines = content.split('\n').filter((line) => line.trim() !== '')
  if (language === 'diff') return lines.filter((line) => line.startsWith('+'))
  const file = program?.file ?? source?.file
  const before = chapters.find(({ number }) => number === chapter.number - 1)
  const isKnown =
    before !== undefined &&
    file?.startsWith(`chapters/${chapter.name}/`) &&
    versionBefore(file.slice(`chapters/${chapter.name}/`.length), chapter, before, chapters) !== undefined
  return isKnown ? [] : lines
}

/** What stands between the code blocks, as a reader sees it. */
function proseOf(tree: Nodes): string {
  const texts: string[] = []
  visitParents(tree, (node) => {
    if (node.type === 'paragraph' && TIMES_LINE.test(textOf(node))) return SKIP
    if (node.type === 'text' || node.type === 'inlineCode') texts.push(node.value)
    if (node.type === 'html') texts.push(node.value.replace(/<[^>]*>/g, ''))
    return undefined
  })
  return texts.join(' ')
}

function wordsOf(text: string): number {
  return text.match(/\S*[\p{L}\p{N}]\S*/gu)?.length ?? 0
}

function chapterOf(file: string): Chapter | undefined {
  if (!isOfChapter(file)) return undefined
  return allChapters().find((chapter) => readmeOf(chapter) === file)
}

function readmeOf({ name }: Chapter): string {
  return `chapters/${name}/README.md`
}
