/**
 * A chapter that gives its programs other names, in a clean copy of the repository: what an author and a reader of it
 * are told, and what its tests say of the chapter before.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { allChapters } from '../src/chapters/chapters.ts'
import { CleanCopy } from '../src/checks/console-blocks.ts'
import { programEnvironment } from '../src/run/environment.ts'
import { lengthenSeries } from './support/longer-series.ts'

const TUTORIAL = 'packages/tutorial/bin/tutorial.js'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const [beforeThat, newest] = allChapters().slice(-2)
const number = (newest?.number ?? 0) + 1
const before = newest?.name ?? ''
const name = `${String(number).padStart(2, '0')}-made-up`
const folder = `chapters/${name}`

/** The program that others connect to, the first that does, and what they are called in the made-up chapter. */
const peer = newest?.programs.find(({ name }) =>
  newest.programs.some(({ connectsTo }) => connectsTo === name),
)?.name
const other = newest?.programs.find(({ name, connectsTo }) => connectsTo === peer && name !== peer)?.name
const names = { captain: peer ?? '', mate: other ?? '' }

/** What a program of the newest chapter was called in the one before; nothing when that did not have it. */
function calledBefore(program: string): string | undefined {
  const then = newest?.programs.find(({ name }) => name === program)?.formerly ?? program
  return beforeThat?.programs.some(({ name }) => name === then) ? then : undefined
}

/** The name that a program's logger has: where another file makes that, it keeps it. */
const LOGGER = /^(.* = createLogger\(').*\n/m

/** A program that says who it is, as soon as it has a logger. */
function introduced(text: string, as: string): string {
  const line = `log.info('This is the ${as}')\n`
  if (LOGGER.test(text)) return text.replace(LOGGER, `$1${as}')\n${line}`)
  return text.replace(/\n\n/, `\n\n${line}`) // behind the import lines
}

let clone: string
let dispose: () => void

beforeAll(async () => {
  const copy = await CleanCopy.make()
  clone = copy.folder
  dispose = () => copy.dispose()
  lengthenSeries(clone, number + 1)
  expect(await tutorial('chapters', '--new', name, 'Other words')).toMatchObject({ exitCode: 0 })
  for (const [now, then] of Object.entries(names)) {
    renameSync(join(clone, folder, `src/${then}.ts`), join(clone, folder, `src/${now}.ts`))
    change(`${folder}/src/${now}.ts`, (text) => introduced(text, now))
    change(`${folder}/README.md`, (text) =>
      text.replaceAll(`ts program=src/${then}.ts`, `diff program=src/${now}.ts`),
    )
  }
  change(`${folder}/package.json`, (text) => {
    const pkg = JSON.parse(text)
    const named = (program: string) =>
      Object.entries(names).find(([, then]) => then === program)?.[0] ?? program
    const { programs } = pkg.cluster
    pkg.cluster.programs = Object.fromEntries(
      Object.entries<{ connectsTo?: string }>(programs).map(([program, { connectsTo, ...rest }]) => [
        named(program),
        {
          ...(named(program) !== program && { formerly: program }),
          ...rest,
          ...(connectsTo !== undefined && { connectsTo: named(connectsTo) }),
        },
      ]),
    )
    pkg.cluster.programs.captain.ready = 'This is the captain'
    for (const [now, then] of Object.entries(names)) {
      delete pkg.scripts[then]
      pkg.scripts[now] = `node --import tsx src/${now}.ts`
    }
    return `${JSON.stringify(pkg, undefined, 2)}\n`
  })
  write(
    `${folder}/test/new.test.ts`,
    `import { test } from '@rpi-cluster/tutorial/harness'

test('the captain says who it is', async ({ chapter, expect }) => {
  const captain = await chapter.run('captain')
  await captain.says(/Listening on/)
  await captain.stop()
  expect(captain.messages).toContain('This is the captain')
})

test('the mate says who it is, to a captain that is there', async ({ chapter, expect }) => {
  const real = await chapter.run('captain')
  await real.says(/Listening on/) // where nodes have keys, it has made them now
  await real.stop()
  const captain = await chapter.standIn('captain')
  const mate = await chapter.run('mate')
  await captain.receives(1)
  await mate.stop()
  expect(mate.messages).toContain('This is the mate')
})
`,
  )
})

afterAll(() => dispose())

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const { all, exitCode } = await execa(command, args, {
    cwd: clone,
    all: true,
    reject: false,
    preferLocal: true,
    localDir: clone,
    env: { ...programEnvironment({ speed: 1 }), CI: '', NO_COLOR: '1', ...env },
    extendEnv: false,
  })
  return { all, lines: all.split('\n').filter(Boolean), exitCode }
}

const tutorial = (...args: string[]) => run(process.execPath, [TUTORIAL, ...args])

const read = (file: string) => readFileSync(join(clone, file), 'utf8')

function write(file: string, text: string): void {
  mkdirSync(dirname(join(clone, file)), { recursive: true })
  writeFileSync(join(clone, file), text)
}

function change(file: string, by: (text: string) => string): void {
  const text = read(file)
  const changed = by(text)
  expect(changed, file).not.toBe(text)
  write(file, changed)
}

test('pnpm diff compares each program with what it was, however little of it stayed, over several chapters and backwards', async () => {
  const { captain, mate } = names
  const moved = (from: string, to: string) => new RegExp(`^  moved +src/${from}\\.ts -> src/${to}\\.ts `, 'm')
  const file = `${folder}/src/captain.ts`
  const right = read(file)
  change(file, (text) => text.replace(/^(?=.)/gm, '\t')) // no line is what it was
  const [own, across, backwards] = await Promise.all([
    tutorial('diff', String(number), '--stat'),
    tutorial('diff', String(beforeThat?.number), String(number), '--stat'),
    tutorial('diff', String(number), before, '--stat'),
  ])
  write(file, right)
  expect(own.all).toMatch(moved(captain, 'captain'))
  expect(own.all).toMatch(moved(mate, 'mate'))
  for (const [now, then] of Object.entries(names)) {
    const longBefore = calledBefore(then)
    expect(across.all).toMatch(
      longBefore === undefined ? new RegExp(`^  added +src/${now}\\.ts `, 'm') : moved(longBefore, now),
    )
  }
  expect(backwards.all).toMatch(moved('captain', captain))
  expect(backwards.all).toMatch(moved('mate', mate))
})

test('a README shows what changed in a renamed program, and is told when it does not', async () => {
  const stale = new RegExp(
    `^${folder}/README\\.md:\\d+: the block from ${folder}/src/captain\\.ts is stale `,
    'm',
  )
  expect((await tutorial('texts')).all).toMatch(stale)
  await tutorial('sync', '--no-console')
  expect((await tutorial('texts')).all).not.toMatch(stale)
  const [, block = ''] =
    /^```diff program=src\/captain\.ts.*\n([\s\S]*?)^```/m.exec(read(`${folder}/README.md`)) ?? []
  const marked = block.split('\n').filter((line) => /^[+-]/.test(line))
  const logger = [`-const log = createLogger('${peer}')`, "+const log = createLogger('captain')"]
  const hasLogger = LOGGER.test(read(`chapters/${before}/src/${peer}.ts`))
  expect(marked).toEqual([...(hasLogger ? logger : []), "+log.info('This is the captain')"])
})

test('a former name that nobody had is told', async () => {
  const file = `${folder}/package.json`
  const right = read(file)
  change(file, (text) => text.replace(`"formerly": "${peer}"`, '"formerly": "nobody"'))
  const { lines, exitCode } = await tutorial('texts')
  write(file, right)
  expect(exitCode).toBe(1)
  expect(lines).toContainEqual(
    expect.stringMatching(
      new RegExp(
        `^${file}: cluster\\.programs\\.captain\\.formerly is "nobody", and ${before} has no program`,
      ),
    ),
  )
})

test('its tests pass, and fail on the chapter before, each by its own assertion', async () => {
  const args = ['run', '--project', name, 'new']
  const [own, old] = [await run('vitest', args), await run('vitest', args, { CHAPTER_UNDER_TEST: 'before' })]
  expect(own.exitCode, own.all).toBe(0)
  expect(old.all).toMatch(/ Tests +2 failed/)
  expect(old.all.match(/^\w*Error: .*/gm)).toEqual([
    expect.stringMatching(/^AssertionError: .*This is the captain/),
    expect.stringMatching(/^AssertionError: .*This is the mate/),
  ])
})

test('whoever builds it is told to rename, and may have done half of it', async () => {
  const made = await tutorial('practice', String(number))
  expect(made.exitCode, made.all).toBe(0)
  const { programs } = JSON.parse(read(`practice/${name}/package.json`)).cluster
  expect(Object.keys(programs)).toEqual(expect.arrayContaining(Object.entries(names).flat()))
  const then = newest?.programs.find(({ name }) => name === peer)?.ready ?? []
  expect(programs.captain.ready).toEqual(expect.arrayContaining(['This is the captain', ...then]))
  // Which of them comes first is the README's to say.
  const { lines } = await tutorial('practice', String(number), '--hint')
  expect(
    Object.entries(names).map(([now, then]) => `(src/${then}.ts becomes src/${now}.ts: rename it)`),
  ).toContain(lines[1])
  const taken = await tutorial('practice', String(number), '--solution', 'src/captain.ts')
  expect(taken.all).toContain(`Your src/${peer}.ts, which is src/captain.ts in ${name}, is kept as `)
  expect(existsSync(join(clone, 'practice', name, `src/${peer}.ts`))).toBe(false)
})

test('the chapter after it begins with its programs, which had these names before', async () => {
  const next = `${String(number + 1).padStart(2, '0')}-next`
  const made = await tutorial('chapters', '--new', next, 'The next')
  expect(made.exitCode, made.all).toBe(0)
  const { programs } = JSON.parse(read(`chapters/${next}/package.json`)).cluster
  expect(programs).toHaveProperty('captain')
  expect(JSON.stringify(programs)).not.toContain('formerly')
  const { all } = await tutorial('diff', before, next, '--stat')
  expect(all).toMatch(new RegExp(`^  moved +src/${peer}\\.ts -> src/captain\\.ts `, 'm'))
})
