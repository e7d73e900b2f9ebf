/**
 * A chapter as plain JavaScript: a folder that runs wherever Node does, with nothing else installed. A file for
 * each program, and beside them what they share and what they read: configuration, data, workers.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { type Chapter, INSTALLER } from '../chapters/chapters.ts'
import { canBeCopied } from '../chapters/copied.ts'
import { configFilesOf } from '../chapters/ports.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { bundleReadme } from './bundle-readme.ts'
import { buildPrograms } from './javascript.ts'

/**
 * Writes a chapter into a folder, which is made when there is none:
 *
 * - `NAME.js` for each program and command, and for each worker that they start
 * - `shared-HASH.js` for what several of them import: the core, and libraries
 * - the configuration files, and the other data that `files` in the chapter's package.json names, or that a
 *   source refers to by `new URL('./page.html', import.meta.url)`
 * - a package.json, by which the programs know that this folder is theirs, and a README.md with the commands
 *
 * @param chapter a chapter, or a copy of one with its `node_modules`
 * @param folder its absolute path; what has the name of one of these files is overwritten
 * @throws ReaderError when a program cannot be made into JavaScript: a line for each problem, with file and line
 */
export async function bundleChapter(chapter: Chapter, folder: string): Promise<void> {
  const { engines, files = [] } = readPackage(chapter)
  const programs = [...chapter.programs.map(({ name }) => name), ...chapter.commands]
  if (programs.length === 0) throw new ReaderError(`${chapter.name} has no program that could be bundled.`)

  mkdirSync(folder, { recursive: true })
  const referredTo = await buildPrograms(chapter, programs, { folder, node: engines.node })
  for (const file of [...configFilesOf(chapter), ...dataNamedBy(chapter, files)])
    copy(join(chapter.folder, file), join(folder, file))
  for (const { from, to } of referredTo) copy(from, join(folder, to))
  writeFileSync(join(folder, 'package.json'), packageJson(chapter, engines))
  writeFileSync(join(folder, 'README.md'), bundleReadme(chapter, engines))
}

/** Every file of a folder, counted from it, sorted. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => !statSync(join(folder, file)).isDirectory())
    .sort()
}

/** What of a chapter's package.json matters here. */
interface ChapterPackage {
  /** Which versions of Node its programs are for. */
  engines: { node: string }
  /** What belongs to the chapter where it runs, beside package.json: npm's key. */
  files?: string[]
}

function readPackage({ folder }: Chapter): ChapterPackage {
  const file = join(folder, 'package.json')
  const pkg = JSON.parse(readFileSync(file, 'utf8')) as Partial<ChapterPackage>
  if (!pkg.engines?.node) {
    throw new ReaderError(
      `${file}: engines.node is missing. It says which Node the programs are for: ">=20.19".`,
    )
  }
  return pkg as ChapterPackage
}

/** The data among what a package.json names in `files`: all but the sources. */
function dataNamedBy({ folder }: Chapter, files: readonly string[]): string[] {
  return files.map(normalize).filter((file) => {
    if (file === 'src' || file === 'src/') return false
    if (file.startsWith('..') || !existsSync(join(folder, file))) {
      throw new ReaderError(
        `${join(folder, 'package.json')}: files has "${file}", and there is none. It takes files and folders of the chapter.`,
      )
    }
    return true
  })
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { recursive: true, dereference: true, filter: canBeCopied })
}

/** This folder is a program's own, its JavaScript is in modules, which Node it takes, and which programs can be services. */
function packageJson({ name, programs, commands }: Chapter, engines: ChapterPackage['engines']): string {
  const keys = {
    name,
    type: 'module',
    engines: { node: engines.node },
    ...(commands.includes(INSTALLER) && {
      cluster: { programs: Object.fromEntries(programs.map(({ name }) => [name, {}])) },
    }),
  }
  const lines = Object.entries(keys).map(
    ([key, value]) => `"${key}": ${JSON.stringify(value, undefined, 1).replace(/\n */g, ' ')}`,
  )
  return `{ ${lines.join(',\n  ')} }\n`
}
