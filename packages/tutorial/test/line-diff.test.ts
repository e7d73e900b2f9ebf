import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execaSync } from 'execa'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffFiles, linesIn, nameOf } from '../src/compare/file-diff.ts'
import { changedLines } from '../src/compare/line-diff.ts'
import { unifiedDiff } from '../src/compare/unified-diff.ts'

const NAMES: [string, string] = ['one', 'two']

/** A diff of one file, its hunks alone. */
function hunks(before: string, after: string, options = {}): string {
  const files = diffFiles(new Map([['file', before]]), new Map([['file', after]]), { moved: 0.5 })
  return unifiedDiff(files, { names: NAMES, context: 0, ...options }).replace(/^(diff|---|\+\+\+) .*\n/gm, '')
}

const FUNCTION = (name: string) => `function ${name}() {\n  work()\n  end()\n}\n`

describe('a run of changed lines stands where a person would see it', () => {
  test.for([
    [
      'a whole function, not the end of one and most of the next',
      `${FUNCTION('first')}\n${FUNCTION('last')}`,
      `${FUNCTION('first')}\n${FUNCTION('second')}\n${FUNCTION('last')}`,
      `@@ -5,0 +6,5 @@\n${`${FUNCTION('second')}\n`.replace(/^(?=.|\n)/gm, '+')}`,
    ],
    [
      'a branch with the line that opens it',
      'if (a) {\n  x()\n}\nif (c) {\n  x()\n}\n',
      'if (a) {\n  x()\n}\nif (b) {\n  x()\n}\nif (c) {\n  x()\n}\n',
      '@@ -3,0 +4,3 @@\n+if (b) {\n+  x()\n+}\n',
    ],
    [
      'a comment with what it is about, from its first line',
      '/**\n * One.\n */\none()\n\n/**\n * Three.\n */\nthree()\n',
      '/**\n * One.\n */\none()\n\n/**\n * Two.\n */\ntwo()\n\n/**\n * Three.\n */\nthree()\n',
      '@@ -5,0 +6,5 @@\n+/**\n+ * Two.\n+ */\n+two()\n+\n',
    ],
    ['a removed one beside what came in its place', 'x\nx\nb\n', 'y\nx\nb\n', '@@ -1 +1 @@\n-x\n+y\n'],
    ['the last of equal lines', 'x\nx\n', 'x\nx\nx\n', '@@ -2,0 +3 @@\n+x\n'],
  ] as const)('%s', ([, before, after, expected]) => {
    expect(hunks(before, after).replace(/ @@ .*$/gm, ' @@')).toBe(expected)
  })

  test('two texts of which nothing is left are not matched at their blank lines', () => {
    const text = (word: string) =>
      Array.from({ length: 100 }, (_, index) => (index % 5 === 4 ? '\n' : `${word} ${index}\n`)).join('')
    const runs = changedLines(linesIn(text('old')), linesIn(text('new')))
    expect(runs).toHaveLength(1)
  })
})

test('whatever changes, the runs turn the older text into the newer one, and nothing is missed', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '  c', '}', ''), { maxLength: 40 })
  fc.assert(
    fc.property(text, text, (before, after) => {
      const runs = changedLines(before, after)
      const made: string[] = []
      let next = 0
      for (const { beforeStart, beforeEnd, afterStart, afterEnd } of runs) {
        made.push(...before.slice(next, beforeStart))
        // A run is not next to another one, and is not empty.
        expect(made.length).toBe(afterStart)
        expect(beforeEnd - beforeStart + afterEnd - afterStart).toBeGreaterThan(0)
        if (runs[0]?.beforeStart !== beforeStart) expect(beforeStart).toBeGreaterThan(next)
        made.push(...after.slice(afterStart, afterEnd))
        next = beforeEnd
      }
      expect([...made, ...before.slice(next)]).toEqual(after)
    }),
  )
})

test('what differs beyond all measure is told as a whole, soon', () => {
  const lines = Array.from({ length: 2_100 }, (_, index) => `line ${index}`)
  expect(changedLines(lines, lines.toReversed()).length).toBeLessThan(3)
})

test('moved files are found, and git understands it all: new and removed files, odd names, and a last line without an end', () => {
  const long = Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join('')
  const before = new Map([
    ['src/main.ts', long],
    ['gone.ts', '-- a\n'],
    ['same.ts', 'same\n'],
    ['with space.ts', `${long}end\n`],
    ['no-end', 'a'],
    ['an end', 'a\n'],
    ['umläut "quoted"\n.ts', 'old\n'],
    ['windows', 'a\r\nb\r\n'],
    ['pure', `pure\n${long}`],
  ])
  const after = new Map([
    ['src/other.ts', long.replace('line 3\n', 'line three\n')],
    ['new.ts', '++ one/x\n-- y\n'],
    ['same.ts', 'same\n'],
    ['with space.ts', `begin\n${long}`],
    ['no-end', 'a\n'],
    ['an end', 'a'],
    ['umläut "quoted"\n.ts', 'new\n'],
    ['windows', 'a\r\nc\r\n'],
    ['pure/moved', `pure\n${long}`],
  ])
  const moved = diffFiles(before, after, { moved: 0.1 }).filter(({ status }) => status === 'moved')
  expect(moved.map((file) => [file.before?.file, nameOf(file)])).toEqual([
    ['pure', 'pure/moved'],
    ['src/main.ts', 'src/other.ts'],
  ])

  const folder = mkdtempSync(join(tmpdir(), 'apply-'))
  for (const [file, text] of before) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  execaSync('git', ['apply', '--whitespace=nowarn', '-p1'], {
    cwd: folder,
    // Without moves: what git writes of them between two folders, it does not take itself.
    input: unifiedDiff(diffFiles(before, after, { moved: 2 }), { names: NAMES }),
    env: { GIT_CEILING_DIRECTORIES: tmpdir(), GIT_CONFIG_GLOBAL: '/dev/null' },
  })
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  expect(new Map(found.sort().map((file) => [file, readFileSync(join(folder, file), 'utf8')]))).toEqual(
    new Map([...after].sort()),
  )
  rmSync(folder, { recursive: true })
})

test('what is no text differs as a whole', () => {
  const files = diffFiles(new Map([['bin', 'a\0']]), new Map([['bin', 'b\0']]), { moved: 0.1 })
  expect(unifiedDiff(files, { names: NAMES })).toBe(
    'diff --git one/bin two/bin\nBinary files one/bin and two/bin differ\n',
  )
})

test('hunks are as a reader has told git: lines around them, and how near two are one', () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index}\n`).join('')
  const after = before.replace('3\n', 'three\n').replace('\n11\n', '\neleven\n')
  const heads = (options: object) => hunks(before, after, options).match(/^@@ .* @@/gm)
  expect(heads({ context: 3 })).toEqual(['@@ -1,7 +1,7 @@', '@@ -9,7 +9,7 @@'])
  expect(heads({ context: 1 })).toEqual(['@@ -3,3 +3,3 @@', '@@ -11,3 +11,3 @@'])
  expect(heads({ context: 1, interHunk: 5 })).toEqual(['@@ -3,11 +3,11 @@'])
})
