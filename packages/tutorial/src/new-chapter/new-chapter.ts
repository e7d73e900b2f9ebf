/**
 * `pnpm chapters --new 07-made-up "Its title"`: the folder of a chapter to come, with the programs of the
 * one before and everything that a check asks for. What its author has to write is marked, and red.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { allChapters, CHAPTERS_FOLDER } from '../chapters/chapters.ts'
import { coreModules } from '../chapters/growth.ts'
import { PARTS, twoDigits } from '../chapters/parts.ts'
import { testScriptOf } from '../checks/chapter-checks.ts'
import { syncTexts } from '../checks/problems.ts'
import { toWrite } from '../texts/unwritten.ts'
import { PNPM } from '../workspace/pnpm.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { coreModuleFiles } from './core-module.ts'
import { pictureFrom } from './picture.ts'
import { type NewChapter, readmeFor } from './readme.ts'

/** What is not taken over from the chapter before: it is written anew, or checked there already. */
const NOT_TAKEN_OVER = /^(README\.md|package\.json|picture\.yaml|(test|scenarios)\/|[^/]*\.(svg|png)$)/

/**
 * Makes the folder, installs what it needs, and says what is to be done.
 *
 * @param name the folder's name: `07-made-up`
 * @param title the heading of its README
 * @param core the name of a module that the core gains with it: `dialogue`
 * @throws ReaderError when there can be no such chapter, or no such module
 */
export async function newChapter(name: string, title: string | undefined, core?: string): Promise<void> {
  const chapter = checked(name, title)
  if (core !== undefined) checkModule(core)

  const folder = join(CHAPTERS_FOLDER, name)
  const unfinished = join(CHAPTERS_FOLDER, `.unfinished-${process.pid}`)
  try {
    for (const [file, text] of Object.entries(filesOf(chapter))) write(join(unfinished, file), text)
    for (const file of repositoryFiles(chapter.before.folder).filter((file) => !NOT_TAKEN_OVER.test(file)))
      cpSync(join(chapter.before.folder, file), join(unfinished, file))
    renameSync(unfinished, folder)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    throw new ReaderError(`Cannot make chapters/${name}: ${error instanceof Error ? error.message : error}`)
  }
  const ofCore = core === undefined ? {} : coreModuleFiles(core, chapter)
  for (const [file, text] of Object.entries(ofCore)) write(join(ROOT, file), text)

  const [pnpm, ...args] = PNPM
  const installed = await execa(pnpm, [...args, 'install', '--no-frozen-lockfile', '--prefer-offline'], {
    cwd: ROOT,
    reject: false,
    all: true,
  })
  if (installed.exitCode !== 0)
    console.error(`${installed.all}\npnpm install failed. Run it again, and pnpm sync, before you go on.`)
  else syncTexts() // its JSON Schema is made by running its configuration
  console.log(whatToDo(chapter, core))
}

function checked(name: string, title: string | undefined): NewChapter {
  const chapters = allChapters()
  const before = chapters.at(-1)
  if (!before) throw new ReaderError('There is no chapter yet whose programs the new one could start from.')
  const number = before.number + 1
  const example = `pnpm chapters --new ${twoDigits(number)}-made-up "Its title"`
  if (!/^\d\d-[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    throw new ReaderError(
      `"${name}" is no name of a chapter. It has two digits, then words in small letters, with a "-" before each: ${example}`,
    )
  }
  const taken = chapters.find((other) => other.number === Number.parseInt(name, 10))
  if (taken)
    throw new ReaderError(
      `${name.slice(0, 2)} is taken: ${taken.name} is there. ${twoDigits(number)} comes next.`,
    )
  if (Number.parseInt(name, 10) !== number)
    throw new ReaderError(`${twoDigits(number)} comes next, after ${before.name}: chapters have no gaps.`)
  if (existsSync(join(CHAPTERS_FOLDER, name)))
    throw new ReaderError(
      `There is a folder chapters/${name} already, without a package.json. Move it away first.`,
    )
  if (!title?.trim()) throw new ReaderError(`${name} needs a title, the heading of its README: ${example}`)
  if (/[\n|[\]]/.test(title)) throw new ReaderError('A title is one line, without | and brackets.')
  const last = PARTS.at(-1)?.last ?? 0
  if (number > last)
    throw new ReaderError(
      `The series ends with chapter ${last}. Give ${name} a part in packages/tutorial/src/chapters/parts.ts first.`,
    )
  const same = chapters.find((other) => other.title.toLowerCase() === title.trim().toLowerCase())
  if (same) throw new ReaderError(`${same.name} has the title "${same.title}" already.`)
  return { number, name, title: title.trim(), before }
}

function checkModule(module: string): void {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(module))
    throw new ReaderError(`"${module}" is no name of a module: small letters, with a "-" between words.`)
  const taken = coreModules(ROOT).find(({ name }) => name === module)
  if (taken)
    throw new ReaderError(
      `packages/core/src/${module}.ts is there, since chapter ${twoDigits(taken.bornIn)}.`,
    )
}

/** The files that are written anew, counted from the chapter's folder. */
function filesOf(chapter: NewChapter): Record<string, string> {
  const { before } = chapter
  const [program] = before.programs
  return {
    'package.json': packageFor(chapter),
    'README.md': readmeFor(chapter, readFileSync(join(before.folder, 'README.md'), 'utf8')),
    'picture.yaml': pictureFrom(readFileSync(join(before.folder, 'picture.yaml'), 'utf8')),
    'test/ends-well.test.ts':
      "import { everyProgramEndsWell } from '@rpi-cluster/tutorial/ends-well'\n\neveryProgramEndsWell()\n",
    'test/new.test.ts': [
      "import { test } from '@rpi-cluster/tutorial/harness'",
      '',
      `test('${toWrite('what is new, as a sentence about the programs')}', async ({ chapter, expect }) => {`,
      `  const program = await chapter.run('${program?.name}')`,
      '  await program.stop()',
      `  expect(program.messages).toContain('${toWrite('what it says when it has done it')}')`,
      '})',
      '',
    ].join('\n'),
  }
}

function packageFor({ name, before }: NewChapter): string {
  const pkg = JSON.parse(readFileSync(join(before.folder, 'package.json'), 'utf8'))
  pkg.name = name
  pkg.description = toWrite('what it teaches, in one sentence without a full stop')
  pkg.homepage = toWrite('the address of the post')
  pkg.scripts.test = testScriptOf(name)
  for (const program of Object.values<{ formerly?: string }>(pkg.cluster.programs)) delete program.formerly
  return `${JSON.stringify(pkg, undefined, 2)}\n`
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function whatToDo({ number, name, before }: NewChapter, core: string | undefined): string {
  const folder = `chapters/${name}`
  const steps: [where: string, what: string][] = [
    [`${folder}/package.json`, 'what it teaches, its post; under cluster its programs, if they are others'],
    ...(core === undefined
      ? []
      : ([
          [
            `packages/core/src/${core}.ts`,
            `what the core needs; its page docs/core/${core}.md; .changeset/${name}.md`,
          ],
        ] as [string, string][])),
    [`${folder}/src`, `the programs, those of ${before.name} until now: only as much as the lesson asks for`],
    [`${folder}/test/new.test.ts`, 'what is new, and nothing else'],
    [`${folder}/picture.yaml`, 'who talks to whom, and what is new; pnpm sync draws it'],
    [`${folder}/README.md`, 'the text; pnpm sync puts in the code, what commands print, the time to read'],
    [`chapters/${before.name}/README.md`, 'a link to the new chapter, at its end'],
    [`pnpm record ${number}`, 'a run of it, for the site'],
  ]
  const width = Math.max(...steps.map(([where]) => where.length))
  return [
    `${folder} is there, with the programs of ${before.name}. What you are to write is marked [write: ...]. In this order:`,
    '',
    ...steps.map(([where, what], index) => `  ${index + 1}. ${where.padEnd(width)}  ${what}`),
    '',
    'What is left, at any time:',
    '',
    '  pnpm exec tutorial texts',
    `  pnpm --filter ${name} test`,
    '  pnpm check && pnpm test',
  ].join('\n')
}
