/**
 * What there is to read: the chapters, as their folders tell of themselves. A chapter's number and
 * name are its folder's, its title and its times are its README's, and the rest stands in its package.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { distance } from 'fastest-levenshtein'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { type Choice, type Live, type Program, readCluster } from './cluster.ts'
import { type Part, partOf } from './parts.ts'
import { type Minutes, minutesOf } from './times.ts'

/** The folder that the chapters live in. */
export const CHAPTERS_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../../chapters')

/** The command of a chapter that makes services of its programs, where it has one. */
export const INSTALLER = 'service'

export interface Chapter {
  /** `3` */
  number: number
  /** `03-sockets` */
  name: string
  /** Its absolute path. */
  folder: string
  /** The first heading of its README, without the number. */
  title: string
  /** The part of the series that it belongs to. */
  part: Part
  /** How long it takes. */
  minutes: Minutes
  /** What it teaches, in one sentence. */
  teaches: string
  /** The address of the post that it re-creates. */
  post: string
  /** The programs of its cluster that are there, in the order in which they start. */
  programs: Program[]
  /** What else its package.json can run, and ends by itself: a script with a source of its name, such as `keys`. */
  commands: string[]
  /** The configuration file that its programs find by themselves: `rpicluster.cfg`. None when their values are in the code. */
  config?: string
  /** Whether its programs run in the site's page, or what they need that a page does not have. */
  live?: Live
  /** That its programs find something in each other's state when they run on one machine. */
  state?: 'shared'
  /** What the reader may choose at the start. */
  choices: Choice[]
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

/**
 * The chapter in a folder, or in a copy of one.
 *
 * @throws ReaderError when its package.json does not say what its cluster is, or says it wrongly
 */
export function readChapter(folder: string): Chapter {
  const pkg = readPackage(folder)
  // A practice folder of before this key came has none.
  const cluster = readCluster(folder) ?? readCluster(join(CHAPTERS_FOLDER, pkg.name))
  if (!cluster) {
    throw new ReaderError(
      `${join(folder, 'package.json')}: cluster is missing. It says which programs the chapter has (packages/tutorial/README.md shows how).`,
    )
  }
  const hasSource = (name: string) => existsSync(join(folder, 'src', `${name}.ts`))
  const programs = cluster.programs.filter(({ name }) => hasSource(name))
  const number = Number.parseInt(pkg.name, 10)
  const readme = textOfFile(join(folder, 'README.md')) ?? ''
  return {
    number,
    name: pkg.name,
    folder,
    title: titleOf(readme) ?? pkg.name,
    part: partOf(number),
    minutes: minutesOf(readme),
    teaches: pkg.description,
    post: pkg.homepage,
    programs,
    commands: Object.keys(pkg.scripts).filter(
      (script) => hasSource(script) && !programs.some(({ name }) => name === script),
    ),
    ...(cluster.config !== undefined && { config: cluster.config }),
    ...(cluster.live !== undefined && { live: cluster.live }),
    ...(cluster.state !== undefined && { state: cluster.state }),
    choices: cluster.choices,
  }
}

/** True for a folder that is a chapter: `chapters/03-sockets`, or a copy of it. */
export function isChapterFolder(folder: string): boolean {
  return existsSync(join(folder, 'package.json')) && /^\d\d-/.test(readPackage(folder).name)
}

/** @throws ReaderError when its package.json is no JSON, as it may be while somebody writes in it */
function readPackage(folder: string): PackageJson {
  const file = join(folder, 'package.json')
  try {
    const pkg = JSON.parse(readFileSync(file, 'utf8')) as Partial<PackageJson>
    return { name: basename(folder), description: '', homepage: '', scripts: {}, ...pkg }
  } catch (error) {
    throw new ReaderError(`Cannot read ${file}: ${error instanceof Error ? error.message : error}`)
  }
}

function titleOf(readme: string): string | undefined {
  return /^# (?:\d+:? )?(.+)$/m.exec(readme)?.[1]
}
