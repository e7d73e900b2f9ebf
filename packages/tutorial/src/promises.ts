/** Runs the tests of what is new in a chapter on a reader's practice folder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { execa } from 'execa'
import type { PracticeFolder } from './practice-folder.ts'
import { ReaderError } from './reader-error.ts'
import { ROOT } from './repository.ts'

/** Something that a chapter's programs promise. */
export interface Promised {
  /** The name of its test, which is a sentence. */
  promise: string
  isKept: boolean
  /** What kept the test from trying it, if something did. */
  obstacle?: string
}

/** What vitest's JSON reporter says of one test. */
interface TestResult {
  title: string
  status: 'passed' | 'failed' | 'pending' | 'todo' | 'skipped'
  failureMessages: string[]
}

const TEST_FILE = 'test/new.test.ts'

/** Each promise of the chapter, and whether the reader's programs keep it. */
export async function checkPromises(folder: PracticeFolder): Promise<Promised[]> {
  if (!existsSync(join(folder.path, TEST_FILE))) {
    throw new ReaderError(
      `${folder.name}/${TEST_FILE} is missing. pnpm practice ${folder.chapter.number} --solution ${TEST_FILE} brings it back.`,
    )
  }
  const { stdout, stderr } = await execa(
    'vitest',
    ['run', '--root', ROOT, '--project', folder.chapter.name, '--reporter=json', TEST_FILE],
    {
      cwd: folder.path,
      localDir: folder.path,
      preferLocal: true,
      reject: false,
      env: { CHAPTER_UNDER_TEST: '', TEST_REPORT: '' },
    },
  )
  const results = resultsIn(stdout)
  if (results.length === 0)
    throw new ReaderError(
      `The tests in ${folder.name}/${TEST_FILE} could not run:\n${stripVTControlCharacters(stderr || stdout).trim()}`,
    )
  return results.map(({ title, status, failureMessages: [message = ''] }) => ({
    promise: title,
    isKept: status === 'passed',
    ...(message.startsWith('HarnessError: ') && { obstacle: obstacleIn(message) }),
  }))
}

function resultsIn(report: string): TestResult[] {
  try {
    return JSON.parse(report).testResults.flatMap(
      ({ assertionResults }: { assertionResults: TestResult[] }) => assertionResults,
    )
  } catch {
    return [] // vitest could not start, and has said why
  }
}

/** `There is no program src/slave.ts` of the message with its stack. */
function obstacleIn(message: string): string {
  const [line = ''] = stripVTControlCharacters(message).split('\n')
  return line.slice('HarnessError: '.length).replace(/ It said:$/, '')
}
