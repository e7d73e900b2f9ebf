import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { type Chapter, findChapter } from '../src/chapters.ts'
import { Comparison } from '../src/comparison.ts'
import { type Difference, type DiffOptions, diffText } from '../src/diff.ts'
import { ROOT } from '../src/repository.ts'

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

test('one chapter is compared with the one before it', async () => {
  const { stdout, exitCode } = await diff(['4', '--stat'])
  expect(exitCode).toBe(0)
  expect(stdout.split('\n')[0]).toBe('03-sockets -> 04-config')
})

test('inside a chapter it compares the one before with it', async () => {
  const { stdout } = await diff(['--stat'], { cwd: join(ROOT, 'chapters/04-config') })
  expect(stdout.split('\n')[0]).toBe('03-sockets -> 04-config')
})

describe('diff 3 4', () => {
  const stdout = text('3', '4')

  test('prints the summary, the own files, the growth of the core, and the tests, in this order', () => {
    const places = [
      'added    src/config.ts',
      'The core gained: config (0.4.0).',
      "== The chapter's own files ==",
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

  test('leaves out READMEs, and what only names the chapter', () => {
    expect(stdout).not.toContain('README.md')
    expect(stdout).not.toContain('"name": "04-config"')
    expect(stdout).not.toContain('"homepage"')
  })

  test('has no colour in a pipe, and the explanation of a change before it', () => {
    expect(stdout).not.toContain('\u001b')
    expect(stdout).toMatch(/^ {4}# .+\n\+const \{ socketBindIp: host, socketPort: port \} = loadConfig/m)
  })
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

test('--all compares READMEs and names too', async () => {
  const stdout = text('3', '4', { all: true })
  expect(stdout).toContain('+++ 04-config/README.md')
  expect(stdout).toContain('+  "name": "04-config",')
})

test('--json has it all as data, each change with its explanation', async () => {
  const difference = JSON.parse(text('5', '6', { json: true })) as Difference
  expect(difference.growth.map(({ name }) => name)).toEqual(['machine', 'messages'])
  expect(difference.growth[1]?.publicNames).toContainEqual(
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

test('an unknown chapter is exit code 2 and the list, nearest first', async () => {
  const { exitCode, stderr, stdout } = await diff(['sokets', '4'])
  expect(exitCode).toBe(2)
  expect(stdout).toBe('')
  const [line, nearest, ...others] = stderr.split('\n')
  expect(line).toBe('There is no chapter "sokets". There are:')
  expect(nearest).toMatch(/^ {2}03-sockets /)
  expect(others).toHaveLength(5)
})

test('the first chapter has none before it', async () => {
  const { exitCode, stderr } = await diff(['1'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('No chapter comes before 01-logging-liveness.')
})

test("git's own settings hold: an external diff tool of the reader's is used", async () => {
  const { stdout } = await diff(['3', '4'], { env: { GIT_EXTERNAL_DIFF: 'echo the tool' } })
  expect(stdout).toContain('the tool')
  expect(stdout).toContain('changed  src/master.ts')
})

test('lines that were only removed are told of at the line that they stood before', () => {
  const [before, after] = [findChapter('5'), findChapter('6')]
  const comparison = new Comparison(before, after)
  const linesOf = ({ folder }: Chapter, file: string) => readFileSync(join(folder, file), 'utf8').split('\n')
  try {
    const removedOnly = comparison
      .hunks('own')
      .filter(({ added, file }) => added.length === 0 && /\.ts$/.test(file))
    expect(removedOnly.length).toBeGreaterThan(0)
    for (const { file, line, removed } of removedOnly) {
      const older = linesOf(before, file)
      const next = older[older.indexOf(removed.at(-1) ?? '') + 1]
      expect(linesOf(after, file)[line - 1]).toBe(next)
    }
  } finally {
    comparison.dispose()
  }
})
