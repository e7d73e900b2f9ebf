/** `pnpm mutate 06`: whether a chapter's tests notice when one of its programs is changed in one place. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { markdownTable } from 'markdown-table'
import { versionBefore } from '../chapters/back.ts'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { belongsTo } from '../chapters/copied.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import { type Mutant, mutantsOf } from './mutants.ts'

export interface MutateOptions {
  /** Only the changes in this file, or on this line of it: `src/main.ts:14`. */
  only?: string
}

/** How many changes are tried at the same time. Their tests mostly wait for the programs that they start. */
const AT_ONCE = 2

/** One change, and what became of it. */
interface Outcome {
  file: string
  mutant: Mutant
  /** The first test that noticed; nothing when none did. */
  noticedBy: string | undefined
}

/**
 * Tries every change, prints what became of each, and a table of those that no test has noticed.
 *
 * @returns the exit code: 0 when every change was noticed
 */
export async function mutate(chapter: Chapter, { only }: MutateOptions): Promise<number> {
  const before = allChapters().findLast(({ number }) => number < chapter.number)
  const files = sourcesOf(chapter, before)
  for (const { name, inheritedFrom } of files) {
    if (inheritedFrom !== undefined && only === undefined)
      console.log(`${name} is that of ${inheritedFrom}, whose tests are for it.`)
  }
  const waiting = files
    .filter(({ inheritedFrom }) => inheritedFrom === undefined || only !== undefined)
    .map(({ name }) => name)
    .flatMap((file) =>
      mutantsOf(readFileSync(join(chapter.folder, file), 'utf8')).map((mutant) => ({ file, mutant })),
    )
    .filter(({ file, mutant }) => only === undefined || only === file || only === `${file}:${mutant.line}`)
  if (waiting.length === 0) throw new ReaderError(`${chapter.name} has nothing to change at ${only}.`)

  await noticesNothing(chapter)
  console.log(`${chapter.name}: ${waiting.length} changes, one at a time.`)
  const outcomes: Outcome[] = []
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const outcome = { ...next, noticedBy: await noticedBy(chapter, next.file, next.mutant) }
      outcomes.push(outcome)
      const { file, mutant } = outcome
      console.log(
        `${outcome.noticedBy ? 'noticed ' : 'SURVIVED'} ${file}:${mutant.line} ${mutant.change}: ${mutant.code}`,
      )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))

  const survivors = outcomes.filter((outcome) => outcome.noticedBy === undefined)
  console.log(`\n${table(outcomes)}`)
  console.log(`\n${outcomes.length - survivors.length} of ${outcomes.length} were noticed.`)
  return survivors.length > 0 ? 1 : 0
}

/**
 * The programs and commands of a chapter, each with the chapter that had the very same: the one before, or the latest that
 * had it where it is back.
 */
export function sourcesOf(
  chapter: Chapter,
  before: Chapter | undefined,
  chapters = allChapters(),
): { name: string; inheritedFrom?: string }[] {
  const inherited = (name: string) => {
    const older = before && versionBefore(name, chapter, before, chapters)
    const isSame =
      older && textOfFile(join(older.chapter.folder, older.file)) === textOfFile(join(chapter.folder, name))
    return isSame ? { inheritedFrom: older.chapter.name } : {}
  }
  return [...chapter.programs.map(({ name }) => name), ...chapter.commands]
    .map((name) => `src/${name}.ts`)
    .map((name) => ({ name, ...inherited(name) }))
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.mutant.line - b.mutant.line)
    .map(({ file, mutant: { line, change, code }, noticedBy }) => [
      `${file}:${line}`,
      change,
      `\`${code.length > 60 ? `${code.slice(0, 60)}...` : code}\``,
      noticedBy ?? 'nothing',
    ])
  return markdownTable([['Where', 'Change', 'What stood there', 'Noticed by'], ...rows])
}

/** @throws ReaderError when the tests fail on the chapter as it is: then they would notice everything */
async function noticesNothing(chapter: Chapter): Promise<void> {
  const failed = await firstFailure(chapter, chapter.folder)
  if (failed) throw new ReaderError(`${chapter.name} fails as it is, at "${failed}". Mend that first.`)
}

async function noticedBy(chapter: Chapter, file: string, { text }: Mutant): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), `${chapter.name}-`))
  try {
    cpSync(chapter.folder, folder, { recursive: true, filter: belongsTo(chapter.folder) })
    symlinkSync(join(chapter.folder, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, file), text)
    return await firstFailure(chapter, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs a chapter's tests on the programs of a folder, until one fails. */
async function firstFailure({ name }: Chapter, folder: string): Promise<string | undefined> {
  const { stdout } = await execa(
    'vitest',
    ['run', '--root', ROOT, '--project', name, '--bail', '1', '--reporter', 'json'],
    {
      cwd: ROOT,
      preferLocal: true,
      localDir: ROOT,
      reject: false,
      env: { CHAPTER_UNDER_TEST: folder, TEST_REPORT: '' },
    },
  )
  interface Report {
    testResults: { message: string; assertionResults: { title: string; status: string }[] }[]
  }
  const { testResults } = JSON.parse(stdout) as Report
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed')
  return failed?.title ?? testResults.map(({ message }) => message).find(Boolean)
}
