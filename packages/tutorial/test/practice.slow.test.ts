/** Coding along, as a reader does it in a fresh clone: with the commands, and real runs of the chapter's tests. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { allChapters } from '../src/chapters/chapters.ts'
import { CleanCopy } from '../src/checks/console-blocks.ts'
import { freePorts, programEnvironment } from '../src/run/environment.ts'
import { PNPM } from '../src/workspace/pnpm.ts'

vi.setConfig({ testTimeout: 400_000 })

let clone: string
let dispose: () => void
/** The practice folders of 02 and 05, as they were made. */
const made = mkdtempSync(join(tmpdir(), 'made-'))

beforeAll(async () => {
  const copy = await CleanCopy.make()
  clone = copy.folder
  dispose = () => copy.dispose()
  await run('git', ['init', '--quiet'], clone)
  const before = await stateOfClone()
  await Promise.all([tutorial('practice', '5'), tutorial('practice', '2')])
  expect(await stateOfClone()).toBe(before)
  copyFolder(inClone('practice'), made)
}, 120_000)

afterAll(() => {
  dispose()
  rmSync(made, { recursive: true })
}, 120_000)

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
  const { all, stderr, exitCode } = await execa(command, args, {
    all: true,
    cwd,
    env: { TEST_REPORT: '', FORCE_COLOR: undefined, ...env },
    reject: false,
  })
  // The sign of life of a check is not what it has to say.
  const said = all.replace(/^Trying what .* \.\.\.\n/m, '')
  return { all: said, lines: said.split('\n'), stderr, exitCode }
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

test('what the programs of the chapter read beside them is given, and no program', async () => {
  await tutorial('practice', '14')
  expect(readdirSync(inClone('practice/14-webserver/src')).sort()).toEqual([
    'config.ts',
    'helpers.ts',
    'icon.svg',
    'master.ts',
    'page.css',
    'service.ts',
    'slave.ts',
  ])
  expect(read('practice/14-webserver/src/config.ts')).toBe(read('chapters/13-slave-class/src/config.ts'))
})

test('a program that is back is there from the start, as the latest chapter that has it left it', async () => {
  await tutorial('practice', '20')
  for (const file of ['webserver.ts', 'page.ts', 'page.css'])
    expect(read(`practice/20-json-config/src/${file}`)).toBe(read(`chapters/18-temperature/src/${file}`))
  expect(read('practice/20-json-config/src/primary.ts')).toBe(read('chapters/19-broadcast/src/primary.ts'))
})

test('start works at once, installs nothing, and does what the chapter before did', async () => {
  // 01's program has another name than 02's, and needs packages that 02's does not.
  const env = programEnvironment({ ports: await freePorts(allChapters()) })
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

test('the tests with Python nodes are left out, with the reason, as long as a program is the old one', async () => {
  const untouched = await pnpm('practice/05-json', ['test', 'python'])
  expect(untouched.all).toContain(
    'The tests with Python nodes are left out until you have changed src/master.ts, src/slave.ts',
  )
  expect(untouched.all).toMatch(/Tests\D.*2 skipped/)
  copyFolder(inClone('chapters/05-json/src'), inClone('practice/05-json/src'))
  expect((await pnpm('practice/05-json', ['test', 'python'])).all).toMatch(/Tests\D.*2 passed/)
})

test('--check tells kept promises from those that are not, and practice alone remembers it', async () => {
  copyFolder(inClone('chapters/05-json/src/slave.ts'), inClone('practice/05-json/src/slave.ts'))
  const partly = await tutorial('practice', '5', '--check')
  expect(partly.exitCode).toBe(1)
  expect(partly.stderr).toBe('Trying what practice/05-json promises ...')
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
  // 02 was not touched since: the one after what was built last is what comes next.
  expect(lines.at(-1)).toMatch(/^Next: pnpm practice 6, to build 06-slave-details: /)
  expect(whole.lines.at(-1)).toBe(lines.at(-1))
})

test('a check that cannot try the promises says why, and what to do', async () => {
  const file = 'practice/05-json/test/new.test.ts'
  const own = read(file)
  const causes: [text: string, answer: RegExp][] = [
    [`${own}\nconst = 3\n`, /^ {2}.*Unexpected token\n[\s\S]*new\.test\.ts:\d+:7/m],
    [
      `import './helper.ts'\n${own}`,
      /^ {2}Cannot find module '\.\/helper\.ts' imported from practice\/05-json\/test\/new\.test\.ts$/m,
    ],
  ]
  for (const [text, answer] of causes) {
    writeFileSync(inClone(file), text)
    const { all, exitCode, lines } = await tutorial('practice', '5', '--check')
    expect(exitCode).toBe(2)
    expect(lines[0]).toBe(`${file} could not be loaded, so none of its promises was tried:`)
    expect(all).toMatch(answer)
    expect(lines.at(-1)).toBe(
      "Mend it, or take the chapter's: pnpm practice 5 --solution test/new.test.ts (yours is kept beside it).",
    )
    expect(all).not.toMatch(/numTotalTests|^\s+at /m)
  }

  // A program that is none, and a test that is left out, are told beside the promises.
  writeFileSync(inClone(file), own.replace(/^test\(/gm, 'test.skip('))
  writeFileSync(inClone('practice/05-json/src/slave.ts'), 'const = 3\n')
  const left = await tutorial('practice', '5', '--check')
  expect(left.exitCode).toBe(1)
  expect(left.lines[0]).toMatch(/^practice\/05-json: 0 of \d promises kept$/)
  expect(left.all).not.toMatch(/^ {2}not yet(?!.* \(test\/new\.test\.ts leaves it out\)$)/m)
  expect(left.all).toMatch(
    /^practice\/05-json\/src\/slave\.ts:1:7 is no TypeScript: .+\. What needs this program cannot work\.$/m,
  )
})

test('a check whose tests cannot begin, or are ended, says so in a few lines', async () => {
  // Whatever else is wrong with vitest shows itself in this way: it says something, and there is no report.
  const settings = read('vitest.config.ts')
  writeFileSync(inClone('vitest.config.ts'), "throw new Error('not today')\n")
  const broken = await tutorial('practice', '5', '--check')
  writeFileSync(inClone('vitest.config.ts'), 'process.kill(process.pid, "SIGKILL")\n')
  const killed = await tutorial('practice', '5', '--check')
  writeFileSync(inClone('vitest.config.ts'), settings)
  expect(broken.exitCode).toBe(2)
  expect(broken.lines[0]).toBe('The tests of practice/05-json could not begin. vitest said:')
  expect(broken.all).toContain('not today')
  expect(broken.lines.length).toBeLessThan(15)
  expect(broken.all).not.toMatch(/^\s+at /m)
  expect([killed.exitCode, killed.all]).toEqual([
    2,
    'The check was ended (SIGKILL) before it was through. Once more: pnpm practice 5 --check',
  ])
})

test('--hint says what the next change is for, then how it is done, then shows it', async () => {
  const explained = await tutorial('practice', '5', '--hint')
  expect(explained.lines[0]).toMatch(
    /^practice\/05-json: \d changes to go\. Next: src\/slave\.ts, at imports/,
  )
  expect(explained.stderr).toBe('') // nothing was changed yet, so there is nothing to try
  const prepared = await tutorial('practice', '5', '--hint')
  const place = /^ {2}send, from @rpi-cluster\/core\/json-lines\n {4}\S.*\n {4}All of it: (\S+):(\d+)$/m
  const [, file = '', line = ''] = place.exec(prepared.all) ?? []
  expect(read(file).split('\n')[Number(line) - 1]).toMatch(/^(export .*\bsend\b|\/\*\*)/)
  for (const { all } of [explained, prepared]) expect(all).not.toContain('import {')
  const shown = await tutorial('practice', '5', '--hint')
  expect(shown.all).toMatch(/^ {2}\+ import \{ send \} from '@rpi-cluster\/core\/json-lines'$/m)
  expect((await tutorial('practice', '5', '--hint')).all).toContain('The heartbeats become objects too.')
  for (let steps = 0; steps < 2; steps += 1) await tutorial('practice', '5', '--hint')
  const master = await tutorial('practice', '5', '--hint')
  expect(master.lines[0]).toContain('Next: src/master.ts, at imports')
  expect(master.all).toMatch(/^ {2}receive makes messages .*\n\n {2}When the loop ends/m)
  expect((await tutorial('practice', '5', '--hint')).all).toMatch(/^ {2}object, string, from valibot$/m)
})

test('--hint looks at the promises first: what keeps them all is done, in whatever words', {
  timeout: 240_000,
}, async () => {
  const master = 'practice/05-json/src/master.ts'
  copyFolder(inClone('chapters/05-json/src/slave.ts'), inClone('practice/05-json/src/slave.ts'))
  expect((await tutorial('practice', '5', '--hint')).lines[0]).toMatch(
    /^practice\/05-json: 1 of 4 promises kept, \d changes to go\. Next: src\/master\.ts/,
  )
  // A program of the reader's own, which has not the lines of the chapter's, and does what they do.
  const theirs = read('chapters/05-json/src/master.ts')
  writeFileSync(inClone(master), theirs.replaceAll(/\bslave\b(?=[ ).,])(?!')/g, 'peer'))
  const done = await tutorial('practice', '5', '--hint')
  expect(done.lines).toEqual([
    'practice/05-json: all 4 promises kept, so nothing is left to do.',
    'It is not 05-json to the letter, and need not be. pnpm where practice/05-json shows where they differ.',
    '',
    expect.stringMatching(/^Next: pnpm practice 6, /),
  ])
  expect(read(master)).not.toBe(theirs)

  // The chapter's lines, with one of the reader's own that is in their way.
  writeFileSync(inClone(master), `${theirs}process.exit(3)\n`)
  expect((await tutorial('practice', '5', '--hint')).lines[0]).toMatch(
    /^practice\/05-json has every change of 05-json, and keeps \d of 4 promises\.$/,
  )
  writeFileSync(inClone(master), 'const = 3\n')
  const broken = await tutorial('practice', '5', '--hint')
  expect(broken.lines[0]).toMatch(/^practice\/05-json\/src\/master\.ts:1:7 is no TypeScript: /)
  expect(broken.all).toContain('How, in src/master.ts:')
})

test('--solution takes a file over, and keeps what the reader wrote, under a dated name', async () => {
  writeFileSync(inClone('practice/05-json/src/master.ts'), '// mine\n')
  await tutorial('practice', '5', '--solution', 'src/master.ts')
  expect(read('practice/05-json/src/master.ts')).toBe(read('chapters/05-json/src/master.ts'))
  const backups = readdirSync(inClone('practice/05-json/src')).filter((file) =>
    /^master\.\d{4}-\d\d-\d\dT[\d-]+\.ts\.bak$/.test(file),
  )
  expect(backups.map((file) => read(`practice/05-json/src/${file}`))).toEqual(['// mine\n'])

  // A program by its new name: the one by the old name would run beside it.
  const own = read('practice/02-packaging/src/main.ts')
  const taken = await tutorial('practice', '2', '--solution', 'src/master.ts')
  const [, backup = ''] =
    /^Your src\/main\.ts, which is src\/master\.ts in 02-packaging, is kept as (\S+\.bak)\.$/m.exec(
      taken.all,
    ) ?? []
  expect(read(backup)).toBe(own)
  expect(readdirSync(inClone('practice/02-packaging/src')).filter((file) => file.endsWith('.ts'))).toEqual([
    'master.ts',
  ])
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
