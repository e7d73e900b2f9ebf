/**
 * What there is to read: the chapters, as their folders tell of themselves. A chapter's number and
 * name are its folder's, its title is its README's, and the rest stands in its package.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { distance } from 'fastest-levenshtein'
import { ReaderError } from './reader-error.ts'

/** The folder that the chapters live in. */
export const CHAPTERS_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../chapters')

export interface Chapter {
  /** `3` */
  number: number
  /** `03-sockets` */
  name: string
  /** Its absolute path. */
  folder: string
  /** The first heading of its README, without the number. */
  title: string
  /** What it teaches, in one sentence. */
  teaches: string
  /** The address of the post that it re-creates. */
  post: string
  /** The programs that its package.json can start: `master` and `slave`, or the only one. */
  programs: string[]
}

interface PackageJson {
  name: string
  description: string
  homepage: string
  scripts: Record<string, string>
}

/** All chapters, in their order. */
export function allChapters(): Chapter[] {
  return readdirSync(CHAPTERS_FOLDER)
    .filter((name) => /^\d\d-/.test(name) && existsSync(join(CHAPTERS_FOLDER, name, 'package.json')))
    .sort()
    .map((name) => readChapter(join(CHAPTERS_FOLDER, name)))
}

/**
 * The chapter that a reader means by `3`, `03`, `03-sockets` or `sockets`.
 *
 * @throws ReaderError when there is none: it lists what there is, nearest first
 */
export function findChapter(text: string): Chapter {
  const chapters = allChapters()
  const topic = ({ name }: Chapter) => name.replace(/^\d+-/, '')
  const found = chapters.find(
    (chapter) =>
      text === chapter.name ||
      text === topic(chapter) ||
      (/^\d+$/.test(text) && Number(text) === chapter.number),
  )
  if (found) return found
  const nearestFirst = chapters.toSorted(
    (a, b) => distance(text, topic(a)) - distance(text, topic(b)) || a.number - b.number,
  )
  throw new ReaderError(
    [
      `There is no chapter "${text}". There are:`,
      ...nearestFirst.map(({ name, title }) => `  ${name}  ${title}`),
    ].join('\n'),
  )
}

/** The chapter in a folder, or in a copy of one. */
export function readChapter(folder: string): Chapter {
  const pkg = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson
  return {
    number: Number.parseInt(pkg.name, 10),
    name: pkg.name,
    folder,
    title: titleOf(join(folder, 'README.md')) ?? pkg.name,
    teaches: pkg.description,
    post: pkg.homepage,
    programs: Object.keys(pkg.scripts).filter((script) => existsSync(join(folder, 'src', `${script}.ts`))),
  }
}

/** True for a folder that is a chapter: `chapters/03-sockets`, or a copy of it. */
export function isChapterFolder(folder: string): boolean {
  return existsSync(join(folder, 'package.json')) && /^\d\d-/.test(readName(folder) ?? basename(folder))
}

function readName(folder: string): string | undefined {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Partial<PackageJson>).name
}

function titleOf(readme: string): string | undefined {
  if (!existsSync(readme)) return undefined
  return /^# (?:\d+:? )?(.+)$/m.exec(readFileSync(readme, 'utf8'))?.[1]
}
