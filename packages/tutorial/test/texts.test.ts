import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PARTS, stillToCome } from '../src/chapters/parts.ts'
import { TIMES_LINE } from '../src/chapters/times.ts'
import { chapterProblems } from '../src/checks/chapter-checks.ts'
import { TEXT_WITH_TABLE, tableProblems, withTable } from '../src/checks/chapter-table.ts'
import { differenceBetween } from '../src/checks/console-blocks.ts'
import { timesProblems } from '../src/checks/reading-times.ts'
import { allTexts, problemsOf } from '../src/checks/text-checks.ts'
import { unexplainedChanges } from '../src/compare/explanations.ts'
import { normalized } from '../src/texts/normalized.ts'
import { readReadme } from '../src/texts/readme.ts'
import { symbolsOf } from '../src/texts/source.ts'
import { unwrittenPlaces } from '../src/texts/unwritten.ts'
import { ROOT } from '../src/workspace/repository.ts'

test.for(allTexts())(
  '%s shows code as it is, links to what is there, and names scripts that exist',
  (file) => {
    expect(problemsOf(file).join('\n')).toBe('')
  },
)

test('every chapter has what the tools and a reader look for, and nothing is left to write', () => {
  expect([...chapterProblems(), ...unwrittenPlaces()].join('\n')).toBe('')
})

test('the list of the chapters is what they say of themselves; a changed, a missing and a new row are told and mended', () => {
  const text = readFileSync(join(ROOT, TEXT_WITH_TABLE), 'utf8')
  expect(tableProblems(text)).toEqual([])
  const row = /^\| 03 \|.*\n/m.exec(text)?.[0] ?? ''
  for (const changed of [
    text.replace('TCP between', 'UDP between'),
    text.replace(row, ''),
    text.replace(row, row + row),
    text.replace('### Part I: A message', '### Part I: A word'),
    text.replace(/^### Part I:[\s\S]*?\n(?=### Part II:)/m, ''),
    text.replace(/^(\| \d\d \|.*\n)\n(?!###)/m, '$&Still to come: another part.\n\n'),
  ]) {
    expect(tableProblems(changed)).toEqual([
      expect.stringMatching(/^README\.md:\d+: the list of the chapters is stale \(pnpm sync mends it\): /),
    ])
    expect(withTable(changed)).toBe(text)
  }
})

test('the line with the times of a chapter: a part, a count and a time that are not its own are told', () => {
  const readme = readReadme('chapters/03-sockets/README.md')
  const [line = '', reading = '', doing = ''] = TIMES_LINE.exec(readme.text) ?? []
  const problemsWith = (changed: string) =>
    timesProblems({ ...readme, text: readme.text.replace(line, changed) }).join('\n')
  expect(problemsWith(line)).toBe('')
  const stale = `chapters/03-sockets/README.md:3: its part and its times are stale (pnpm sync mends them): ${line}`
  expect(problemsWith(line.replace('A message', 'A word'))).toBe(stale)
  expect(problemsWith(line.replace(reading, '1'))).toBe(stale)
  expect(problemsWith(line.replace(`${doing} to run`, 'some to run'))).toContain(
    'the time to run and try is "some", and is to be a number of minutes',
  )
  expect(problemsWith('')).toContain(
    'below its heading a line is missing (pnpm sync writes it): Part I: A message.',
  )
})

test('every part has its chapters, and what is still to come is what no chapter has', () => {
  const numbers = PARTS.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  )
  expect(numbers).toEqual(Array.from({ length: 28 }, (_, index) => index + 1))
  expect(stillToCome(23)).toBe('Still to come: part V, a cluster that works (24 to 28).')
  expect(stillToCome(24)).toBe('Still to come: the rest of part V, a cluster that works (25 to 28).')
  expect(stillToCome(27)).toBe('Still to come: the rest of part V, a cluster that works (28).')
  expect(stillToCome(28)).toBeUndefined()
})

test('every change of a chapter is explained by its README', () => {
  expect(unexplainedChanges().join('\n')).toBe('')
})

describe('shown and printed lines', () => {
  test.for([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [
      ['a', '...', 'd'],
      ['a', 'b', 'c', 'd'],
    ],
    [
      ['...', 'c'],
      ['a', 'b', 'c'],
    ],
    [
      ['a', '...'],
      ['a', 'b'],
    ],
    [
      ['master | a', 'slave  | b'],
      ['slave  | b', 'master | a'],
    ],
    [['[10:00:00] at 127.0.0.1:4000'], ['[11:22:33] at 127.0.0.1:5123']],
  ])('%j fits %j', ([shown, printed]) => {
    expect(differenceBetween(shown as string[], printed as string[])).toBeUndefined()
  })

  test.for([
    [['a'], ['b'], 'Shown: a\nPrinted there: b'],
    [['a', 'b'], ['a'], 'Shown: b\nPrinted there: (nothing more)'],
    [['a'], ['a', 'b'], 'Printed, and not shown: b'],
    [['master | a', 'master | b'], ['master | b', 'master | a'], 'Shown: master | a'],
  ] as const)('%j does not fit %j', ([shown, printed, why]) => {
    expect(differenceBetween(shown, printed)).toContain(why)
  })

  test('what differs from run to run does not count', () => {
    expect(
      normalized(
        'Machine specifications: {"hostname":"pi","cpu_percent_used":3.4,"ram":1,"cpu":"X 1","cpu_cores":4}',
      ),
    ).toBe(
      'Machine specifications: {"hostname":"HOST","cpu_percent_used":N,"ram":N,"cpu":"CPU","cpu_cores":N}',
    )
    expect(normalized('Hello World, I am client 7, for 3 ms, from port 4000')).toBe(
      'Hello World, I am client N, for DURATION, from port N',
    )
  })
})

test('a function that can be called in several ways is one symbol', () => {
  const source = [
    '/** Reads it. */',
    'export function read(one: string): string',
    'export function read(all: string[]): string[]',
    'export function read(what: unknown): unknown {',
    '  return what',
    '}',
    'export const next = 1',
  ].join('\n')
  expect(symbolsOf(source)).toMatchObject([
    {
      name: 'read',
      doc: 'Reads it.',
      signature: 'export function read(one: string): string\nexport function read(all: string[]): string[]',
      first: 1,
      last: 6,
    },
    { name: 'next', first: 7, last: 7 },
  ])
})
