/**
 * The `console` blocks of the texts, run for real: each command in a clean copy of the repository,
 * under the fast clock, and what it prints held against what the text shows.
 */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { allChapters } from '../chapters/chapters.ts'
import { freePorts, programEnvironment } from '../run/environment.ts'
import { isOfRoster, normalized } from '../texts/normalized.ts'
import { type CodeBlock, readReadme } from '../texts/readme.ts'
import { PNPM } from '../workspace/pnpm.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { withContent } from './text-checks.ts'

/** The names of all chapters' programs, with which a cluster's lines begin. */
const PROGRAMS = new Set(allChapters().flatMap(({ programs }) => programs.map(({ name }) => name)))

/** How long a command may take, in ms. */
const COMMAND_TIMEOUT_MS = 90_000

/** A clean copy of the repository, as a clone would be, with its packages installed. */
export class CleanCopy {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'clean-copy-')))

  /** Makes one. Packages come from pnpm's store, where the repository's own installation has put them. */
  static async make(): Promise<CleanCopy> {
    const copy = new CleanCopy()
    for (const file of repositoryFiles(ROOT)) {
      mkdirSync(dirname(join(copy.folder, file)), { recursive: true })
      cpSync(join(ROOT, file), join(copy.folder, file), { verbatimSymlinks: true })
    }
    const [pnpm, ...args] = PNPM
    await execa(pnpm, [...args, 'install', '--frozen-lockfile', '--prefer-offline'], { cwd: copy.folder })
    return copy
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A command of a block, and what the text says that it prints. */
interface Command {
  command: string
  shown: string[]
}

/** The result of running a block. */
export interface BlockRun {
  block: CodeBlock
  /** What is wrong, beginning with file and line; nothing when the block is true. */
  problem?: string
  /** What the block would show if it showed everything. */
  content: string
}

/**
 * Runs all console blocks of a text, one after the other.
 *
 * @param options `realTime`: without the fast clock. `ownPorts`: on the chapters' own ports, as a reader runs them.
 */
export async function runBlocks(
  file: string,
  copy: CleanCopy,
  { realTime = false, ownPorts = false } = {},
): Promise<BlockRun[]> {
  const ports = ownPorts ? new Map() : await freePorts(allChapters())
  const env = programEnvironment({ ports, ...(realTime && { speed: 1 }) })
  const runs: BlockRun[] = []
  for (const block of readReadme(file).blocks.filter(({ language }) => language === 'console')) {
    const problems: string[] = []
    const content: string[] = []
    const commands = commandsOf(block)
    for (const { command, shown } of commands) {
      const { output, exitCode } = await run(command, copy.folder, env)
      content.push(`$ ${command}`, ...output)
      const expected = command === commands.at(-1)?.command ? block.exitCode : 0
      if (exitCode !== expected) {
        problems.push(`"${command}" ended with exit code ${exitCode}, not ${expected}:\n${output.join('\n')}`)
      }
      const difference = differenceBetween(shown, output)
      if (difference) problems.push(`"${command}" ${difference}`)
    }
    runs.push({
      block,
      content: content.join('\n'),
      ...(problems.length > 0 && { problem: `${file}:${block.line}: ${problems.join('\n')}` }),
    })
  }
  return runs
}

/** What of a text's console blocks is not true, a text for each. */
export async function untrueBlocks(file: string, copy: CleanCopy): Promise<string[]> {
  const problemsOf = async (realTime: boolean) =>
    (await runBlocks(file, copy, { realTime })).flatMap(({ problem }) => problem ?? [])
  const problems = await problemsOf(false)
  // On a busy machine, seconds that pass ten times as fast leave too little time to say a line in.
  return problems.length > 0 ? problemsOf(true) : problems
}

/** Runs the console blocks of texts, and puts the real output in those that are no longer true. Returns the texts that changed. */
export async function syncConsoles(files: readonly string[]): Promise<string[]> {
  const changed: string[] = []
  const copy = await CleanCopy.make()
  try {
    for (const file of files) {
      const stale = (await runBlocks(file, copy, { realTime: true, ownPorts: true })).filter(
        ({ problem }) => problem !== undefined,
      )
      let { text } = readReadme(file)
      for (const { block, content } of stale.toReversed()) text = withContent(text, block, content)
      if (stale.length === 0) continue
      writeFileSync(join(ROOT, file), text)
      changed.push(file)
    }
  } finally {
    copy.dispose()
  }
  return changed
}

function commandsOf({ content }: CodeBlock): Command[] {
  const commands: Command[] = []
  for (const line of content.split('\n')) {
    if (line.startsWith('$ ')) commands.push({ command: line.slice(2), shown: [] })
    else commands.at(-1)?.shown.push(line)
  }
  return commands
}

/** Runs a command as a reader does, in the repository's folder. What it prints on stdout comes back, a line each. */
async function run(
  command: string,
  folder: string,
  env: Record<string, string>,
): Promise<{ output: string[]; exitCode: number | undefined }> {
  const withPnpm = command.replace(/(^|\s)(?:npx -y pnpm@12|pnpm)(?=\s)/g, `$1${PNPM.join(' ')}`)
  const { stdout, stderr, exitCode } = await execa(withPnpm, {
    cwd: folder,
    shell: true,
    reject: false,
    timeout: COMMAND_TIMEOUT_MS,
    env,
    extendEnv: false,
    stdin: 'ignore',
  })
  return { output: [...linesOf(stdout), ...linesOf(stderr).filter(isNotOfPnpm)], exitCode }
}

/** The lines of what was printed; the line feed at its end begins none. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** pnpm and npm say on stderr which script they run, and that it failed, which the program has said better. */
function isNotOfPnpm(line: string): boolean {
  return !/^\$ |^npm (warn|notice)|^\[?(ELIFECYCLE|WARN)|ERR_PNPM|"pnpm recursive run" failed|^\s*$/.test(
    line,
  )
}

/**
 * What distinguishes the lines that a text shows from those that a command printed; nothing when
 * they agree. Of a cluster's lines each speaker's are compared by themselves: in which order two
 * programs come to speak, nobody knows. Whether a roster's table is as it is shown is held against a run by each
 * chapter's own tests.
 */
export function differenceBetween(shown: readonly string[], printed: readonly string[]): string | undefined {
  const told = (lines: readonly string[]) => lines.filter((line) => !isOfRoster(line)).map(normalized)
  const wanted = told(shown)
  const found = told(printed)
  const speakers = new Set([...wanted, ...found].map(speakerOf))
  for (const speaker of speakers) {
    const expected = wanted.filter((line) => line === '...' || speakerOf(line) === speaker)
    const actual = found.filter((line) => speakerOf(line) === speaker)
    const missing = firstMissing(expected, actual)
    if (missing !== undefined)
      return `does not print what is shown. ${missing}\nIt printed:\n${printed.join('\n')}`
  }
  return undefined
}

/** Holds lines against a pattern of lines, in which `...` stands for any lines. Returns what does not fit. */
function firstMissing(pattern: readonly string[], lines: readonly string[]): string | undefined {
  if (fits(pattern, lines)) return undefined
  let next = 0
  let maySkip = false
  for (const expected of pattern) {
    if (expected === '...') {
      maySkip = true
      continue
    }
    const at = maySkip ? lines.indexOf(expected, next) : lines[next] === expected ? next : -1
    if (at < 0) return `Shown: ${expected}\nPrinted there: ${lines[next] ?? '(nothing more)'}`
    next = at + 1
    maySkip = false
  }
  return `Printed, and not shown: ${lines[next]}`
}

/** Whether lines fit a pattern, wherever in them its parts between two `...` stand. */
function fits([first, ...rest]: readonly string[], lines: readonly string[]): boolean {
  if (first === undefined) return lines.length === 0
  if (first !== '...') return lines[0] === first && fits(rest, lines.slice(1))
  return lines.some((_, index) => fits(rest, lines.slice(index))) || fits(rest, [])
}

/** Who said a cluster's line `node 1 | ...`: `node 1`; empty for other lines. */
function speakerOf(line: string): string {
  const [, speaker = '', program = ''] = /^(([a-z][a-z0-9-]*)(?: \d+)?) +\|/.exec(line) ?? []
  return PROGRAMS.has(program) ? speaker : ''
}
