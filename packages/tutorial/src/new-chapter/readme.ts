/** The README of a chapter that is still to be written: the headings of the one before, and what belongs below them. */
import type { Chapter } from '../chapters/chapters.ts'
import { twoDigits } from '../chapters/parts.ts'
import { timesLine } from '../chapters/times.ts'
import { toWrite } from '../texts/unwritten.ts'

/** What is known of a chapter that is not there yet. */
export interface NewChapter {
  number: number
  /** `07-made-up` */
  name: string
  title: string
  /** The chapter whose programs it starts from. */
  before: Chapter
}

/** How many questions stand at the end of a README. */
const QUESTIONS = 5

/**
 * The README's text. Each program is in it, whole and in one block that `sync` fills: as soon as the
 * program changes, the block asks for pieces and for what explains them.
 *
 * @param before the README of the chapter before
 */
export function readmeFor(chapter: NewChapter, before: string): string {
  const { number, title } = chapter
  return [
    `# ${twoDigits(number)}: ${title}`,
    '',
    timesLine(number, 1),
    '',
    toWrite('in two or three sentences: what was missing, and what this chapter does about it'),
    toWrite('that it re-creates the post, with a link to it'),
    '',
    '![](picture.svg)',
    ...sectionsOf(before).flatMap((section) => ['', ...writtenAnew(section, chapter)]),
    '',
  ].join('\n')
}

/** A heading, and the lines below it up to the next one. */
interface Section {
  heading: string
  lines: string[]
}

function sectionsOf(text: string): Section[] {
  const sections: Section[] = []
  let isInBlock = false
  for (const line of text.split('\n')) {
    if (/^ *```/.test(line)) isInBlock = !isInBlock
    if (!isInBlock && /^##+ /.test(line)) sections.push({ heading: line, lines: [] })
    else sections.at(-1)?.lines.push(line)
  }
  return sections
}

function writtenAnew({ heading, lines }: Section, { number, name, before }: NewChapter): string[] {
  const own = heading.replace(/\d+$/, twoDigits(before.number)).replace(before.name, name)
  const topic = own.replace(/^#+ /, '')
  const example = lines.find((line) => line.startsWith(`$ pnpm --filter ${before.name} `))
  const files = filesIn(lines)
  const body = () => {
    if (example !== undefined)
      return ['```console', example.replace(before.name, name), '```', '', toWrite(topic)]
    if (files.length > 0) return files.flatMap((block) => [toWrite(`${topic}, in pieces`), '', ...block, ''])
    if (lines.some((line) => line.startsWith('<details>'))) return questions()
    if (/next/i.test(topic)) return [toWrite(`what comes after ${twoDigits(number)}`)]
    return lines.some((line) => line.trim() !== '') ? [toWrite(topic)] : []
  }
  return [own, '', ...body()].join('\n').trimEnd().split('\n')
}

/** The blocks that show a file of the chapter, each file once and whole. What was folded as a whole stays so. */
function filesIn(lines: readonly string[]): string[][] {
  const blocks = new Map<string, string[]>()
  let summary: string | undefined
  for (const line of lines) {
    if (line.startsWith('<summary>')) summary = line
    if (line === '</details>') summary = undefined
    const [, language, kind, file, piece] = /^```(\w+) (program|file)=(src\/\S+|[^\s/]+)(.*)/.exec(line) ?? []
    if (file === undefined) continue
    const shown = language === 'diff' ? 'ts' : language
    const block = [`\`\`\`${shown} ${kind}=${file}`, '```']
    const isFolded = summary !== undefined && piece === ''
    blocks.set(file, isFolded ? ['<details>', summary as string, '', ...block, '', '</details>'] : block)
  }
  return [...blocks.values()]
}

function questions(): string[] {
  return Array.from({ length: QUESTIONS }, (_, index) => [
    '<details>',
    `<summary>${index + 1}. ${toWrite('a question that the text answers')}</summary>`,
    '',
    toWrite('its answer'),
    '</details>',
    '',
  ]).flat()
}
