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

/** The fence of a block that shows a file of the chapter: its language, how it is shown, the file, and where the piece ends. */
const FENCE = /^```(\w+) (program|file)=(src\/\S+|[^\s/]+)(.*)/

/**
 * The README's text. Each program is in it, whole and in one block that `sync` fills: as soon as the
 * program changes, the block asks for pieces and for what explains them.
 *
 * @param before the README of the chapter before
 */
export function readmeFor(chapter: NewChapter, before: string): string {
  const { number, title } = chapter
  const sections = sectionsOf(before)
  return [
    `# ${twoDigits(number)}: ${title}`,
    '',
    timesLine(number, 1),
    '',
    toWrite('in two or three sentences: what was missing, and what this chapter does about it'),
    toWrite('that it re-creates the post, with a link to it'),
    '',
    '![](picture.svg)',
    ...withUnshown(sections, chapter).flatMap((section) => ['', ...writtenAnew(section, chapter)]),
    '',
  ].join('\n')
}

/** A heading, and the lines below it up to the next one. */
interface Section {
  heading: string
  lines: string[]
}

/**
 * The sections with all programs of the chapter before. What was back there as it was, its README does not show; now it is
 * a program like any other, and stands folded below the last that are shown.
 */
function withUnshown(sections: Section[], { before }: NewChapter): Section[] {
  const shown = new Set(sections.flatMap(({ lines }) => filesOf(lines)))
  const unshown = before.programs.map(({ name }) => name).filter((name) => !shown.has(`src/${name}.ts`))
  const last = sections.findLast(({ lines }) => filesOf(lines).some((file) => file.startsWith('src/')))
  for (const name of unshown)
    last?.lines.push(
      '<details>',
      `<summary>The ${name}</summary>`,
      '',
      `\`\`\`ts program=src/${name}.ts`,
      '```',
      '',
      '</details>',
    )
  return sections
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

/** The files that blocks show. */
function filesOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => FENCE.exec(line)?.[3] ?? [])
}

/** The blocks that show a file of the chapter, each file once and whole. What was folded as a whole stays so. */
function filesIn(lines: readonly string[]): string[][] {
  const blocks = new Map<string, string[]>()
  let summary: string | undefined
  for (const line of lines) {
    if (line.startsWith('<summary>')) summary = line
    if (line === '</details>') summary = undefined
    const [, language, kind, file, piece] = FENCE.exec(line) ?? []
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
