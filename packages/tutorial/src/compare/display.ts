/** How a reader has told git to show differences: colours, lines around them, a pager, a tool of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type GitAnswer, git } from '../workspace/git.ts'
import type { Comparison, Part } from './comparison.ts'
import type { Colors, UnifiedOptions } from './unified-diff.ts'

/** What of it `pnpm diff` follows. Nothing of it changes what is compared. */
export interface Display extends Pick<UnifiedOptions, 'context' | 'interHunk' | 'colors'> {
  /** A shell command, and who says so; nothing when the text is to be printed as it is. */
  pager?: { command: string; from: string }
  /** True when git may have a tool of the reader's show the differences: an external diff, for all files or for some. */
  hasOwnTool: boolean
  /** Why nothing is known of the reader's settings, if that is so. */
  problem?: string
}

/** As git shows them to somebody who has set nothing. */
const GIT_COLORS: Colors = {
  meta: '\u001b[1m',
  frag: '\u001b[36m',
  func: '',
  context: '',
  old: '\u001b[31m',
  new: '\u001b[32m',
}

/**
 * Asks git for the reader's settings. Without git, or when it fails, git's own defaults hold.
 *
 * @param isTerminal whether a person sees it: in a file or a pipe there are no colours and no pager
 */
export function readersDisplay(isTerminal: boolean): Display {
  const answer = git(['config', '--list', '-z'])
  const settings = answer.isOk ? parseSettings(answer.stdout) : new Map<string, string>()
  const { GIT_EXTERNAL_DIFF } = process.env
  const hasOwnTool =
    Boolean(GIT_EXTERNAL_DIFF || settings.get('diff.external')) ||
    [...settings.keys()].some((key) => /^diff\..+\.command$/.test(key))
  const context = wholeNumber(settings.get('diff.context'))
  const interHunk = wholeNumber(settings.get('diff.interhunkcontext'))
  const pager = isTerminal ? readersPager(settings) : undefined
  return {
    hasOwnTool,
    ...(context !== undefined && { context }),
    ...(interHunk !== undefined && { interHunk }),
    ...(isTerminal && usesColor(settings) && { colors: readersColors(settings) }),
    ...(pager && { pager }),
    // Who has no git has no settings to miss.
    ...(!answer.isOk && (!answer.isMissing || GIT_EXTERNAL_DIFF) && { problem: answer.why }),
  }
}

/** Has git show one part, by the reader's own tool where there is one. What git compares is pinned. */
export function shownByGit(
  { texts, before, after, renamed, back }: Comparison,
  part: Part,
  { colors }: Display,
  options: readonly string[],
): GitAnswer {
  const names = [before.name, after.name] as const
  const sides = texts[part]
  const pairs = [
    ...[...renamed].map(([to, from]) => ({ chapter: names[0], from, to })),
    ...[...back].map(([file, { from: chapter }]) => ({ chapter, from: file, to: file })),
  ].filter(({ from, to }) => sides[0].has(from) && sides[1].has(to))
  let folder: string | undefined
  try {
    const root = mkdtempSync(join(tmpdir(), 'compare-'))
    folder = root
    const write = (side: 0 | 1, file: string, name = names[side]) => {
      const path = join(root, name, file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, sides[side].get(file) ?? '')
    }
    const shown = (older: string, newer: string) =>
      git(
        [
          ...['-c', 'core.quotePath=false', '-c', 'core.autocrlf=false'],
          ...['diff', '--no-index', '--ext-diff', '-O/dev/null', '--find-renames=10%'],
          ...['--diff-algorithm=myers', '--indent-heuristic', colors ? '--color=always' : '--no-color'],
          ...['--src-prefix=', '--dst-prefix=', ...options, '--', older, newer],
        ],
        { cwd: root, ok: [0, 1] },
      )
    for (const side of [0, 1] as const) {
      mkdirSync(join(root, names[side]))
      const isApart = (file: string) => pairs.some(({ from, to }) => (side === 0 ? from : to) === file)
      for (const file of sides[side].keys()) if (!isApart(file)) write(side, file)
    }
    const ofFolders = shown(...names)
    if (!ofFolders.isOk) return ofFolders
    let { stdout } = ofFolders
    // git cannot be told which file was which, and what is back was in another folder: those are shown to it two by two.
    for (const { chapter, from, to } of pairs) {
      write(0, from, chapter)
      write(1, to)
      const answer = shown(`${chapter}/${from}`, `${names[1]}/${to}`)
      if (!answer.isOk) return answer
      stdout += answer.stdout
    }
    return { isOk: true, stdout }
  } catch (error) {
    return { isOk: false, isMissing: false, why: error instanceof Error ? error.message : String(error) }
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** Each setting by its name, the last of several: names of sections and keys are in small letters. */
function parseSettings(list: string): Map<string, string> {
  return new Map(
    list
      .split('\0')
      .filter(Boolean)
      .map((entry): [string, string] => {
        const end = entry.indexOf('\n')
        // A key alone means yes.
        return end < 0 ? [entry, 'true'] : [entry.slice(0, end), entry.slice(end + 1)]
      }),
  )
}

function usesColor(settings: ReadonlyMap<string, string>): boolean {
  const { NO_COLOR, TERM } = process.env
  if (NO_COLOR || TERM === 'dumb') return false
  return !isNo(settings.get('color.diff') ?? settings.get('color.ui') ?? 'auto')
}

function readersColors(settings: ReadonlyMap<string, string>): Colors {
  const entries = Object.entries(GIT_COLORS).map(([slot, standard]) => {
    const names = slot === 'context' ? ['color.diff.context', 'color.diff.plain'] : [`color.diff.${slot}`]
    const name = names.find((name) => settings.has(name))
    const answer = name === undefined ? undefined : git(['config', '--get-color', name])
    return [slot, answer?.isOk ? answer.stdout : standard]
  })
  return Object.fromEntries(entries) as Colors
}

/** The pager that git would use for `git diff`. */
function readersPager(settings: ReadonlyMap<string, string>): Display['pager'] {
  const { GIT_PAGER, PAGER } = process.env
  const own = settings.get('pager.diff')
  if (own !== undefined && isNo(own)) return undefined
  const said: [from: string, command: string | undefined][] = [
    ['GIT_PAGER', GIT_PAGER],
    ['pager.diff', own === undefined || isYes(own) ? undefined : own],
    ['core.pager', settings.get('core.pager')],
    ['PAGER', PAGER],
  ]
  const [from, command] = said.find(([, command]) => command !== undefined) ?? ["git's own", standardPager()]
  return command === undefined || command === '' || command === 'cat' ? undefined : { command, from }
}

function standardPager(): string {
  const answer = git(['var', 'GIT_PAGER'])
  return (answer.isOk && answer.stdout.trim()) || 'less'
}

function isNo(value: string): boolean {
  return /^(false|no|off|0|never|)$/i.test(value)
}

function isYes(value: string): boolean {
  return /^(true|yes|on|1)$/i.test(value)
}

function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : undefined
}
