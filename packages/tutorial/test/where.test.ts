import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { test as base, expect, vi } from 'vitest'
import { CHAPTERS_FOLDER } from '../src/chapters/chapters.ts'
import { where } from '../src/compare/where.ts'
import { ReaderError } from '../src/workspace/reader-error.ts'

vi.setConfig({ testTimeout: 30_000 })

const TUTORIAL = join(import.meta.dirname, '../bin/tutorial.js')

/** A folder that a reader types in, with a folder `mine` in it. */
const test = base.extend<{ home: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants the fixtures that this one uses
  home: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'home-'))
    mkdirSync(join(folder, 'mine/src'), { recursive: true })
    await use(folder)
    rmSync(folder, { recursive: true })
  },
})

/** Runs `pnpm where DIR`, as pnpm does: elsewhere, with the reader's folder in INIT_CWD. */
async function runWhere(home: string, dir: string) {
  const { all, exitCode } = await execa(process.execPath, [TUTORIAL, 'where', dir], {
    all: true,
    env: { INIT_CWD: home },
    reject: false,
  })
  return { lines: all.split('\n'), all, exitCode }
}

test('a folder between two chapters is nearest to the one it shares more with', async ({ home }) => {
  // Chapter 05's master and configuration, and a slave that is still that of 04, with two lines of the reader's own.
  const slave = readFileSync(join(CHAPTERS_FOLDER, '04-config/src/slave.ts'), 'utf8')
  for (const file of ['src/master.ts', 'src/config.ts', 'rpicluster.cfg']) {
    cpSync(join(CHAPTERS_FOLDER, '05-json', file), join(home, 'mine', file))
  }
  writeFileSync(join(home, 'mine/src/slave.ts'), `${slave}\nlog.info('Mine')\n\nlog.info('This too')\n`)

  const { all, lines, exitCode } = await runWhere(home, 'mine')
  expect(exitCode).toBe(0)
  expect(lines[0]).toMatch(/^\S+\/mine is nearest to 05-json: it has \d+ of its \d+ lines\.$/)
  const [lacks = '', beyond = ''] = all.split('It has beyond it:')
  expect(lacks).toMatch(
    /^ {2}src\/slave\.ts:3 {2}- import \{ send \} from '@rpi-cluster\/core\/json-lines'$/m,
  )
  expect(beyond).toMatch(/^ {2}src\/slave\.ts:\d+ {2}\+ .*master\.write\(/m)
  // A second line is shown; only of more is it said how many there are.
  expect(all).not.toContain('and 1 more')
  expect(beyond).toContain("+ log.info('This too')")
  expect(all).not.toContain('src/master.ts')
})

test('a configuration without our comments is no distance, and a program by another name is recognized', async ({
  home,
}) => {
  for (const [file, mine] of [
    ['config', 'config'],
    ['master', 'master'],
    ['slave', 'worker'],
  ]) {
    cpSync(join(CHAPTERS_FOLDER, `04-config/src/${file}.ts`), join(home, `mine/src/${mine}.ts`))
  }
  const config = readFileSync(join(CHAPTERS_FOLDER, '04-config/rpicluster.cfg'), 'utf8')
  writeFileSync(join(home, 'mine/rpicluster.cfg'), config.replace(/^;.*\n/gm, ''))

  expect((await runWhere(home, 'mine/src')).lines).toEqual([
    expect.stringMatching(/\/mine is nearest to 04-config: it has (\d+) of its \1 lines\.$/),
    '  its src/worker.ts is taken for src/slave.ts',
  ])
})

test('what is no folder of programs is answered with a line', ({ home }) => {
  writeFileSync(join(home, 'a-file'), '')
  const answers: [dir: string, answer: RegExp][] = [
    ['nope', /^There is no folder \S+\/nope\.$/],
    [
      'mine',
      /^\S+\/mine holds no programs: there is no src\/\*\.ts in it\. Name the folder that src is in\.$/,
    ],
    ['a-file', /^\S+\/a-file is a file\. Name the folder that the programs are in\.$/],
  ]
  for (const [dir, answer] of answers) {
    const error = catching(() => where(join(home, dir)))
    expect(error).toBeInstanceOf(ReaderError)
    expect((error as ReaderError).message).toMatch(answer)
  }
})

function catching(run: () => void): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
