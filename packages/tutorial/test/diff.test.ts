import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { type Chapter, findChapter } from '../src/chapters/chapters.ts'
import { Comparison } from '../src/compare/comparison.ts'
import { type DiffOptions, diffText } from '../src/compare/diff.ts'
import type { Difference } from '../src/compare/difference.ts'
import { readersDisplay } from '../src/compare/display.ts'
import { ROOT } from '../src/workspace/repository.ts'

const diff = (args: string[], options: { cwd?: string; env?: Record<string, string> } = {}) =>
  execa(process.execPath, [join(ROOT, 'packages/tutorial/bin/tutorial.js'), 'diff', ...args], {
    cwd: ROOT,
    reject: false,
    ...options,
  })

/** What diff prints, without a process of its own. */
const text = (a: string, b: string, options: DiffOptions = {}) =>
  diffText(findChapter(a), findChapter(b), options)

test.for(['3', '03', '03-sockets', 'sockets'])('%s is a name of chapter 03', (name) => {
  expect(findChapter(name).name).toBe('03-sockets')
})

test('inside a chapter it compares the one before with it', async () => {
  const { stdout } = await diff(['--stat'], { cwd: join(ROOT, 'chapters/04-config') })
  expect(stdout.split('\n')[0]).toBe('03-sockets -> 04-config')
})

describe('the lesson comes first', () => {
  test.for([2, 3, 4, 5, 6])('diff %i is programs and configuration, and two lines for the rest', (number) => {
    const lines = text(String(number - 1), String(number)).split('\n')
    expect(lines.length).toBeLessThan(120)
    expect(lines.filter((line) => line.startsWith('== '))).toEqual(['== Programs and configuration =='])
    const [core, tests, end] = lines.slice(-3)
    expect(core).toMatch(
      new RegExp(
        `^The core gained \\d+ modules, \\d+ lines \\(pnpm diff ${number} --core\\): [a-z-]+, .*\\.$`,
      ),
    )
    expect(tests).toMatch(
      new RegExp(`^Of the tests, \\d files? changed, \\+\\d+ -\\d+ \\(pnpm diff ${number} --tests\\)\\.$`),
    )
    expect(end).toBe('')
  })

  test('what the two commands show, alone and together, and what is not there going backwards', () => {
    const sections = (options: DiffOptions) => text('4', '5', options).match(/^== .* ==$/gm)
    expect(sections({ core: true })).toEqual(['== How the core grew =='])
    expect(sections({ tests: true })).toEqual(['== The tests =='])
    expect(sections({ core: true, tests: true })).toEqual(['== How the core grew ==', '== The tests =='])
    expect(text('4', '5', { tests: true })).not.toContain('packages/core')
    expect(text('4', '5', { names: true, tests: true })).toMatch(/^(chapters\/05-json\/test\/\S+\n?)+$/)
    expect(text('2', '5')).toContain('(pnpm diff 2 5 --core)')
    expect(text('5', '4')).toMatch(/^The core does not have yet: .*, json-lines, .*\.$/m)
    const data = JSON.parse(text('4', '5', { json: true, tests: true })) as Difference
    expect(data.files.map(({ part }) => part)).toEqual(data.files.map(() => 'tests'))
    expect(data).toMatchObject({ growth: [], changes: [], diffs: { own: '', core: '' } })
    expect(data.diffs.tests).toContain('+++ ')
  })
})

describe('diff 3 4 --all', () => {
  const stdout = text('3', '4', { all: true })

  test('prints the summary, the own files, the growth of the core, and the tests, in this order', () => {
    const places = [
      'added    src/config.ts',
      '== Programs and configuration ==',
      '+++ 04-config/src/config.ts',
      '== How the core grew ==',
      'config, born in chapter 04:',
      '  loadConfig  (first used by src/master.ts)',
      '+++ 04-config/packages/core/src/config.ts',
      '== The tests ==',
      '+++ 04-config/test/new.test.ts',
    ].map((text) => stdout.indexOf(text))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })

  test('READMEs, and what only names the chapter, are there with --all alone', () => {
    const told = ['+++ 04-config/README.md', '+  "name": "04-config",', '"homepage"']
    for (const line of told) expect(stdout).toContain(line)
    for (const line of told) expect(text('3', '4')).not.toContain(line)
  })

  test('has no colour in a pipe, and the explanation of a change before it', () => {
    expect(stdout).not.toContain('\u001b')
    expect(stdout).toMatch(/^ {4}# .+\n\+const \{ socketBindIp: host, socketPort: port \} = loadConfig/m)
  })
})

test('a name is said where it is declared, with who uses it, and what only the core uses is not', () => {
  const lines = text('2', '3', { core: true }).split('\n')
  const connecting = lines.indexOf('connecting, born in chapter 03:')
  expect(lines.slice(connecting + 1, connecting + 4)).toEqual([
    '  SecureConnecting',
    '  ConnectOptions',
    '  connect  (first used by src/slave.ts)',
  ])
  expect(lines).toContain('chunk-reader, born in chapter 03:')
  expect(lines).not.toContain('  forEachChunk')
})

test('a program that moved is a move', async () => {
  const stdout = text('1', '2', { stat: true })
  expect(stdout).toMatch(/^ {2}moved {4}src\/main\.ts -> src\/master\.ts /m)
})

test('backwards it says what the core does not have yet', async () => {
  const stdout = text('6', '1', { stat: true })
  expect(stdout).toContain('The core does not have yet: ')
  expect(stdout).toMatch(/^ {2}removed {2}src\/slave\.ts /m)
})

test('a picture beside a README is there with --all alone, whoever has drawn it', () => {
  const pictures = (a: string, b: string, options: DiffOptions = {}) =>
    text(a, b, { names: true, ...options }).match(/\S+\.svg$/gm) ?? []
  expect(pictures('10', '11', { all: true })).toContain('chapters/11-reconnection/herd.svg')
  expect(pictures('10', '11')).toEqual([])
  expect(pictures('11', '12')).toEqual([])
})

test('--names prints paths only', async () => {
  const stdout = text('5', '6', { names: true })
  const lines = stdout.split('\n')
  expect(lines).toContain('chapters/06-slave-details/src/slave.ts')
  expect(lines).toContain('packages/core/src/machine.ts')
  expect(lines.every((line) => /^[\w./-]+$/.test(line))).toBe(true)
})

test('--word marks words', async () => {
  const stdout = text('3', '4', { word: true })
  expect(stdout).toMatch(/\[-.*-\]\{\+.*\+\}/)
})

test('--json has it all as data, each change with its explanation', async () => {
  const difference = JSON.parse(text('5', '6', { json: true })) as Difference
  expect(difference.growth.map(({ name }) => name)).toEqual(['envelopes', 'machine', 'messages'])
  expect(difference.growth[2]?.publicNames).toContainEqual(
    expect.objectContaining({ name: 'handleMessages', firstUsedBy: 'src/master.ts' }),
  )
  expect(difference.changes.length).toBeGreaterThan(5)
  expect(difference.changes.filter(({ explanation }) => !explanation)).toEqual([])
})

test('--html writes one page that needs nothing else, where the reader typed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'diff-'))
  const { exitCode } = await diff(['2', '6', '--html', 'page.html'], { env: { INIT_CWD: folder } })
  expect(exitCode).toBe(0)
  const page = await readFile(join(folder, 'page.html'), 'utf8')
  expect(page).toContain('<h1>From 02-packaging to 06-slave-details</h1>')
  expect(page).toContain('class="explanation"')
  expect(page).toContain('handleMessages')
  expect(page).not.toMatch(/<(script|link|img)\b/)
  expect(page).not.toMatch(/url\(\s*['"]?https?:/)
  await rm(folder, { recursive: true })
})

test('for an unknown chapter there is the list, nearest first', () => {
  expect(() => findChapter('sokets')).toThrow(
    /^There is no chapter "sokets"\. There are:\n {2}03-sockets .*(\n {2}\d\d-.*){5,}$/,
  )
})

test('the first chapter has none before it', async () => {
  const { exitCode, stderr } = await diff(['1'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('No chapter comes before 01-logging-liveness.')
})

test("git's own settings hold: an external diff tool of the reader's is used", async () => {
  const { stdout, stderr } = await diff(['3', '4'], {
    env: { GIT_EXTERNAL_DIFF: 'echo the tool', GIT_DIR: '/does/not/exist' },
  })
  expect(stdout).toMatch(/^the tool 03-sockets\/src\/master\.ts /m)
  expect(stdout).toContain('changed  src/master.ts')
  expect(stdout).not.toContain('+++')
  expect(stderr).toBe('')
})

describe("a reader's settings for git", () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(() => vi.unstubAllEnvs())

  /** What is known of a reader with these settings, who sits at a terminal. */
  function displayWith(settings: string, env: Record<string, string | undefined> = {}) {
    writeFileSync(join(folder, 'settings'), settings)
    const none = { GIT_PAGER: undefined, PAGER: undefined, NO_COLOR: undefined, GIT_EXTERNAL_DIFF: undefined }
    for (const [name, value] of Object.entries({ ...none, TERM: 'xterm', ...env })) vi.stubEnv(name, value)
    vi.stubEnv('GIT_CONFIG_GLOBAL', join(folder, 'settings'))
    return readersDisplay(true)
  }

  test('say which colours there are, or that there are none', () => {
    expect(displayWith('').colors).toMatchObject({ old: '\u001b[31m', new: '\u001b[32m' })
    expect(displayWith('[color "diff"]\nold = blue bold').colors).toMatchObject({ old: '\u001b[1;34m' })
    expect(displayWith('[color]\nui = false').colors).toBeUndefined()
    expect(displayWith('', { NO_COLOR: '1' }).colors).toBeUndefined()
    const [line = ''] = new Comparison(findChapter('3'), findChapter('4'))
      .unified('own', displayWith('[color "diff"]\nmeta = blue'))
      .split('\n')
    expect(line).toBe('\u001b[34mdiff --git 03-sockets/package.json 04-config/package.json\u001b[m')
  })

  test('say which pager, in the order that git has', () => {
    const both = '[core]\npager = from core\n[pager]\ndiff = for diff'
    expect(displayWith(both, { GIT_PAGER: 'mine', PAGER: 'any' }).pager?.command).toBe('mine')
    expect(displayWith(both, { PAGER: 'any' }).pager?.command).toBe('for diff')
    expect(displayWith('[core]\npager = from core', { PAGER: 'any' }).pager?.command).toBe('from core')
    expect(displayWith('', { PAGER: 'any' }).pager).toEqual({ command: 'any', from: 'PAGER' })
    expect(displayWith(both, { GIT_PAGER: 'cat' }).pager).toBeUndefined()
    expect(displayWith('[pager]\ndiff = false', { GIT_PAGER: 'mine' }).pager).toBeUndefined()
  })

  test('say how many lines stand around a change, and which tool shows it', () => {
    expect(displayWith('[diff]\ncontext = 10\ninterHunkContext = 2')).toMatchObject({
      context: 10,
      interHunk: 2,
      hasOwnTool: false,
    })
    expect(displayWith('[diff]\nexternal = tool').hasOwnTool).toBe(true)
    expect(displayWith('[diff "words"]\ncommand = tool').hasOwnTool).toBe(true)
  })
})

test('lines that were only removed are told of at the line that they stood before', () => {
  const [before, after] = [findChapter('5'), findChapter('6')]
  const comparison = new Comparison(before, after)
  const linesOf = ({ folder }: Chapter, file: string) => readFileSync(join(folder, file), 'utf8').split('\n')
  const removedOnly = comparison
    .hunks('own')
    .filter(({ added, file }) => added.length === 0 && /\.ts$/.test(file))
  expect(removedOnly.length).toBeGreaterThan(0)
  for (const { file, line, removed } of removedOnly) {
    const older = linesOf(before, file)
    const next = older[older.indexOf(removed.at(-1) ?? '') + 1]
    expect(linesOf(after, file)[line - 1]).toBe(next)
  }
})
