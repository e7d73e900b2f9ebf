/** Coding along, as a reader does it in a fresh clone: with the commands, and real runs of the chapter's tests. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { CleanCopy } from '../src/console-blocks.ts'
import { freePort, programEnvironment } from '../src/environment.ts'
import { PNPM } from '../src/pnpm.ts'

vi.setConfig({ testTimeout: 60_000 })

let clone: string
let dispose: () => void
/** The practice folders of 02 and 05, as they were made. */
const made = mkdtempSync(join(tmpdir(), 'made-'))

beforeAll(async () => {
  const copy = await CleanCopy.make()
  clone = copy.folder
  dispose = () => copy.dispose()
  const before = await stateOfClone()
  await Promise.all([tutorial('practice', '5'), tutorial('practice', '2')])
  expect(await stateOfClone()).toBe(before)
  copyFolder(inClone('practice'), made)
}, 120_000)

afterAll(() => {
  dispose()
  rmSync(made, { recursive: true })
})

// Each test begins with the folders as they were made.
beforeEach(() => {
  rmSync(inClone('practice'), { recursive: true, force: true })
  copyFolder(made, inClone('practice'))
})

/** Runs the reader's tool. */
function tutorial(...args: string[]) {
  return run(process.execPath, ['packages/tutorial/bin/tutorial.js', ...args], clone)
}

/** Runs pnpm in a practice folder. */
function pnpm(folder: string, args: string[], env: Record<string, string> = {}) {
  const [command, ...rest] = PNPM
  return run(command, [...rest, ...args], inClone(folder), env)
}

async function run(command: string, args: string[], cwd: string, env: Record<string, string> = {}) {
  const { all, exitCode } = await execa(command, args, {
    all: true,
    cwd,
    env: { TEST_REPORT: '', FORCE_COLOR: undefined, ...env },
    reject: false,
  })
  return { all, lines: all.split('\n'), exitCode }
}

/** Everything that git sees, and the lockfile. */
async function stateOfClone(): Promise<string> {
  const { all } = await run('git', ['status', '--porcelain'], clone)
  return all + read('pnpm-lock.yaml')
}

function inClone(path: string): string {
  return join(clone, path)
}

function read(path: string): string {
  return readFileSync(inClone(path), 'utf8')
}

function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true })
}

test('a practice folder has the programs of the chapter before, and the tests and the goal of this one', async () => {
  for (const file of ['src/config.ts', 'src/master.ts', 'src/slave.ts', 'rpicluster.cfg']) {
    expect(read(`practice/05-json/${file}`)).toBe(read(`chapters/04-config/${file}`))
  }
  for (const file of ['package.json', 'test/new.test.ts', 'test/ends-well.test.ts']) {
    expect(read(`practice/05-json/${file}`)).toBe(read(`chapters/05-json/${file}`))
  }
  expect(read('practice/05-json/README.md')).toContain('## The goal')
})

test('start works at once, installs nothing, and does what the chapter before did', async () => {
  // 01's program has another name than 02's, and needs packages that 02's does not.
  const env = programEnvironment({ ports: `12345:${await freePort()}` })
  const { all, exitCode } = await pnpm('practice/02-packaging', ['start', '--for', '5s'], env)
  expect(exitCode).toBe(0)
  expect(all).toMatch(/^main {3}\| .*Found no jobs to perform, going to sleep again$/m)
  expect(all).not.toMatch(/install|WARN|ERR_/)
})

test('a test that fails says what was expected, what the program did, and where that is explained', async () => {
  const test = 'the master finds the messages wherever the network cuts them'
  const { all, exitCode } = await pnpm('practice/05-json', ['test', 'new', '-t', test])
  expect(exitCode).not.toBe(0)
  expect(all).toContain(`What was expected: ${test}.`)
  expect(all).toMatch(/What src\/master\.ts printed:\n.*Listening on .*\n.*Got client at .*\n.*"first"/)
  expect(all).toMatch(/The README says more: chapters\/05-json\/README\.md:\d+, under "/)
  expect(all).toContain('For the next step: pnpm -C ../.. practice 5 --hint')
})

test('--check tells kept promises from those that are not, and practice alone remembers it', async () => {
  copyFolder(inClone('chapters/05-json/src/slave.ts'), inClone('practice/05-json/src/slave.ts'))
  const partly = await tutorial('practice', '5', '--check')
  expect(partly.exitCode).toBe(1)
  expect(partly.lines[0]).toBe('practice/05-json: 1 of 4 promises kept')
  expect(partly.all).toMatch(/^ {2}kept {5}the slave sends ASCII-only JSON/m)
  expect(partly.all).toMatch(/^ {2}not yet {2}the master finds the messages/m)

  copyFolder(inClone('chapters/05-json/src'), inClone('practice/05-json/src'))
  expect((await tutorial('practice')).lines).toContain(
    'practice/05-json       not checked since you changed it',
  )
  const whole = await tutorial('practice', '5', '--check')
  expect(whole.exitCode).toBe(0)
  expect(whole.lines[0]).toBe('practice/05-json: 4 of 4 promises kept')
  const { lines } = await tutorial('practice')
  expect(lines).toContain('practice/05-json       done: all 4 promises kept')
  expect(lines.at(-1)).toMatch(/^Next: go on with practice\/02-packaging\./)
})

test('--hint explains the next change, then shows it, and knows what is done', async () => {
  const explained = await tutorial('practice', '5', '--hint')
  expect(explained.lines[0]).toMatch(
    /^\d changes to go in practice\/05-json\. Next: src\/master\.ts, at imports$/,
  )
  expect(explained.all).not.toContain('import {')
  const shown = await tutorial('practice', '5', '--hint')
  expect(shown.all).toMatch(/^ {2}\+ import \{ receive \} from '@rpi-cluster\/core\/json-lines'$/m)

  copyFolder(inClone('chapters/05-json/src'), inClone('practice/05-json/src'))
  expect((await tutorial('practice', '5', '--hint')).lines[0]).toMatch(/^practice\/05-json has every change/)
})

test('--solution takes a file over, and keeps what the reader wrote, under a dated name', async () => {
  writeFileSync(inClone('practice/05-json/src/master.ts'), '// mine\n')
  await tutorial('practice', '5', '--solution', 'src/master.ts')
  expect(read('practice/05-json/src/master.ts')).toBe(read('chapters/05-json/src/master.ts'))
  const backups = readdirSync(inClone('practice/05-json/src')).filter((file) =>
    /^master\.\d{4}-\d\d-\d\dT[\d-]+\.ts\.bak$/.test(file),
  )
  expect(backups.map((file) => read(`practice/05-json/src/${file}`))).toEqual(['// mine\n'])
})

test('what cannot be done is answered with what can, and nothing is overwritten', async () => {
  writeFileSync(inClone('practice/05-json/src/master.ts'), '// mine\n')
  const cases: [args: string[], answer: RegExp][] = [
    [['1'], /^01-logging-liveness is the first chapter: there is none before it to start from\./],
    [['5'], /^practice\/05-json is there already \(not checked yet\), and stays as it is\.$/m],
    [['jsn'], /^There is no chapter "jsn"\. There are:\n {2}05-json /],
    [['6', '--check'], /^There is no practice\/06-slave-details yet\. pnpm practice 6 makes it\.$/],
    [['--hint'], /^Which chapter\? Say pnpm practice 5 --hint\.$/],
    [
      ['5', '--solution', 'src/slve.ts'],
      /^05-json has no file src\/slve\.ts\. It has:\n {2}src\/slave\.ts\n/,
    ],
  ]
  await Promise.all(
    cases.map(async ([args, answer]) => {
      const { all, exitCode } = await tutorial('practice', ...args)
      expect(exitCode).toBe(2)
      expect(all).toMatch(answer)
    }),
  )
  expect(read('practice/05-json/src/master.ts')).toBe('// mine\n')
})
