/** Every console block of every text, run for real in a clean copy of the repository. */
import { afterAll, beforeAll, test } from 'vitest'
import { CleanCopy, untrueBlocks } from '../src/checks/console-blocks.ts'
import { allTexts } from '../src/checks/text-checks.ts'
import { readReadme } from '../src/texts/readme.ts'

const LONG = 300_000

let copy: CleanCopy
beforeAll(async () => {
  copy = await CleanCopy.make()
}, LONG)
afterAll(() => copy.dispose())

const texts = allTexts().filter((file) =>
  readReadme(file).blocks.some(({ language }) => language === 'console'),
)

test.concurrent.for(texts)(
  '%s shows what its commands print',
  { timeout: LONG },
  async (file, { expect }) => {
    expect((await untrueBlocks(file, copy)).join('\n')).toBe('')
  },
)
