/**
 * What a chapter's folder has to have, so that the tools find it and a copy of another chapter is not
 * taken for one: names, scripts, programs, ports, tests, and links to and from it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, CHAPTERS_FOLDER, type Chapter } from '../chapters/chapters.ts'
import { type Program, readCluster } from '../chapters/cluster.ts'
import { coreModules } from '../chapters/growth.ts'
import { configFilesOf, portsOf } from '../chapters/ports.ts'
import { isUnwritten } from '../texts/unwritten.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { schemaNameOf } from './json-schemas.ts'

interface PackageJson {
  name: string
  description?: string
  homepage?: string
  files?: string[]
  scripts: Record<string, string>
}

/** Everything that is wrong with the chapters' folders, a line each, beginning with the file. */
export function chapterProblems(): string[] {
  const chapters = allChapters()
  return [
    ...chapters.flatMap((chapter, index) => [
      ...wrongNumber(chapter, index),
      ...wrongPackage(chapter),
      ...wrongPrograms(chapter),
      ...wrongFormerNames(chapter, chapters[index - 1]),
      ...missingTests(chapter),
      ...wrongReadme(chapter, chapters[index + 1]),
    ]),
    ...sameTwice(chapters),
    ...missingInCore(),
  ]
}

/** How node runs a program, and the tests of a chapter, as its package.json says it. */
export const scriptOf = (program: string) => `node --import tsx src/${program}.ts`
export const testScriptOf = (chapter: string) => `vitest run --root ../.. --project ${chapter}`

function wrongNumber({ name }: Chapter, index: number): string[] {
  const number = String(index + 1).padStart(2, '0')
  return name.startsWith(`${number}-`)
    ? []
    : [`chapters/${name}: ${number} comes next: chapters have no gaps.`]
}

function wrongPackage(chapter: Chapter): string[] {
  const file = `chapters/${folderOf(chapter)}/package.json`
  const { name, description = '', homepage = '', files = [], scripts } = packageOf(chapter)
  const folder = folderOf(chapter)
  const problems: string[] = []
  const hold = (key: string, is: string | undefined, wanted: string) => {
    if (is !== wanted)
      problems.push(`${file}: ${key} is ${JSON.stringify(is)}, and is to be ${JSON.stringify(wanted)}`)
  }
  hold('name', name, folder)
  hold('scripts.start', scripts['start'], 'tutorial start')
  hold('scripts.diff', scripts['diff'], 'tutorial diff')
  hold('scripts.test', scripts['test'], testScriptOf(folder))
  for (const { name } of chapter.programs) hold(`scripts.${name}`, scripts[name], scriptOf(name))
  if (description === '')
    problems.push(`${file}: description is missing: what the chapter teaches, in one sentence`)
  if (!/^https:\/\/\S+$/.test(homepage) && !isUnwritten(homepage))
    problems.push(
      `${file}: homepage is to be the https address of the post, and is ${JSON.stringify(homepage)}`,
    )
  for (const config of configFilesOf(chapter)) {
    if (!files.includes(config)) problems.push(`${file}: files lacks "${config}", which a Pi needs`)
  }
  const schema = schemaNameOf(chapter)
  if (schema !== undefined && !files.includes(schema))
    problems.push(`${file}: files lacks "${schema}", which the configuration names`)
  return problems
}

function wrongPrograms(chapter: Chapter): string[] {
  const file = `chapters/${folderOf(chapter)}/package.json`
  const { config, programs } = readCluster(chapter.folder) ?? { programs: [] }
  const problems: string[] = []
  if (config !== undefined && !existsSync(join(chapter.folder, config)))
    problems.push(`${file}: cluster.config is "${config}", and there is no such file`)
  for (const program of programs) {
    const { name } = program
    const at = `${file}: cluster.programs.${name}`
    if (!existsSync(join(chapter.folder, 'src', `${name}.ts`)))
      problems.push(`${at}: there is no src/${name}.ts`)
    else problems.push(...wrongPorts(program, chapter).map((why) => `${at}.listens has ${why}`))
  }
  return problems
}

/** Names that programs are said to have had, where the chapter before knows none of that name, or that are in use. */
export function wrongFormerNames(chapter: Chapter, before: Chapter | undefined): string[] {
  const names = ({ programs }: Pick<Chapter, 'programs'>) => programs.map(({ name }) => name)
  return chapter.programs.flatMap(({ name, formerly }) => {
    if (formerly === undefined) return []
    const why =
      (!before && 'and no chapter comes before this one') ||
      (before &&
        !names(before).includes(formerly) &&
        `and ${before.name} has no program of that name. Programs there: ${names(before).join(', ')}`) ||
      (names(chapter).includes(formerly) && 'which is still a program here') ||
      (before && names(before).includes(name) && `and ${before.name} has a program ${name} as well`) ||
      (chapter.programs.some((other) => other.formerly === formerly && other.name !== name) &&
        'and another program here says the same')
    const file = `chapters/${folderOf(chapter)}/package.json`
    return why ? [`${file}: cluster.programs.${name}.formerly is "${formerly}", ${why}.`] : []
  })
}

function wrongPorts(program: Program, chapter: Chapter): string[] {
  const found = portsOf(chapter).filter((port) => port.program === program.name)
  const sources = repositoryFiles(join(chapter.folder, 'src')).map((file) =>
    readFileSync(join(chapter.folder, 'src', file), 'utf8').replaceAll('_', ''),
  )
  return program.listens.flatMap((place) => {
    if (typeof place === 'number') {
      const isInCode = sources.some((text) => new RegExp(`\\b${place}\\b`).test(text))
      return isInCode ? [] : [`${place}, which stands in no program of the chapter`]
    }
    const inFile = program.listens.filter((other) => typeof other === 'string').length
    const isComplete = found.filter(({ isFixed }) => !isFixed).length >= inFile
    return isComplete ? [] : [`"${place}", where the configuration has no port`]
  })
}

function missingTests(chapter: Chapter): string[] {
  const folder = `chapters/${folderOf(chapter)}/test`
  const hasOwn = repositoryFiles(chapter.folder).some((file) =>
    chapter.number === 1 ? /^test\/.*\.test\.ts$/.test(file) : file === 'test/new.test.ts',
  )
  const shared = join(chapter.folder, 'test/ends-well.test.ts')
  const hasShared = existsSync(shared) && /everyProgramEndsWell\(\)/.test(readFileSync(shared, 'utf8'))
  return [
    ...(hasOwn ? [] : [`${folder}/new.test.ts is missing: what is new in the chapter`]),
    ...(hasShared ? [] : [`${folder}/ends-well.test.ts is missing, or does not call everyProgramEndsWell()`]),
  ]
}

function wrongReadme(chapter: Chapter, next: Chapter | undefined): string[] {
  const file = `chapters/${folderOf(chapter)}/README.md`
  if (!existsSync(join(ROOT, file))) return [`${file} is missing`]
  const text = readFileSync(join(ROOT, file), 'utf8')
  const heading = `# ${String(chapter.number).padStart(2, '0')}: `
  const problems: string[] = []
  if (!text.startsWith(heading)) problems.push(`${file}:1: its heading is to begin with "${heading}"`)
  if (!isUnwritten(chapter.post) && !text.includes(`](${chapter.post})`))
    problems.push(`${file}: it does not link its post, ${chapter.post}`)
  if (next && !text.includes(`](../${next.name}/README.md`))
    problems.push(`${file}: it does not link the chapter that comes next, ../${next.name}/README.md`)
  return problems
}

/** The whole series: where chapters lead that go on from where its posts end. */
const SERIES = /\/category\//

/** A title, a sentence or a post that two chapters have: one of them is a copy's. */
function sameTwice(chapters: readonly Chapter[]): string[] {
  return chapters.flatMap((chapter, index) =>
    (['title', 'teaches', 'post'] as const).flatMap((key) => {
      const isShared = key === 'post' && SERIES.test(chapter.post)
      const other = isShared
        ? undefined
        : chapters.slice(0, index).find((earlier) => earlier[key] === chapter[key])
      const where = {
        title: 'README.md: its heading',
        teaches: 'package.json: description',
        post: 'package.json: homepage',
      }
      return other
        ? [`chapters/${folderOf(chapter)}/${where[key]} is that of ${other.name}: ${chapter[key]}`]
        : []
    }),
  )
}

/** Modules of the core that its README does not list, and a release that no changeset announces. */
function missingInCore(): string[] {
  const modules = coreModules(ROOT)
  const readme = readFileSync(join(ROOT, 'packages/core/README.md'), 'utf8')
  const { version } = JSON.parse(readFileSync(join(ROOT, 'packages/core/package.json'), 'utf8')) as {
    version: string
  }
  const released = Number(version.split('.')[1])
  const newest = modules.findLast(({ bornIn }) => bornIn > released)
  const isAnnounced = repositoryFiles(ROOT)
    .filter((file) => /^\.changeset\/.*\.md$/.test(file))
    .some((file) => /^["']@rpi-cluster\/core["']: minor$/m.test(readFileSync(join(ROOT, file), 'utf8')))
  return [
    ...modules
      .filter(({ name }) => !readme.includes(`(src/${name}.ts)`))
      .map(({ name }) => `packages/core/README.md does not list src/${name}.ts`),
    ...(newest && !isAnnounced
      ? [
          `packages/core/src/${newest.name}.ts is new since ${version}, and no changeset says so: pnpm changeset, minor`,
        ]
      : []),
  ]
}

/** The folder's own name, whatever its package.json says. */
function folderOf({ folder }: Chapter): string {
  return readdirSync(CHAPTERS_FOLDER).find((name) => join(CHAPTERS_FOLDER, name) === folder) ?? folder
}

function packageOf({ folder }: Chapter): PackageJson {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
