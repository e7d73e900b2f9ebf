/** Runs the tests of what is new in a chapter on a reader's practice folder, and remembers what came of it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { execa } from 'execa'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import type { PracticeFolder } from './folder.ts'
import { withSignOfLife } from './sign-of-life.ts'

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

/** What it says of a test file: why it could not be loaded, if that is so. */
interface FileResult {
  message: string
  assertionResults: TestResult[]
}

const TEST_FILE = 'test/new.test.ts'

/** How many lines of what vitest said are shown, when it could not even begin. */
const LINES_SHOWN = 12

/** What is known of a folder's promises, as long as its files are those of its last check. */
export function lastCheck(folder: PracticeFolder): { kept: number; promises: number } | undefined {
  const { check } = folder.memory
  return check?.files === folder.fingerprint() ? check : undefined
}

/**
 * Each promise of the chapter, and whether the reader's programs keep it. It takes seconds, and half a minute on a
 * slow machine: a line on stderr says that it is at work.
 *
 * @throws ReaderError when the tests could not be tried: it says why, and what to do
 */
export async function checkPromises(folder: PracticeFolder): Promise<Promised[]> {
  const files = folder.fingerprint()
  const results = await withSignOfLife(`Trying what ${folder.name} promises`, runTests(folder))
  const kept = results.filter(({ isKept }) => isKept).length
  folder.memory = { ...folder.memory, check: { files, kept, promises: results.length } }
  return results
}

async function runTests(folder: PracticeFolder): Promise<Promised[]> {
  const again = `pnpm practice ${folder.chapter.number}`
  if (!statSync(join(folder.path, TEST_FILE), { throwIfNoEntry: false })?.isFile()) {
    throw new ReaderError(
      `${folder.name}/${TEST_FILE} is missing. ${again} --solution ${TEST_FILE} brings it back.`,
    )
  }
  const { stdout, stderr, code, signal } = await execa(
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
  if (code === 'ENOENT') {
    throw new ReaderError(
      `vitest, which runs the tests, is not installed for ${folder.name}. In the repository's folder: pnpm install, then ${again} --check.`,
    )
  }
  if (signal) {
    throw new ReaderError(
      `The check was ended (${signal}) before it was through. Once more: ${again} --check`,
    )
  }
  const files = reportIn(stdout)
  if (!files) {
    throw new ReaderError(
      `The tests of ${folder.name} could not begin. vitest said:\n${indented(withoutStack(stderr || stdout))}`,
    )
  }
  const results = files.flatMap(({ assertionResults }) => assertionResults)
  if (results.length === 0) throw new ReaderError(whyNotLoaded(files, folder))
  return results.map(({ title, status, failureMessages: [message = ''] }) => {
    const obstacle = message.startsWith('HarnessError: ')
      ? obstacleIn(message)
      : ['pending', 'todo', 'skipped'].includes(status)
        ? `${TEST_FILE} leaves it out`
        : undefined
    return { promise: title, isKept: status === 'passed', ...(obstacle !== undefined && { obstacle }) }
  })
}

/** The files of vitest's report; nothing where it is missing or cut off. What else was printed stands around it. */
function reportIn(output: string): FileResult[] | undefined {
  const line = output.split('\n').find((line) => line.startsWith('{"numTotalTestSuites"'))
  try {
    return line === undefined ? undefined : JSON.parse(line).testResults
  } catch {
    return undefined
  }
}

/** Says why there is no test to try, and what to do about it. */
function whyNotLoaded(files: readonly FileResult[], { name, path, chapter }: PracticeFolder): string {
  const messages = files.map(({ message }) => withoutStack(message)).filter(Boolean)
  const isOwn = textOfFile(join(path, TEST_FILE)) === textOfFile(join(chapter.folder, TEST_FILE))
  return [
    `${name}/${TEST_FILE} could not be loaded, so none of its promises was tried:`,
    indented(messages.join('\n') || 'vitest found no test in it'),
    isOwn
      ? `It is the chapter's own, so look at what it imports.`
      : `Mend it, or take the chapter's: pnpm practice ${chapter.number} --solution ${TEST_FILE} (yours is kept beside it).`,
  ].join('\n')
}

/** What an error says, without colours, without where in our tools it came up, and with paths counted from the repository. */
function withoutStack(message: string): string {
  return stripVTControlCharacters(message)
    .replaceAll(`${ROOT}/`, '')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !/^\s+at /.test(line))
    .slice(0, LINES_SHOWN)
    .join('\n')
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ')
}

/** `There is no program src/main.ts` of the message with its stack. */
function obstacleIn(message: string): string {
  const [line = ''] = stripVTControlCharacters(message).split('\n')
  return line.slice('HarnessError: '.length).replace(/ It said:$/, '')
}
