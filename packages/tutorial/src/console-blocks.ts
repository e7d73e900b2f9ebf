/**
 * The `console` blocks of the texts, run for real: each command in a clean copy of the repository,
 * under the fast clock, and what it prints held against what the text shows.
 */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { FIXED_PORTS, freePort, programEnvironment } from './environment.ts'
import { PNPM } from './pnpm.ts'
import { type CodeBlock, readReadme } from './readme.ts'
import { ROOT, trackedFiles } from './repository.ts'
import { withContent } from './text-checks.ts'

/** How long a command may take, in ms. */
const COMMAND_TIMEOUT_MS = 90_000

/** A clean copy of the repository, as a clone would be, with its packages installed. */
export class CleanCopy {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'clean-copy-')))

  /** Makes one. Packages come from pnpm's store, where the repository's own installation has put them. */
  static async make(): Promise<CleanCopy> {
    const copy = new CleanCopy()
    for (const file of trackedFiles(ROOT)) {
      mkdirSync(dirname(join(copy.folder, file)), { recursive: true })
      cpSync(join(ROOT, file), join(copy.folder, file))
    }
    await execa('git', ['init', '--quiet'], { cwd: copy.folder })
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
  const ports = await Promise.all(FIXED_PORTS.map(async (port) => `${port}:${await freePort()}`))
  const env = programEnvironment({ ports: ownPorts ? '' : ports.join(','), ...(realTime && { speed: 1 }) })
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
 * programs come to speak, nobody knows.
 */
export function differenceBetween(shown: readonly string[], printed: readonly string[]): string | undefined {
  const wanted = shown.map(normalized)
  const found = printed.map(normalized)
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
  return maySkip || next >= lines.length ? undefined : `Printed, and not shown: ${lines[next]}`
}

/** `master` of a cluster's line `master | ...`; empty for other lines. */
function speakerOf(line: string): string {
  return /^(master|slave(?: \d+)?|main)\s+\|/.exec(line)?.[1] ?? ''
}

/** A line without what differs from run to run, and from machine to machine. */
export function normalized(line: string): string {
  return line
    .replaceAll(hostname(), 'HOST')
    .replace(/"hostname":"[^"]*"/g, '"hostname":"HOST"')
    .replace(/"cpu":"[^"]*"/g, '"cpu":"CPU"')
    .replace(/"(cpu_percent_used|ram|cpu_cores|pid)":[\d.]+/g, '"$1":N')
    .replace(/"time":\d+/g, '"time":TIME')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\d\d:\d\d:\d\d/g, 'TIME')
    .replace(/((?:\d{1,3}\.){3}\d{1,3}|localhost):\d+/g, '$1:PORT')
    .replace(/\b[Pp]ort \d+/g, 'port N')
    .replace(/\b(client:?) \d+/g, '$1 N')
    .replace(/\b\d+(\.\d+)? ?(ms|s)\b/g, 'DURATION')
    .replace(/(^|[\s"'(])\/[^\s"'()]*\/(chapters|packages)\//g, '$1/.../$2/')
    .trimEnd()
}
