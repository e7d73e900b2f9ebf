import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, repositoryFiles } from '../src/workspace/repository.ts'

/** What only chapters may say: the names of their programs, and their ports. */
const WORDS = /\b(masters?|slaves?|primary|primaries|secondary|secondaries|31_?415|12_?345)\b/i

/** The tools: what runs, tests, records and shows any chapter, and takes these words from its package.json. */
const TOOLS = [
  'packages/tutorial/src',
  'packages/tutorial/bin',
  'docs/src',
  'docs/.vitepress',
  'bench/src/reader.ts',
]

test('no tool knows the name of a program or a port of a chapter', () => {
  const files = TOOLS.flatMap((folder) =>
    repositoryFiles(join(ROOT, folder)).map((file) => `${folder}/${file}`),
  )
  const found = files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .flatMap((line, index) => (WORDS.test(line) ? [`${file}:${index + 1}: ${line}`] : [])),
  )
  expect(files.length).toBeGreaterThan(50)
  expect(found).toEqual([])
})
