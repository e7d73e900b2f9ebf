/** The reader's tool: what `pnpm start` and `pnpm chapters` run. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import ms, { type StringValue } from 'ms'
import { allChapters, type Chapter, findChapter, isChapterFolder, readChapter } from './chapters.ts'
import type { DiffOptions } from './diff.ts'
import type { PracticeOptions } from './practice.ts'
import { ReaderError } from './reader-error.ts'
import { startCluster } from './start.ts'

// A command loads what only it needs when it is called: `pnpm start` should not wait for a Markdown parser.

const tutorial = new Command('tutorial').description('The tool of the Raspberry Pi cluster tutorial.')

tutorial
  .command('start')
  .description("Run a chapter's whole cluster on this machine: this folder's, or the newest.")
  .option('--for <time>', 'stop after this time, such as 20s or 2m', duration)
  .option('--slaves <number>', 'how many slaves to start', count)
  .option('--config <file>', 'a configuration file for every program (from chapter 04 on)')
  .action(async (options: { for?: number; slaves?: number; config?: string }) => {
    const chapter = currentChapter() ?? newestChapter()
    if (options.slaves !== undefined && !chapter.programs.includes('slave')) {
      throw new ReaderError(
        `${chapter.name} is a single program: it has no slaves to start (chapter 03 brings them).`,
      )
    }
    if (options.config !== undefined && !existsSync(join(chapter.folder, 'rpicluster.cfg'))) {
      throw new ReaderError(
        `${chapter.name} has its values in the code: it takes no --config (chapter 04 brings it).`,
      )
    }
    process.exitCode = await startCluster(chapter, {
      slaves: options.slaves ?? 1,
      ...(options.for !== undefined && { forMs: options.for }),
      ...(options.config !== undefined && { config: options.config }),
    })
    process.exit()
  })

tutorial
  .command('chapters')
  .description('List the chapters: number, title, what each teaches, and the post that it re-creates.')
  .action(() => {
    for (const { number, title, teaches, post, name } of allChapters()) {
      console.log(`${String(number).padStart(2, '0')}  ${title}`)
      console.log(`    ${teaches}.`)
      console.log(`    run it:   pnpm --filter ${name} start`)
      console.log(`    its post: ${post}\n`)
    }
  })

tutorial
  .command('diff')
  .description(
    'Show what changed between two chapters: A to B; the one before A to A; inside a chapter, the one before it to it.',
  )
  .argument('[A]', 'a chapter: 3, 03, 03-sockets or sockets')
  .argument('[B]', 'another one')
  .option('--stat', 'only the summary')
  .option('--names', 'only the paths')
  .option('--word', 'word by word')
  .option('--html <file>', 'write a page that shows them side by side')
  .option('--json', 'as JSON')
  .option('--all', 'READMEs, and the lines of package.json that only name the chapter, too')
  .action(async (a: string | undefined, b: string | undefined, options: DiffOptions) => {
    const { diff } = await import('./diff.ts')
    const [before, after] = chaptersToCompare(a, b)
    await diff(before, after, options)
  })

tutorial
  .command('texts')
  .description(
    'Check every text: its code is what stands in the sources, its links lead somewhere, every change is explained.',
  )
  .action(async () => {
    const { allTexts, problemsOf } = await import('./text-checks.ts')
    const { unexplainedChanges } = await import('./explanations.ts')
    const problems = [...allTexts().flatMap(problemsOf), ...unexplainedChanges()]
    for (const problem of problems) console.error(problem)
    process.exitCode = problems.length > 0 ? 1 : 0
  })

tutorial
  .command('sync')
  .description(
    'Rewrite what the texts show: code from the sources, and the output of commands from a real run.',
  )
  .option('--no-console', 'leave the output of commands alone')
  .action(async ({ console: withConsole }: { console: boolean }) => {
    const { allTexts, syncBlocks } = await import('./text-checks.ts')
    const { syncConsoles } = await import('./console-blocks.ts')
    const changed = allTexts().filter(syncBlocks)
    if (withConsole) changed.push(...(await syncConsoles(allTexts())))
    console.log(changed.length > 0 ? [...new Set(changed)].join('\n') : 'Every text is up to date.')
  })

tutorial
  .command('record')
  .description(
    'Record a real run of each chapter: what the terminal showed, and what went over the wire. Without a chapter: all.',
  )
  .argument('[chapters...]', 'chapters: 3, 03, 03-sockets or sockets')
  .option('--to <folder>', 'where to write the recordings (default: docs/recordings)')
  .action(async (names: string[], { to }: { to?: string }) => {
    const { record, RECORDINGS_FOLDER } = await import('./record.ts')
    const own = currentChapter()
    const chapters = names.length > 0 ? names.map(findChapter) : own ? [own] : allChapters()
    // pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD.
    const folder = resolve(process.env['INIT_CWD'] ?? process.cwd(), to ?? RECORDINGS_FOLDER)
    process.exitCode = await record(chapters, folder)
  })

tutorial
  .command('practice')
  .description('Build a chapter yourself, from the one before it; without a chapter: where you stand.')
  .argument('[chapter]', 'a chapter: 5, 05, 05-json or json')
  .addOption(
    new Option('--check', 'say which promises of the chapter are kept').conflicts(['hint', 'solution']),
  )
  .addOption(new Option('--hint', 'say what to do next; once more shows the lines').conflicts('solution'))
  .option('--solution <file>', 'take a file over from the chapter, such as src/master.ts')
  .action(async (chapter: string | undefined, options: PracticeOptions) => {
    const { practice, practiceOverview } = await import('./practice.ts')
    if (chapter !== undefined) {
      process.exitCode = await practice(findChapter(chapter), options)
      return
    }
    const [option] = Object.keys(options)
    if (option) throw new ReaderError(`Which chapter? Say pnpm practice 5 --${option}.`)
    practiceOverview()
  })

tutorial
  .command('where')
  .description('Say which chapter a folder of yours is nearest to, and what it lacks or has beyond it.')
  .argument('<dir>', 'the folder that src is in')
  .action(async (dir: string) => {
    const { where } = await import('./where.ts')
    where(dir)
  })

function chaptersToCompare(a: string | undefined, b: string | undefined): [Chapter, Chapter] {
  if (a !== undefined && b !== undefined) return [findChapter(a), findChapter(b)]
  // In a practice folder, it is the chapter of that name.
  const own = a ?? currentChapter()?.name
  const after = own === undefined ? undefined : findChapter(own)
  if (!after) throw new ReaderError('Which chapters? Say pnpm diff A B, such as pnpm diff 3 4.')
  const before = allChapters().findLast(({ number }) => number < after.number)
  if (!before)
    throw new ReaderError(
      `No chapter comes before ${after.name}. Say pnpm diff ${after.number} B to compare it with a later one.`,
    )
  return [before, after]
}

/** The chapter whose folder this was started in: pnpm starts a chapter's scripts there. */
function currentChapter(): Chapter | undefined {
  return isChapterFolder(process.cwd()) ? readChapter(process.cwd()) : undefined
}

function newestChapter(): Chapter {
  const newest = allChapters().at(-1)
  if (!newest) throw new ReaderError('There is no chapter in the folder chapters.')
  return newest
}

function duration(text: string): number {
  const time = ms(text as StringValue)
  if (!/[a-z]$/.test(text) || !(time > 0)) {
    throw new InvalidArgumentError('It takes a time with its unit, such as 20s, 2m or 500ms.')
  }
  return time
}

function count(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > 1000) {
    throw new InvalidArgumentError('It takes a whole number from 1 to 1000.')
  }
  return number
}

// A reader who pipes a list into head has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

try {
  await tutorial.parseAsync()
} catch (error) {
  if (!(error instanceof ReaderError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
