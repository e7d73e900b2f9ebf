/** A made-up chapter whose programs have other names than in the chapter before, which is made up too. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { type Chapter, readChapter } from '../src/chapters/chapters.ts'
import { formerNames, type NamedPrograms, renamedFiles } from '../src/chapters/former-names.ts'
import { wrongFormerNames } from '../src/checks/chapter-checks.ts'
import { placedIn } from '../src/compare/between.ts'
import { Comparison } from '../src/compare/comparison.ts'
import { diffText } from '../src/compare/diff.ts'
import { readersDisplay, shownByGit } from '../src/compare/display.ts'
import { ChapterCopy, HarnessError, isListening } from '../src/harness/harness.ts'
import { stillToChange } from '../src/harness/still-to-change.ts'
import { sourcesOf } from '../src/mutate/mutate.ts'

const root = mkdtempSync(join(tmpdir(), 'renamed-'))
afterAll(() => rmSync(root, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

/**
 * A folder with programs that have these sources, each called otherwise before where that is said. Its number is none of
 * the series', so that what the series says is not said of it.
 */
function madeUp(
  name: string,
  sources: Record<string, string>,
  formerly: Record<string, string> = {},
): Chapter {
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, name, file)), { recursive: true })
    writeFileSync(join(root, name, file), text)
  }
  const programs = Object.keys(sources).map((program) => [
    program,
    { ready: 'Up', ...(formerly[program] !== undefined && { formerly: formerly[program] }) },
  ])
  const pkg = { name: `01-${name}`, cluster: { programs: Object.fromEntries(programs) }, scripts: {} }
  write('package.json', JSON.stringify(pkg, undefined, 2))
  for (const [program, text] of Object.entries(sources)) write(`src/${program}.ts`, text)
  return { ...readChapter(join(root, name)), name, number: Number.parseInt(name, 10) }
}

// So few lines stay that nothing but package.json tells which program was which; by their lines they would change places.
const HEAD = `const a = 'the leader listens for followers'\nconst b = [a, a, a]\nconsole.log(b)\n`
const HAND = `const x = 'the follower connects to its leader'\nconst y = { x }\nconsole.error(y)\n`
const before = madeUp('90-before', {
  leader: `${HEAD}start()\n`,
  follower: `${HAND}start()\n`,
  page: 'serve()\n',
})
const after = madeUp(
  '91-after',
  { first: `${HAND}start()\nlead()\n`, second: `${HEAD}start()\n`, page: 'serve()\n' },
  { first: 'leader', second: 'follower' },
)

const names = { first: 'leader', second: 'follower' }
const at = (number: number, programs: Record<string, string | undefined>): NamedPrograms => ({
  number,
  programs: Object.entries(programs).map(([name, formerly]) => ({
    name,
    ...(formerly !== undefined && { formerly }),
  })),
})

describe('which program was which', () => {
  const chapters = [
    at(1, { a: undefined, x: undefined }),
    at(2, { b: 'a', x: undefined }),
    at(3, { b: undefined, x: undefined, a: undefined }), // another one, of the old name
    at(4, { c: 'b', y: 'x', a: undefined, late: undefined }),
    at(5, { c: undefined, y: undefined, a: undefined, later: 'late' }),
  ] as const
  const [first, second, third, fourth, fifth] = chapters

  test('over one chapter, over several, and with names that came later', () => {
    expect([...formerNames(first, second, chapters)]).toEqual([['b', 'a']])
    expect([...formerNames(second, third, chapters)]).toEqual([])
    expect([...formerNames(first, fourth, chapters)]).toEqual([
      ['c', 'a'],
      ['y', 'x'],
    ])
    expect([...formerNames(third, fifth, chapters)]).toEqual([
      ['c', 'b'],
      ['y', 'x'],
    ])
    expect([...formerNames(fourth, fifth, chapters)]).toEqual([['later', 'late']])
  })

  test('in both directions', () => {
    expect([...renamedFiles(first, fifth, chapters)]).toEqual([
      ['src/c.ts', 'src/a.ts'],
      ['src/y.ts', 'src/x.ts'],
    ])
    expect([...renamedFiles(fifth, first, chapters)]).toEqual([
      ['src/a.ts', 'src/c.ts'],
      ['src/x.ts', 'src/y.ts'],
    ])
  })
})

describe('a renamed program is compared with what it was', () => {
  const of = (a: Chapter, b: Chapter) =>
    new Comparison(a, b).files(['own']).map(({ status, from, file }) => `${status} ${from} ${file}`)

  test('however little of it stayed, and backwards', () => {
    const moved = ['moved src/leader.ts src/first.ts', 'moved src/follower.ts src/second.ts']
    expect(of(before, after)).toEqual(moved)
    expect(of(after, before)).toEqual([
      'moved src/second.ts src/follower.ts',
      'moved src/first.ts src/leader.ts',
    ])
  })

  test('pnpm diff says so, as git does', () => {
    const text = diffText(before, after, {})
    expect(text).toMatch(/^ {2}moved {4}src\/leader\.ts -> src\/first\.ts /m)
    expect(text).toContain(
      'rename from 90-before/src/leader.ts\nrename to 91-after/src/first.ts\n--- 90-before/src/leader.ts\n+++ 91-after/src/first.ts\n',
    )
    expect(text).not.toContain('/dev/null')
  })

  test('a program with the old name of another is a new one', () => {
    const next = madeUp('92-next', { first: 'lead()\n', leader: `${HEAD}start()\n` }, { first: 'leader' })
    expect(of(before, next)).toEqual([
      'moved src/leader.ts src/first.ts',
      'removed undefined src/follower.ts',
      'added undefined src/leader.ts',
      'removed undefined src/page.ts',
    ])
  })

  test('its lines are marked, for the pieces of a README', () => {
    const marked = new Comparison(before, after).marked('src/first.ts') ?? []
    expect(marked.map(({ mark, text }) => mark + text)).toEqual([
      ...HEAD.trimEnd()
        .split('\n')
        .map((line) => `-${line}`),
      ...HAND.trimEnd()
        .split('\n')
        .map((line) => `+${line}`),
      ' start()',
      '+lead()',
    ])
  })

  test("a reader's own tool gets the two together", () => {
    const tool = join(root, 'tool')
    writeFileSync(tool, '#!/bin/sh\necho "tool $1 $(tail -1 "$2") / $(tail -1 "$5")"\n')
    chmodSync(tool, 0o755)
    vi.stubEnv('GIT_EXTERNAL_DIFF', tool)
    const answer = shownByGit(new Comparison(before, after), 'own', readersDisplay(false), [])
    expect(answer).toMatchObject({ isOk: true })
    const lines = answer.isOk ? answer.stdout.trim().split('\n') : []
    expect(lines.map((line) => line.replace(/^tool \S+ /, ''))).toEqual([
      'start() / lead()',
      'start() / start()',
    ])
  })

  test('what was said of its lines under the old name is found under the new one', () => {
    const said = { file: 'chapters/90-before/src/leader.ts', line: 4, last: 4, added: ['start()'] }
    const own = new Comparison(before, after).texts.own[1]
    expect(placedIn('91-after', own, said, '90-before', renamedFiles(after, before, []))).toEqual([
      { ...said, file: 'chapters/91-after/src/first.ts', line: 4 },
    ])
  })

  test('a practice folder has still to change it when it is what it was under either name', () => {
    const folder = join(root, 'practice/91-after')
    const write = (file: string, text: string) => writeFileSync(join(folder, 'src', file), text)
    mkdirSync(join(folder, 'src'), { recursive: true })
    for (const program of ['leader', 'follower', 'page'])
      write(`${program}.ts`, readFileSync(join(before.folder, `src/${program}.ts`), 'utf8'))
    const still = () => stillToChange(folder, [before, after])
    expect(still()).toEqual(['src/first.ts', 'src/second.ts'])
    write('first.ts', `${HEAD}start()\n`)
    write('second.ts', 'another way\n')
    expect(still()).toEqual(['src/first.ts'])
  })

  test('pnpm mutate leaves it out when nothing but its name changed', () => {
    const same = { first: `${HEAD}start()\n`, second: `${HAND}other()\n`, page: 'serve()\n' }
    const next = madeUp('93-same', same, names)
    expect(sourcesOf(next, before)).toEqual([
      { name: 'src/first.ts', inheritedFrom: '90-before' },
      { name: 'src/second.ts' },
      { name: 'src/page.ts', inheritedFrom: '90-before' },
    ])
  })
})

test('a former name that cannot be is told, with file and key', () => {
  const told = (programs: Record<string, string>, older: Chapter | undefined = before) => {
    const sources = Object.fromEntries(['first', 'second', 'page', 'leader'].map((name) => [name, 'x\n']))
    const own = Object.fromEntries(
      Object.entries(sources).filter(([name]) => name !== 'leader' || 'leader' in programs),
    )
    const chapter = madeUp('94-wrong', own, programs)
    return wrongFormerNames(chapter, older).map((line) => line.replace(/^.*\/package\.json: /, ''))
  }
  expect(told(names)).toEqual([])
  const first = 'cluster.programs.first.formerly is'
  expect(told({ first: 'head' })).toEqual([
    `${first} "head", and 90-before has no program of that name. Programs there: leader, follower, page.`,
  ])
  expect(told({ first: 'page' })).toEqual([`${first} "page", which is still a program here.`])
  expect(told({ page: 'leader' })).toEqual([
    'cluster.programs.page.formerly is "leader", and 90-before has a program page as well.',
  ])
  expect(told({ first: 'leader', second: 'leader' })).toEqual([
    `${first} "leader", and another program here says the same.`,
    'cluster.programs.second.formerly is "leader", and another program here says the same.',
  ])
  const chapter = madeUp('95-first', { first: 'x\n' }, { first: 'leader' })
  expect(wrongFormerNames(chapter, undefined)).toEqual([
    expect.stringContaining(`${first} "leader", and no chapter comes before this one.`),
  ])
})

test('a test of a later chapter finds the programs of an older one by their new names', async () => {
  const chapter = await ChapterCopy.make('15-live-page', {
    names: new Map([
      ['first', 'master'],
      ['second', 'slave'],
    ]),
  })
  try {
    expect(chapter.portsOf('first')).toEqual(chapter.portsOf('master'))
    expect(chapter.portsOf('first')).toHaveLength(1)
    const standIn = await chapter.standIn('first')
    const second = await chapter.run('second')
    await standIn.receives(1)
    await second.stop()
    standIn.close()

    const link = await chapter.link('first')
    expect(link.serverPort).toBe(chapter.portsOf('master')[0])
    const config = readFileSync(join(chapter.folder, 'rpicluster.cfg'), 'utf8')
    await chapter.write(
      'rpicluster.cfg',
      config.replace('[master]', '[first]').replace('[slave]', '[second]'),
    )
    const first = await chapter.run('first')
    await first.says(/Listening on/)
    expect(await isListening(chapter.portsOf('first')[0] ?? 0)).toBe(true)
    const again = await chapter.run('second', { through: link })
    await again.says(/Connected to/)
    await again.stop()
    await first.stop()
    expect((await chapter.log('first.log')).at(-1)).toMatchObject({ msg: 'Stopped' })

    await chapter.write('src/first.ts', "console.log('written')\n")
    expect(readFileSync(join(chapter.folder, 'src/master.ts'), 'utf8')).toBe("console.log('written')\n")
    await expect(chapter.run('third')).rejects.toThrow(new HarnessError('There is no program src/third.ts'))
  } finally {
    await chapter.remove()
  }
})
