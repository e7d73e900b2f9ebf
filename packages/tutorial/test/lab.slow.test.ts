import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findChapter } from '../src/chapters/chapters.ts'
import { belongsTo } from '../src/chapters/copied.ts'
import { isAlive, Running } from '../src/harness/harness.ts'
import { readRecording } from '../src/lab/recording.ts'
import { freePorts, programEnvironment } from '../src/run/environment.ts'
import { isInRealTime, tryScenarios, UNHURRIED } from './support/scenarios.ts'

const TOOL = join(import.meta.dirname, '../bin/tutorial.js')
const chapter = findChapter('11')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

tryScenarios((scenario) => !isInRealTime(scenario))

/** `pnpm lab`, with everything that it leaves in one folder. */
const runLab = (...args: string[]) => runLabIn(folder, folder, ...args)

async function runLabIn(cwd: string, temporary: string, ...args: string[]) {
  const child = spawn(process.execPath, [TOOL, 'lab', ...args], {
    cwd,
    detached: true,
    env: {
      ...programEnvironment({ ports: await freePorts([chapter]), speed: 1, from: folder }),
      TMPDIR: temporary,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return { lab: new Running(child), type: (line: string) => child.stdin.write(`${line}\n`), child }
}

/** The pids of the programs whose folder is in ours, and of the guard. */
async function programs(temporary = folder): Promise<number[]> {
  const { execa } = await import('execa')
  const { stdout } = await execa('ps', ['-eo', 'pid,args'])
  return stdout
    .split('\n')
    .flatMap((line) => (line.includes(`${temporary}/lab-`) ? [Number.parseInt(line, 10)] : []))
}

/** What the lab has left. What tsx keeps for the next command is not the lab's. */
const left = () => readdirSync(folder).filter((file) => !file.startsWith('tsx-'))

const RECORDING = '11-reconnection.lab.jsonl'

test.for(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL', 'closed stdin', 'closed stdout'] as const)(
  'ended by %s it leaves nothing but its recording, also of a node that stands still',
  async (how) => {
    const { lab, type, child } = await runLab('11', '--slaves', '2', '--no-page')
    await lab.says(/slave [12] +\| \(ready\)/, 2)
    type('stop slave 1')
    await lab.says(/slave 1 +\| \(stopped\)/)
    const recorded = async () => (await readRecording(join(folder, RECORDING))).events
    const stopped = expect.objectContaining({ type: 'state', lane: 'slave 1', state: 'stopped' })
    await vi.waitFor(async () => expect(await recorded()).toContainEqual(stopped), 20_000)
    const there = await programs()
    expect(there.length).toBe(4) // and the guard
    if (how === 'closed stdin') {
      child.stdin.end()
      await lab.ends()
    } else if (how === 'closed stdout') {
      lab.closeConsole()
      await lab.ends()
    } else await lab.stop(how)
    await vi.waitFor(() => expect(there.filter(isAlive)).toEqual([]), 20_000)
    await vi.waitFor(() => expect(left()).toEqual([RECORDING]), 20_000)
    expect(lab.exitCode).toBe(how === 'SIGKILL' ? 'SIGKILL' : 0)
    expect(await recorded()).toContainEqual(stopped)
  },
)

test('what is typed is done, or refused with a hint, and its recording shows it again', async () => {
  const { lab, type } = await runLab('11', '--slaves', '2', '--record', 'mine.jsonl', '--seed', '3')
  await lab.says(/Its page: http:\/\/127\.0\.0\.1:\d+\//)
  await lab.says(/slave [12] +\| \(ready\)/, 2)
  type('kil slave 1')
  await lab.says(/Did you mean kill\?/)
  type('kill slave 1')
  await lab.says(/slave 1 +\| \(ended, by SIGKILL\)/)
  type('help')
  await lab.says(/partition slave 1, master \| slave 2/)
  await lab.stop('SIGINT')
  expect(lab.lines.at(-1)).toContain(`pnpm lab --replay ${join(folder, 'mine.jsonl')} shows it again.`)

  const { lab: replay, child } = await runLab('--replay', 'mine.jsonl', '--speed', '50')
  child.stdin.end()
  await replay.ends()
  expect(replay.exitCode).toBe(0)
  const shown = (lines: readonly string[]) =>
    lines.filter((line) => /^ +[\d.]+ s (lab|master|slave \d) +\| /.test(line)).sort()
  expect(shown(replay.lines)).toEqual(shown(lab.lines))
})

test('a scenario ends with pass or fail, each promise, its seed and its recording', async () => {
  const herd = ['11', '--scenario', 'herd', '--slaves', '3', '--speed', String(UNHURRIED)]
  const { lab } = await runLab(...herd, '--seed', '5')
  const control = (await runLab(...herd, '--control')).lab
  await Promise.all([lab.ends(), control.ends()])
  expect(lab.lines.slice(-2)).toEqual([
    expect.stringMatching(/^kept {4}all back within 40s: after [\d.]+ s$/),
    expect.stringMatching(/^PASS\. Seed 5\. pnpm lab --replay \S+ shows it again\.$/),
  ])
  expect(lab.exitCode).toBe(0)
  expect(control.lines.at(-2)).toMatch(/^BROKEN {2}all back within 40s: not back: slave 1, slave 2, slave 3$/)
  expect(control.lines.at(-1)).toMatch(/^As it must be: it fails\./)
  expect(control.exitCode).toBe(0)
  expect(left().every((file) => /^11-reconnection-herd(-2)?\.lab\.jsonl$/.test(file))).toBe(true)
})

test('a start that cannot work is one line, and exit code 2', async () => {
  for (const [args, why] of [
    [['11', '--scenario', 'hurd'], /no scenario "hurd"\. Did you mean herd\?/],
    [['2'], /02-packaging no program connects to another/],
    [['11', '--control'], /--control goes with --scenario/],
    [['11', '--record', 'no/such/folder'], /recording cannot be written/],
    [['--replay', 'nothing'], /There is no file/],
    [['11', '--scenario', 'herd', '--slaves', '3', '--record', 'no/such'], /recording cannot be written/],
  ] as const) {
    const { lab } = await runLab(...args)
    await lab.ends()
    expect(lab.lines.at(-1)).toMatch(why)
    expect(lab.exitCode).toBe(2)
    expect(left()).toEqual([])
  }
})

test('a start that fails on the way is one line and exit code 2, too, and leaves nothing', async () => {
  const own = join(folder, chapter.name)
  cpSync(chapter.folder, own, { recursive: true, filter: belongsTo(chapter.folder) })
  // A folder cannot be copied into itself.
  const temporary = join(own, 'temporary')
  mkdirSync(temporary)
  const { lab } = await runLabIn(own, temporary)
  await lab.ends()
  expect(lab.lines).toEqual([expect.stringMatching(/^That did not work: .* to a subdirectory of self/)])
  expect(lab.exitCode).toBe(2)
  expect(readdirSync(temporary).filter((file) => !file.startsWith('tsx-'))).toEqual([])
  expect(readdirSync(own)).not.toContain(RECORDING)
  expect(await programs(temporary)).toEqual([])
})
