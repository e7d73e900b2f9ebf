/** Made-up chapters: one leaves files out that the one before it had, and the next has them again. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { filesBack, versionBefore } from '../src/chapters/back.ts'
import { type Chapter, findChapter, readChapter } from '../src/chapters/chapters.ts'
import { minutesToRead } from '../src/checks/reading-times.ts'
import { problemsOf } from '../src/checks/text-checks.ts'
import { Comparison } from '../src/compare/comparison.ts'
import { diffText } from '../src/compare/diff.ts'
import { readersDisplay, shownByGit } from '../src/compare/display.ts'
import { explainedChanges, unexplainedChanges } from '../src/compare/explanations.ts'
import { stillToChange } from '../src/harness/still-to-change.ts'
import { sourcesOf } from '../src/mutate/mutate.ts'
import { goalPage } from '../src/practice/goal.ts'
import { readReadme } from '../src/texts/readme.ts'

const root = mkdtempSync(join(tmpdir(), 'back-'))
afterAll(() => rmSync(root, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

/** A folder with these files in `src`. Its numbers are none of the series'. */
function madeUp(name: string, files: Record<string, string>, formerly: Record<string, string> = {}): Chapter {
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, name, file)), { recursive: true })
    writeFileSync(join(root, name, file), text)
  }
  const programs = Object.keys(files)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .map((program) => [program, { ready: 'Up', ...(program in formerly && { formerly: formerly[program] }) }])
  const pkg = { name: `01-${name}`, cluster: { programs: Object.fromEntries(programs) }, scripts: {} }
  write('package.json', JSON.stringify(pkg, undefined, 2))
  for (const [file, text] of Object.entries(files)) write(`src/${file}`, text)
  return { ...readChapter(join(root, name)), name, number: Number.parseInt(name, 10) }
}

const PAGE = Array.from({ length: 9 }, (_, index) => `line(${index})\n`).join('')
const older = madeUp('90-older', { 'main.ts': 'a()\n', 'page.ts': 'much older()\n' })
const full = madeUp('91-full', {
  'main.ts': 'a()\n',
  'page.ts': PAGE,
  'web.ts': `${PAGE}serve()\n`,
  'page.css': 'p {}\n',
  'old.ts': PAGE.replaceAll('line', 'other'),
})
const lean = madeUp(
  '92-lean',
  { 'main.ts': 'a()\n', 'new.ts': PAGE.replaceAll('line', 'other') },
  { new: 'old' },
)
const again = madeUp('93-again', {
  'main.ts': 'a()\n',
  'new.ts': PAGE.replaceAll('line', 'other'),
  'page.ts': PAGE,
  'web.ts': `${PAGE}serve(80)\n`,
  'page.css': 'p {}\n',
  'old.ts': 'another one()\n',
  'own.ts': 'own()\n',
})
const next = madeUp('94-next', { 'main.ts': 'a()\n', 'page.ts': PAGE })
const chapters = [older, full, lean, again, next]

describe('which files are back', () => {
  const back = (a: Chapter, b: Chapter) =>
    [...filesBack(a, b, chapters)].map(([file, home]) => `${file} ${home.name}`)

  test('those that the chapter before lacks, from the latest that has them; what only has the old name of another is new', () => {
    expect(back(lean, again)).toEqual(['src/page.css 91-full', 'src/page.ts 91-full', 'src/web.ts 91-full'])
    expect(versionBefore('src/page.ts', again, lean, chapters)).toEqual({
      chapter: full,
      file: 'src/page.ts',
    })
    expect(versionBefore('src/new.ts', lean, full, chapters)).toEqual({ chapter: full, file: 'src/old.ts' })
    expect(versionBefore('src/main.ts', again, lean, chapters)).toEqual({
      chapter: lean,
      file: 'src/main.ts',
    })
    for (const file of ['src/old.ts', 'src/own.ts'])
      expect(versionBefore(file, again, lean, chapters)).toBeUndefined()
  })

  test('none where nothing was left out, backwards, and between chapters that are no neighbours', () => {
    for (const [a, b] of [
      [older, full],
      [full, lean],
      [again, lean],
      [full, again],
      [lean, next],
    ] as const)
      expect(back(a, b)).toEqual([])
  })
})

describe('what is back is compared with what it was', () => {
  const of = (a: Chapter, b: Chapter) =>
    new Comparison(a, b, { chapters })
      .files(['own'])
      .map(
        ({ status, file, backFrom, addedLines, removedLines }) =>
          `${status} ${file} ${backFrom} +${addedLines} -${removedLines}`,
      )

  test('its unchanged lines are not new, and neighbours alone are compared so', () => {
    expect(of(lean, again)).toEqual([
      'added src/old.ts undefined +1 -0',
      'added src/own.ts undefined +1 -0',
      'changed src/web.ts 91-full +1 -1',
      'back src/page.css 91-full +0 -0',
      'back src/page.ts 91-full +0 -0',
    ])
    expect(of(full, again).filter((line) => line.includes('91-full'))).toEqual([])
    expect(of(full, again)).toContain('changed src/web.ts undefined +1 -1')
    expect(of(again, lean).filter((line) => line.startsWith('removed'))).toHaveLength(5)
  })

  test('pnpm diff says so, and shows what has changed since', () => {
    const text = diffText(lean, again, { chapters })
    expect(text).toMatch(/^ {2}back {5}src\/page\.ts +\+0 +-0 {2}back from 91-full, unchanged$/m)
    expect(text).toMatch(/^ {2}changed {2}src\/web\.ts +\+1 +-1 {2}back from 91-full, changed since$/m)
    expect(text).toContain('--- 91-full/src/web.ts\n+++ 93-again/src/web.ts\n')
    expect(text).toContain('-serve()\n+serve(80)\n')
    expect(text).not.toContain('+line(')
    expect(diffText(lean, again, { chapters, names: true })).toContain('chapters/93-again/src/page.ts')
  })

  test('its lines are marked against that, for the pieces of a README', () => {
    const comparison = new Comparison(lean, again, { chapters })
    const marked = (comparison.marked('src/web.ts') ?? []).filter(({ mark }) => mark !== ' ')
    expect(marked.map(({ mark, text }) => mark + text)).toEqual(['-serve()', '+serve(80)'])
    expect(comparison.marked('src/page.ts')).toBeUndefined()
  })

  test("a reader's own tool gets the two together", () => {
    const tool = join(root, 'tool')
    writeFileSync(tool, '#!/bin/sh\necho "tool $1 $(tail -1 "$2") / $(tail -1 "$5")"\n')
    chmodSync(tool, 0o755)
    vi.stubEnv('GIT_EXTERNAL_DIFF', tool)
    const answer = shownByGit(new Comparison(lean, again, { chapters }), 'own', readersDisplay(false), [])
    expect(answer.isOk && answer.stdout).toContain('tool 91-full/src/web.ts serve() / serve(80)\n')
    expect(answer.isOk && answer.stdout).not.toContain('page.ts')
  })
})

test('pnpm mutate leaves out what is back as it was', () => {
  const inherited = sourcesOf(again, lean, chapters).map(
    ({ name, inheritedFrom }) => `${name} ${inheritedFrom}`,
  )
  expect(inherited).toEqual([
    'src/main.ts 92-lean',
    'src/new.ts 92-lean',
    'src/page.ts 91-full',
    'src/web.ts undefined',
    'src/old.ts undefined',
    'src/own.ts undefined',
  ])
})

test('in a practice folder what is back has still to change as long as it is what it was', () => {
  const folder = join(root, 'practice/93-again')
  const write = (file: string, text: string) => {
    mkdirSync(join(folder, 'src'), { recursive: true })
    writeFileSync(join(folder, 'src', file), text)
  }
  write('main.ts', 'a()\n')
  write('new.ts', PAGE.replaceAll('line', 'other'))
  for (const [file, text] of [
    ['page.ts', PAGE],
    ['page.css', 'p {}\n'],
    ['web.ts', `${PAGE}serve()\n`],
  ] as const)
    write(file, text)
  expect(stillToChange(folder, chapters)).toEqual(['src/old.ts', 'src/own.ts', 'src/web.ts'])
  write('web.ts', `${PAGE}serve(8080)\n`)
  expect(stillToChange(folder, chapters)).toEqual(['src/old.ts', 'src/own.ts'])
})

describe('chapter 20, where what 19 left out is back', () => {
  const [before, chapter] = [findChapter('19'), findChapter('20')]
  const file = 'chapters/20-json-config/README.md'
  const was = 'chapters/18-temperature/src/vitals-page.ts'

  test('each program that is back asks for a sentence that links what it was, and for no piece', () => {
    const readme = readReadme(file)
    const backIn = (mentions: typeof readme.mentions) =>
      explainedChanges(before, chapter, { ...readme, mentions }).filter(({ backFrom }) => backFrom === was)
    expect(backIn(readme.mentions)).toMatchObject([
      {
        file: 'chapters/20-json-config/src/vitals-page.ts',
        explanation: expect.stringContaining('page of vitals'),
      },
    ])
    const [unexplained] = backIn(readme.mentions.filter((mention) => mention.file !== was))
    expect(unexplained?.explanation).toBeUndefined()
    expect(unexplainedChanges()).toEqual([])
    expect(problemsOf(file).filter((problem) => problem.includes('it shows nothing of'))).toEqual([])
    expect(diffText(before, chapter, {})).toMatch(
      /^ {4}# .*page of vitals.*\n(.*\n)*src\/vitals-page\.ts: back from/m,
    )
  })

  test('what is back takes no time to read, and a reader who practises has it from the start', () => {
    // The thousand lines would take two hours.
    expect(minutesToRead(chapter)).toBeLessThan(60)
    expect(goalPage(chapter, before)).toMatch(
      /here already, are .*`src\/vitals-page\.ts`.* of 18-temperature\. Change/,
    )
    expect(goalPage(before, findChapter('18'))).not.toContain('here already')
  })
})
