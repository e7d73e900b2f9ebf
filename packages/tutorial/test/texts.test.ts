import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CleanCopy, differenceBetween, normalized, runBlocks } from '../src/console-blocks.ts'
import { unexplainedChanges } from '../src/explanations.ts'
import { readReadme } from '../src/readme.ts'
import { allTexts, problemsOf } from '../src/text-checks.ts'

const LONG = 120_000

let copy: CleanCopy
beforeAll(async () => {
  copy = await CleanCopy.make()
}, LONG)
afterAll(() => copy.dispose())

test.for(allTexts())(
  '%s shows code as it is, links to what is there, and names scripts that exist',
  (file) => {
    expect(problemsOf(file).join('\n')).toBe('')
  },
)

test('every change of a chapter is explained by its README', () => {
  expect(unexplainedChanges().join('\n')).toBe('')
})

describe('what a console block shows is what its command prints', () => {
  const texts = allTexts().filter((file) =>
    readReadme(file).blocks.some(({ language }) => language === 'console'),
  )

  test.concurrent.for(texts)('%s', { timeout: LONG }, async (file, { expect }) => {
    const problemsOf = async (options?: { realTime: boolean }) =>
      (await runBlocks(file, copy, options)).flatMap(({ problem }) => problem ?? [])
    let problems = await problemsOf()
    // On a busy machine, seconds that pass ten times as fast leave too little time to say a line in.
    if (problems.length > 0) problems = await problemsOf({ realTime: true })
    expect(problems.join('\n')).toBe('')
  })
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
