/**
 * A chapter's picture, as its author writes it: `picture.yaml` says in rows which boxes there are, and what
 * travels between them. What it looks like is nobody's business here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  array,
  type BaseIssue,
  type InferOutput,
  literal,
  maxLength,
  minLength,
  nonEmpty,
  nullish,
  optional,
  picklist,
  pipe,
  record,
  safeParse,
  strictObject,
  string,
  union,
} from 'valibot'
import { LineCounter, parseDocument } from 'yaml'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'

/** What a box can stand for. A `wire` is what goes over a connection: its `code` are the pieces, one beside the other. */
export const KINDS = ['program', 'file', 'screen', 'person', 'core', 'machine', 'wire'] as const

/** A picture. */
export interface Picture {
  /** What it shows, in a few words. */
  title: string
  /** What somebody who sees it takes from it, in a sentence or two, for somebody who does not. */
  alt: string
  /** The boxes, from top to bottom and from left to right. */
  rows: Box[][]
  /** What travels, each between two boxes that are neighbours in a row, or in two rows that follow each other. */
  arrows: Arrow[]
}

/** Something that is there. */
export interface Box {
  /** What it is called, and what arrows call it. */
  name: string
  is: (typeof KINDS)[number]
  /** The word that marks it as this chapter's: `new`. Nothing for what was there before. */
  mark?: string
  /** What is said of it. */
  text: string[]
  /** What stands in it, to the letter. */
  code: string[]
}

/** Something that travels from one box to another. */
export interface Arrow {
  from: string
  to: string
  /** The word that marks it as this chapter's: `new`. Nothing for what was there before. */
  mark?: string
  /** True when it does not get there. */
  lost: boolean
  /** What is said of it. */
  text: string[]
  /** What travels, to the letter. */
  code: string[]
}

const MOST_LETTERS_OF_A_MARK = 12

/** What the value of each key is to be. */
const TAKES = {
  title: 'a few words that say what the picture shows',
  alt: 'one or two sentences: what somebody who sees the picture takes from it',
  rows: 'a list of rows, from top to bottom, each with the boxes in it by their names, from left to right',
  arrows: 'a list of what travels, such as {from: sensor, to: display, text: 21 degrees}',
  from: 'the name of a box',
  to: 'the name of a box',
  is: `one of ${KINDS.join(', ')}`,
  new: `true, or the word to mark it with in place of "new", at most ${MOST_LETTERS_OF_A_MARK} letters`,
  lost: 'true, for what does not get there',
  text: 'a text, or a list of texts',
  code: 'a text, a list of texts, or lines after a |, shown to the letter (in single quotes, YAML leaves a text alone)',
}

const text = pipe(string(), nonEmpty())
const texts = optional(union([text, pipe(array(text), minLength(1))]))
const marks = {
  new: optional(union([literal(true), pipe(text, maxLength(MOST_LETTERS_OF_A_MARK))])),
  text: texts,
  code: texts,
}

const BoxSchema = strictObject({ is: optional(picklist(KINDS), 'program'), ...marks })
const ArrowSchema = strictObject({ from: text, to: text, lost: optional(literal(true)), ...marks })
const PictureSchema = strictObject({
  title: text,
  alt: text,
  rows: pipe(array(record(string(), nullish(BoxSchema, {}))), minLength(1)),
  arrows: optional(array(ArrowSchema), []),
})

/**
 * Reads a picture.
 *
 * @param file a `picture.yaml`, counted from the repository
 * @returns nothing when there is no such file
 * @throws ReaderError when what it says is not right: a line for each problem, with file and place
 */
export function readPicture(file: string): Picture | undefined {
  if (!existsSync(join(ROOT, file))) return undefined
  return pictureOf(readFileSync(join(ROOT, file), 'utf8'), file)
}

/** The same of a text. `file` is how problems call it. */
export function pictureOf(yaml: string, file: string): Picture {
  const lines = new LineCounter()
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw problem(
      document.errors.map(({ pos, message }) => `${file}:${lines.linePos(pos[0]).line}: ${message}.`),
    )
  }
  const { success, output, issues = [] } = safeParse(PictureSchema, document.toJS())
  if (!success) throw problem(issues.map((issue) => `${file}: ${toldIssue(issue)}`))
  const problems = contradictions(output)
  if (problems.length > 0) throw problem(problems.map((line) => `${file}: ${line}`))
  return {
    title: oneLine(output.title),
    alt: oneLine(output.alt),
    rows: output.rows.map((row) =>
      Object.entries(row).map(([name, { is, ...rest }]) => ({ name, is, ...said(rest) })),
    ),
    arrows: output.arrows.map(({ from, to, lost = false, ...rest }) => ({ from, to, lost, ...said(rest) })),
  }
}

type Said = Pick<InferOutput<typeof BoxSchema>, 'new' | 'text' | 'code'>

function said({ new: mark, text = [], code = [] }: Said): Pick<Box, 'mark' | 'text' | 'code'> {
  return {
    ...(mark !== undefined && { mark: mark === true ? 'new' : mark }),
    text: [text].flat().map(oneLine),
    code: [code].flat().flatMap((part) => part.trimEnd().split('\n')),
  }
}

/** A text that was broken into lines in its file. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ')
}

/** What each value by itself does not show: names that nobody has, or that two have. */
function contradictions({ rows, arrows }: InferOutput<typeof PictureSchema>): string[] {
  const names = rows.flatMap((row) => Object.keys(row))
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  return [
    ...rows.flatMap((row, index) => (Object.keys(row).length === 0 ? [`rows.${index} has no box.`] : [])),
    ...twice.map(
      (name) => `rows: two boxes are called ${JSON.stringify(name)}, and arrows could mean either.`,
    ),
    ...arrows.flatMap(({ from, to }, index) => [
      ...(['from', 'to'] as const).flatMap((end) => {
        const name = { from, to }[end]
        return names.includes(name)
          ? []
          : [`arrows.${index}.${end} is ${JSON.stringify(name)}. Boxes here: ${names.join(', ')}.`]
      }),
      ...(from === to ? [`arrows.${index} goes from ${JSON.stringify(from)} to itself.`] : []),
    ]),
  ]
}

function toldIssue(issue: BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) => String(key))
  const at = keys.join('.') || 'the file'
  if (issue.expected === 'never') {
    const [first] = keys
    const schema = keys.length === 1 ? PictureSchema : first === 'arrows' ? ArrowSchema : BoxSchema
    return `${at} is not known here. Known here: ${Object.keys(schema.entries).join(', ')}.`
  }
  if (keys.length === 0) return 'It is to have a title, an alt text and rows of boxes.'
  const isBox = keys[0] === 'rows' && keys.length === 3
  const takes = isBox
    ? `what is said of the box: ${Object.keys(BoxSchema.entries).join(', ')}`
    : TAKES[keys.findLast((key) => Object.hasOwn(TAKES, key)) as keyof typeof TAKES]
  const isMissing = issue.type === 'strict_object' && issue.input === undefined
  return `${at} is ${isMissing ? 'missing' : JSON.stringify(issue.input)}. It takes ${takes}.`
}

function problem(lines: string[]): ReaderError {
  return new ReaderError(lines.join('\n'))
}
