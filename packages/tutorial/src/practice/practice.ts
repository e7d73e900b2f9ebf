/** `pnpm practice`: builds a chapter from the one before it, in a folder of the reader's own. */
import type { Chapter } from '../chapters/chapters.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { PracticeFolder } from './folder.ts'
import { nextStep, standing, stepAfter } from './next-step.ts'
import { solution } from './solution.ts'

export interface PracticeOptions {
  /** Say which promises of the chapter are kept. */
  check?: boolean
  /** Show what to do next. */
  hint?: boolean
  /** Take this file over from the chapter. */
  solution?: string
}

/** Does what the options ask for; without any it makes the folder. Returns the exit code. */
export async function practice(chapter: Chapter, options: PracticeOptions): Promise<number> {
  const folder = new PracticeFolder(chapter)
  if (!options.check && !options.hint && options.solution === undefined) return make(folder)
  if (!folder.exists)
    throw new ReaderError(`There is no ${folder.name} yet. pnpm practice ${chapter.number} makes it.`)
  folder.linkDependencies()
  if (options.check) return check(folder)
  if (options.hint) {
    const { hint } = await import('./hint.ts')
    return hint(folder)
  }
  return solution(folder, options.solution ?? '')
}

/** Prints which practice folders there are, how far each is, and what comes next. */
export function practiceOverview(): void {
  const folders = PracticeFolder.all()
  const width = Math.max(...folders.map(({ name }) => name.length), 0)
  for (const folder of folders) console.log(`${folder.name.padEnd(width)}  ${standing(folder)}`)
  if (folders.length > 0) console.log()
  console.log(nextStep(folders))
}

async function make(folder: PracticeFolder): Promise<number> {
  const { chapter, before, name } = folder
  if (folder.exists) {
    throw new ReaderError(
      [
        `${name} is there already (${standing(folder)}), and stays as it is.`,
        `  to go on:         pnpm practice ${chapter.number} --hint`,
        `  to start again:   mv ${name} ${name}.old, then pnpm practice ${chapter.number}`,
      ].join('\n'),
    )
  }
  await folder.make()
  console.log(
    [
      `${name} is ready: the programs of ${before.name}, and the tests of ${chapter.name}. Its README.md says what the goal is.`,
      '',
      `  cd ${name}`,
      '  pnpm start    runs your cluster, as it is now',
      '  pnpm test     runs the tests: most fail until you have done what is new',
      '',
      'And from here:',
      '',
      `  pnpm practice ${chapter.number} --check           which promises of the chapter are kept`,
      `  pnpm practice ${chapter.number} --hint            what to do next; once more says how, and then the lines`,
      `  pnpm practice ${chapter.number} --solution FILE   takes a file from the chapter, such as src/${chapter.programs[0]?.name}.ts, and sets yours aside`,
    ].join('\n'),
  )
  return 0
}

async function check(folder: PracticeFolder): Promise<number> {
  const [{ checkPromises }, { mistakesIn }] = await Promise.all([
    import('./promises.ts'),
    import('./mistakes.ts'),
  ])
  const results = await checkPromises(folder)
  const kept = results.filter(({ isKept }) => isKept).length

  console.log(`${folder.name}: ${kept} of ${results.length} promises kept\n`)
  for (const { promise, isKept, obstacle } of results) {
    console.log(`  ${isKept ? 'kept   ' : 'not yet'}  ${promise}${obstacle ? ` (${obstacle})` : ''}`)
  }
  for (const mistake of mistakesIn(folder)) console.log(`\n${mistake}`)
  console.log(
    kept < results.length
      ? `\npnpm test in ${folder.name} shows more, and pnpm practice ${folder.chapter.number} --hint says what to do next.`
      : `\nAll are kept. pnpm test in ${folder.name} tries too what every chapter promises.\n\n${stepAfter(folder)}`,
  )
  return kept < results.length ? 1 : 0
}
