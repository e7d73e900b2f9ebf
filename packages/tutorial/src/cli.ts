/** The reader's tool: what `pnpm start` and `pnpm chapters` run. */
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import ms, { type StringValue } from 'ms'
import { allChapters, type Chapter, findChapter, isChapterFolder, readChapter } from './chapters/chapters.ts'
import type { DiffOptions } from './compare/diff.ts'
import type { MutateOptions } from './mutate/mutate.ts'
import type { PracticeOptions } from './practice/practice.ts'
import {
  addChoices,
  addCopiesOptions,
  choicesMade,
  configAskedFor,
  copiesAskedFor,
} from './run/start-options.ts'
import type { ShipOptions } from './ship/ship.ts'
import type { TalkOptions } from './talk/talk.ts'
import { ReaderError, toldOf } from './workspace/reader-error.ts'

// A command loads what only it needs when it is called: `pnpm start` should not wait for a Markdown parser.

const tutorial = new Command('tutorial').description('The tool of the Raspberry Pi cluster tutorial.')

const start = tutorial
  .command('start')
  .description("Run a chapter's whole cluster on this machine: this folder's, or the newest.")
  .option('--for <time>', 'stop after this time, such as 20s or 2m', duration)
  .option('--config <file>', 'a configuration file for every program')
  .action(async (options: { for?: number; config?: string }) => {
    const { startCluster } = await import('./run/start.ts')
    const chapter = currentChapter() ?? newestChapter()
    const chapters = readersChapters()
    process.exitCode = await startCluster(chapter, {
      copies: copiesAskedFor(start, chapter, chapters),
      env: choicesMade(start, chapter, chapters),
      ...(options.for !== undefined && { forMs: options.for }),
      ...(options.config !== undefined && { config: configAskedFor(options.config, chapter, chapters) }),
    })
    process.exit()
  })

interface LabCommand {
  for?: number
  config?: string
  seed?: number
  record?: string
  replay?: string
  speed?: number
  scenario?: string
  scenarios?: true
  control?: true
  page: boolean
}

const lab = tutorial
  .command('lab')
  .description(
    "Make faults: a chapter's cluster on this machine, in which nodes are killed and links cut, by hand or by a scenario.",
  )
  .argument('[chapter]', "a chapter: 3, 03, 03-sockets or sockets (default: this folder's, or the newest)")
  .option('--scenario <name>', 'run a scenario of the chapter, and say what it has shown')
  .option('--control', 'with --scenario: without what it is about, so that it must fail')
  .option('--scenarios', 'list the scenarios of the chapter, or of all')
  .option('--record <file>', 'where the recording goes (default: a new file in this folder)')
  .addOption(new Option('--replay <file>', 'show a recording again').conflicts(['scenario', 'record']))
  .option(
    '--speed <number>',
    'how many times as fast it goes, by the timers of its programs; or a recording',
    speed,
  )
  .option('--seed <number>', 'repeats what is left to chance', seed)
  .option('--for <time>', 'stop after this time, such as 20s or 2m', duration)
  .option('--config <file>', 'a configuration file for every program')
  .option('--no-page', 'without the page')
  .action(async (text: string | undefined, options: LabCommand) => {
    process.exitCode = await labCommand(text, options)
    process.exit()
  })

async function labCommand(text: string | undefined, options: LabCommand): Promise<number> {
  const { replay, scenario, scenarios, control = false, record, config } = options
  const own = text === undefined ? currentChapter() : findChapter(text)
  if (scenarios) {
    const { scenarioList } = await import('./lab/scenario.ts')
    console.log(scenarioList(own ? [own] : allChapters()))
    return 0
  }
  const at = (file: string) => resolve(typedIn(), file)
  const chosen = {
    page: options.page,
    from: typedIn(),
    ...(options.seed !== undefined && { seed: options.seed }),
    ...(options.speed !== undefined && { speed: options.speed }),
    ...(options.for !== undefined && { forMs: options.for }),
    ...(record !== undefined && { record: at(record) }),
  }
  const { runLab, runReplay } = await import('./lab/run-lab.ts')
  if (replay !== undefined) return runReplay(at(replay), chosen)
  const chapter = own ?? newestChapter()
  const chapters = readersChapters()
  const copies = copiesAskedFor(lab, chapter, chapters)
  if (scenario !== undefined) {
    const { runScenario } = await import('./lab/run-scenario.ts')
    return runScenario(chapter, scenario, { ...chosen, copies, control })
  }
  if (control) throw new ReaderError('--control goes with --scenario NAME. --scenarios lists what there is.')
  return runLab(chapter, {
    ...chosen,
    copies,
    ...(config !== undefined && { config: at(configAskedFor(config, chapter, chapters)) }),
  })
}

tutorial
  .command('talk')
  .description(
    'Talk to a program by hand: each line that you type is a message, and what goes and comes is shown, byte by byte.',
  )
  .argument('[port]', "where it listens (default: this chapter's port, or the newest's)", port)
  .argument('[messages...]', 'what to send, in place of typing it')
  .option('--host <address>', 'the machine that it runs on', '127.0.0.1')
  .option('--separator <end>', 'what ends each message: cr, lf, crlf or none (default: cr)')
  .option('--raw', 'add nothing to what is typed; escapes in it, such as \\r or \\x00, stand for bytes')
  .option('--hex', 'show bytes as numbers')
  .option('--listen', 'listen there, and talk to the first program that connects')
  .action(async (port: number | undefined, messages: string[], options: Omit<TalkOptions, 'port'>) => {
    const [{ portOf }, { talk }] = await Promise.all([
      import('./talk/listeners.ts'),
      import('./talk/talk.ts'),
    ])
    const there = port ?? portOf(currentChapter() ?? typedInChapter() ?? newestChapter())
    process.exitCode = await talk(messages, { ...options, port: there })
  })

tutorial
  .command('chapters')
  .description(
    'List the chapters in their parts: what each teaches, how long it takes, its post. Or begin a new one.',
  )
  .argument('[title]', 'with --new: the heading of its README')
  .option('--new <name>', 'make the folder of the next chapter, such as 07-made-up, for its author to fill')
  .option('--core <module>', 'with --new: a module that the core gains with it')
  .action(async (title: string | undefined, options: { new?: string; core?: string }) => {
    if (options.new !== undefined) {
      const { newChapter } = await import('./new-chapter/new-chapter.ts')
      await newChapter(options.new, title, options.core)
      return
    }
    if (title !== undefined || options.core !== undefined)
      throw new ReaderError('For a new chapter, say pnpm chapters --new 07-made-up "Its title".')
    const { chapterList } = await import('./chapters/list.ts')
    console.log(chapterList(allChapters()))
  })

tutorial
  .command('diff')
  .description(
    "Show what changed in a chapter's programs and configuration: A to B; the one before A to A; inside a chapter, the one before it to it.",
  )
  .argument('[A]', 'a chapter: 3, 03, 03-sockets or sockets')
  .argument('[B]', 'another one')
  .option('--core', 'show how the core grew')
  .option('--tests', 'show the tests')
  .option(
    '--all',
    'show every part, with READMEs, pictures, and the lines of package.json that only name the chapter',
  )
  .option('--stat', 'only the summary, of every part')
  .option('--names', 'only the paths, of every part')
  .option('--word', 'word by word')
  .option('--html <file>', 'write a page that shows them side by side')
  .option('--json', 'as JSON')
  .action(async (a: string | undefined, b: string | undefined, options: DiffOptions) => {
    const { diff } = await import('./compare/diff.ts')
    const [before, after] = chaptersToCompare(a, b)
    await diff(before, after, options)
  })

tutorial
  .command('texts')
  .description(
    'Check every text and every chapter: code is what stands in the sources, links lead somewhere, changes are explained, nothing is left to write.',
  )
  .action(async () => {
    const { allProblems } = await import('./checks/problems.ts')
    const problems = allProblems()
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
    const { syncTexts } = await import('./checks/problems.ts')
    const { allTexts } = await import('./checks/text-checks.ts')
    const { syncConsoles } = await import('./checks/console-blocks.ts')
    const changed = syncTexts()
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
    const { record, RECORDINGS_FOLDER } = await import('./record/record.ts')
    const own = currentChapter()
    const chapters = names.length > 0 ? names.map(findChapter) : own ? [own] : allChapters()
    const folder = resolve(typedIn(), to ?? RECORDINGS_FOLDER)
    process.exitCode = await record(chapters, folder)
  })

tutorial
  .command('bundle')
  .description('Make a folder of plain JavaScript of a chapter, which needs nothing but Node: for a Pi.')
  .argument('[chapter]', 'a chapter: 3, 03, 03-sockets or sockets; inside a chapter, that one')
  .option('--out <folder>', 'the folder to make (default: bundles/NAME in this repository)')
  .action(async (text: string | undefined, { out }: { out?: string }) => {
    const { bundle, BUNDLES_FOLDER } = await import('./bundle/bundle.ts')
    const chapter = text === undefined ? currentChapter() : findChapter(text)
    if (!chapter) throw new ReaderError('Which chapter? Say pnpm bundle NN, such as pnpm bundle 6.')
    await bundle(
      chapter,
      out === undefined ? join(BUNDLES_FOLDER, chapter.name) : resolve(typedIn(), out),
      typedIn(),
    )
  })

tutorial
  .command('ship')
  .description("Put a chapter's bundle on Pis by ssh, and restart what runs there as a service.")
  .argument('<chapter>', 'a chapter: 3, 03, 03-sockets or sockets')
  .argument('<hosts...>', 'the Pis, as ssh finds them: pi@192.168.1.20, or names of your ssh configuration')
  .option('--as <program>', 'a program that is to be a service there, and again for another', several)
  .option('--connect-to <address>', 'the machine that the program connects to, for the configuration there')
  .option(
    '--set <section.key=value>',
    'another value for the configuration there, and again for another',
    several,
  )
  .option(
    '--new-config',
    "put the bundle's configuration in the place of the one there, which is kept beside",
  )
  .option('--key <file>', 'the key file of the node that the program is there: one machine, and one --as')
  .option('--folder <folder>', 'where it goes there (default: /opt/rpicluster/NAME)')
  .option('--out <folder>', 'where the bundle is made here (default: bundles/NAME in this repository)')
  .option('--ssh-config <file>', 'a configuration file for ssh, in place of your own')
  .option('--back', 'return to the version before')
  .option('--dry-run', 'show each command that would change something, and change nothing')
  .action(async (text: string, hosts: string[], { out, ...options }: ShipOptions & { out?: string }) => {
    const [{ ship }, { BUNDLES_FOLDER }] = await Promise.all([
      import('./ship/ship.ts'),
      import('./bundle/bundle.ts'),
    ])
    const chapter = findChapter(text)
    const { sshConfig, key } = options
    process.exitCode = await ship(
      chapter,
      hosts,
      {
        ...options,
        ...(sshConfig !== undefined && { sshConfig: resolve(typedIn(), sshConfig) }),
        ...(key !== undefined && { key: resolve(typedIn(), key) }),
      },
      {
        bundle: out === undefined ? join(BUNDLES_FOLDER, chapter.name) : resolve(typedIn(), out),
        from: typedIn(),
      },
    )
  })

tutorial
  .command('practice')
  .description('Build a chapter yourself, from the one before it; without a chapter: where you stand.')
  .argument('[chapter]', 'a chapter: 5, 05, 05-json or json')
  .addOption(
    new Option('--check', 'say which promises of the chapter are kept').conflicts(['hint', 'solution']),
  )
  .addOption(
    new Option('--hint', 'say what to do next; once more says how, and then the lines').conflicts('solution'),
  )
  .option('--solution <file>', 'take a file over from the chapter, such as src/NAME.ts')
  .action(async (chapter: string | undefined, options: PracticeOptions) => {
    const { practice, practiceOverview } = await import('./practice/practice.ts')
    if (chapter !== undefined) {
      process.exitCode = await practice(findChapter(chapter), options)
      return
    }
    const [option] = Object.keys(options)
    if (option) throw new ReaderError(`Which chapter? Say pnpm practice 5 --${option}.`)
    practiceOverview()
  })

tutorial
  .command('mutate')
  .description("Change a chapter's programs in one place after the other: whether its tests notice.")
  .argument('<chapter>', 'a chapter: 3, 03, 03-sockets or sockets')
  .option('--only <place>', 'a file, or a line of it: src/NAME.ts:14')
  .action(async (name: string, options: MutateOptions) => {
    const { mutate } = await import('./mutate/mutate.ts')
    process.exitCode = await mutate(findChapter(name), options)
  })

tutorial
  .command('where')
  .description('Say which chapter a folder of yours is nearest to, and what it lacks or has beyond it.')
  .argument('<dir>', 'the folder that src is in')
  .action(async (dir: string) => {
    const { where } = await import('./compare/where.ts')
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

/** All chapters, and the one in this folder in place of the one that it is a copy of. */
function readersChapters(): Chapter[] {
  const own = currentChapter()
  const others = allChapters().filter(({ number }) => number !== own?.number)
  return [...others, ...(own ? [own] : [])].sort((a, b) => a.number - b.number)
}

/** The chapter whose folder the reader typed in: `pnpm -w` runs a script in the repository's, and leaves the reader's in INIT_CWD. */
function typedInChapter(): Chapter | undefined {
  const folder = process.env['INIT_CWD']
  return folder !== undefined && isChapterFolder(folder) ? readChapter(folder) : undefined
}

/** The folder where the reader typed: pnpm runs a script in its package's folder, and leaves that one in INIT_CWD. */
function typedIn(): string {
  return process.env['INIT_CWD'] ?? process.cwd()
}

function newestChapter(): Chapter {
  const newest = allChapters().at(-1)
  if (!newest) throw new ReaderError('There is no chapter in the folder chapters.')
  return newest
}

/** Collects the values of an option that may be given more than once. */
function several(text: string, before: string[] = []): string[] {
  return [...before, text]
}

function duration(text: string): number {
  const time = ms(text as StringValue)
  if (!/[a-z]$/.test(text) || !(time > 0)) {
    throw new InvalidArgumentError('It takes a time with its unit, such as 20s, 2m or 500ms.')
  }
  return time
}

function speed(text: string): number {
  const number = Number(text)
  if (!(number > 0 && number <= 1000))
    throw new InvalidArgumentError('It takes a number up to 1000, such as 10, or 0.5 for half as fast.')
  return number
}

function seed(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number >= 2 ** 32)
    throw new InvalidArgumentError('It takes a whole number from 0 to 4294967295.')
  return number
}

function port(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError(
      'It takes a whole number from 1 to 65535; messages come after it, such as talk PORT hello.',
    )
  }
  return number
}

// A reader who pipes a list into head has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' && process.stdout.listenerCount('error') > 1) return // `start` ends its cluster first
  if (error.code === 'EPIPE') process.exit()
  fail(error)
})
process.stderr.on('error', () => {}) // nobody hears it
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

try {
  for (const command of [start, lab]) addCopiesOptions(command, readersChapters())
  addChoices(start, readersChapters())
  await tutorial.parseAsync()
} catch (error) {
  fail(error)
}

/** Ends a command that cannot go on. */
function fail(error: unknown): never {
  console.error(toldOf(error))
  process.exit(2)
}
