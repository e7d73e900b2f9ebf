import { execa } from 'execa'
import { expect, test } from 'vitest'
import { allChapters } from '../src/chapters/chapters.ts'

/** What vitest's JSON reporter says of one test. */
interface TestResult {
  title: string
  status: 'passed' | 'failed' | 'pending' | 'todo' | 'skipped'
  failureMessages: string[]
}

const CHAPTERS = new URL('../../../chapters', import.meta.url).pathname

test('the tests of what is new in a chapter fail on the chapter before it, each by its own assertion', async () => {
  const { stdout } = await execa(
    'vitest',
    ['run', '--root', `${CHAPTERS}/..`, '--reporter=json', 'test/new.test.ts'],
    {
      preferLocal: true,
      reject: false,
      // They are to fail: to try again what does would only take twice as long.
      env: { CHAPTER_UNDER_TEST: 'before', TEST_REPORT: '', TEST_RETRY: '0' },
    },
  )
  const files = (JSON.parse(stdout) as { testResults: { name: string; assertionResults: TestResult[] }[] })
    .testResults

  const unnoticed: string[] = []
  for (const chapter of allChapters().slice(1)) {
    const results = files.find(({ name }) => name.includes(`/${chapter.name}/`))?.assertionResults ?? []
    if (results.length === 0) unnoticed.push(`${chapter.name} has no test of what is new in it`)
    for (const { title, status, failureMessages } of results) {
      const [why = status] = failureMessages
      if (status === 'failed' && why.startsWith('AssertionError')) continue
      unnoticed.push(
        `${chapter.name} would not notice its lesson missing: "${title}" on the chapter before: ${why}`,
      )
    }
  }
  expect(unnoticed).toEqual([])
}, 900_000)
