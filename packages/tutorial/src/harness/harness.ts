/**
 * Runs a chapter's programs for its tests, as the reader runs them: real processes, real sockets, real
 * files. This is what a test imports; each of the files beside it holds one part.
 */
import { basename, dirname, join } from 'node:path'
import { test as baseTest, vi } from 'vitest'
import { allChapters } from '../chapters/chapters.ts'
import { formerNames } from '../chapters/former-names.ts'
import { ChapterCopy } from './chapter-copy.ts'
import { explainFailure, isPractice } from './explain-failure.ts'
import { HarnessError, PATIENCE_MS } from './patience.ts'

export { Link } from '../faults/link.ts'
export { freePort } from '../run/environment.ts'
export { ChapterCopy, type RunOptions } from './chapter-copy.ts'
export { standInCommands } from './commands.ts'
export { HarnessError } from './patience.ts'
export { isListening, type Peer, sayTo, talkTo } from './peer.ts'
export { hasPython, runPython } from './python.ts'
export { isAlive, Running } from './running.ts'
export { StandIn } from './stand-in.ts'

// A test's own limit comes after the harness's, which can say what was missing.
vi.setConfig({ testTimeout: 3 * PATIENCE_MS })

/** What to load into a program whose garbage is to be collected twenty times a second. */
export const COLLECTS_GARBAGE = join(import.meta.dirname, 'collects-garbage.js')

/** vitest's `test`, with a copy of a chapter to run. By default it is the chapter that the test file belongs to. */
export function chapterTest(name?: string) {
  return baseTest.extend<{ chapter: ChapterCopy }>({
    chapter: async ({ task, onTestFailed }, use) => {
      const copy = await (name === undefined ? copyFor(task.file.filepath) : ChapterCopy.make(name))
      if (isPractice(task.file.filepath)) onTestFailed(() => explainFailure(task, copy.outputs))
      await use(copy)
      await copy.remove()
    },
  })
}

/** The test of a chapter's own programs. */
export const test = chapterTest()

/**
 * A copy of the folder that a test file belongs to. With CHAPTER_UNDER_TEST=before, as the matrix sets it, of the chapter
 * before, whose programs are found by their new names too; with another value of the folder of that name, where
 * `pnpm mutate` has changed a program.
 */
function copyFor(testFile: string): Promise<ChapterCopy> {
  const own = dirname(dirname(testFile))
  const other = process.env['CHAPTER_UNDER_TEST']
  if (other !== 'before') return ChapterCopy.make(other || own)
  const chapters = allChapters()
  const index = chapters.findIndex(({ name }) => name === basename(own))
  const [before, chapter] = [chapters[index - 1], chapters[index]]
  if (!before || !chapter) throw new HarnessError(`No chapter comes before ${basename(own)}`)
  return ChapterCopy.make(before.name, { names: formerNames(before, chapter, []) })
}
