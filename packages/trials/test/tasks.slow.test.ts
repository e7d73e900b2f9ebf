/**
 * Thousands of short tasks under four workers, real processes, and again and again something happens to one of them: it is
 * killed, stopped or frozen, its link is cut, slow or a black hole, and so is the submitter's. When all is over, each task has
 * its result, and what was done twice was done by a node that was lost. `pnpm --filter @rpi-cluster/trials task-faults` tries more
 * seeds; with `--seed N` it repeats the faults of a run.
 */
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleChapter } from '@rpi-cluster/tutorial/bundle/bundle-chapter'
import { readChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { isAlive } from '@rpi-cluster/tutorial/harness'
import { CLOCK_SPEED } from '@rpi-cluster/tutorial/run/environment'
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test, vi } from 'vitest'
import { drawnTaskFaults, type TaskFault, toldOf } from './support/drawn-task-faults.ts'
import { SUBMITTER, TaskCluster, WORKERS } from './support/task-cluster.ts'
import { type Counts, countsOf, whatIsWrong } from './support/task-notes.ts'

const TASKS = Number(process.env['TASK_FAULTS_TASKS'] ?? 2_000)
const SEEDS = Number(process.env['TASK_FAULTS_SEEDS'] ?? 2)
const SEED = Number(process.env['TASK_FAULTS_SEED'] ?? randomInt(1_000_000_000))

/** Where what happened is to be kept. */
const LOGS = process.env['TASK_FAULTS_LOGS']

/** How many faults there are, unless all tasks have ended before. */
const FAULTS = 40

/** How long all of it may take after the last fault, in ms: what waits for its sixth try to connect, and then is done. */
const PATIENCE_MS = 120_000

let programs = ''
beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'tasks-trial-programs-'))
  await bundleChapter(readChapter(join(import.meta.dirname, 'support/tasks')), programs)
})
afterAll(() => rm(programs, { recursive: true }))

const seeds = Array.from({ length: SEEDS }, (_, index) => SEED + index)

test.for(seeds)('%i: each task has its result, whatever happens', { timeout: 600_000 }, async (seed) => {
  const happened: string[] = []
  const cluster = await TaskCluster.start({ programs, seed, tasks: TASKS })
  onTestFinished(() => cluster.end())
  if (LOGS !== undefined) onTestFinished(() => keep(cluster, seed, happened, LOGS))
  onTestFailed(() => {
    console.log(
      [...happened, ...cluster.lines.filter((line) => / (WARN|ERROR|FATAL) /.test(line))].join('\n'),
    )
    console.log(
      `pnpm --filter @rpi-cluster/trials task-faults --seed ${seed} --tasks ${TASKS} repeats the faults of this run.`,
    )
  })
  const began = performance.now()
  let hasEnded = false
  const ended = cluster.allEnded().then((exitCode) => {
    hasEnded = true
    return exitCode
  })
  const struck: TaskFault[] = []
  for (const fault of drawnTaskFaults(seed, FAULTS, { workers: WORKERS, others: [SUBMITTER] })) {
    await Promise.race([ended, sleep(fault.afterMs / CLOCK_SPEED)])
    if (hasEnded) break
    happened.push(`${(performance.now() / 1000).toFixed(2)} ${toldOf(fault)}`)
    struck.push(fault)
    cluster.strike(fault)
  }
  cluster.heal()
  happened.push(`${(performance.now() / 1000).toFixed(2)} all is healed`)
  expect(
    await Promise.race([ended, sleep(PATIENCE_MS, 'it has not left')]),
    'the exit code of the submitter',
  ).toBe(0)
  const tookMs = performance.now() - began

  const ends = await cluster.stop()
  const notes = await cluster.notes()
  expect(whatIsWrong(notes, TASKS)).toEqual([])
  expect(
    [...ends].filter(([, end]) => end !== 0),
    'programs that have not ended well',
  ).toEqual([])
  expect(
    cluster.lines.filter((line) => !/\] (INFO|WARN) \(/.test(line)),
    'lines that no program should print',
  ).toEqual([])
  const pids = [...new Set(notes.flatMap((note) => (note.what === 'effect' ? note.pid : [])))]
  await vi.waitFor(() => expect(pids.filter(isAlive), 'processes that are left').toEqual([]), 20_000)
  console.log(report(seed, struck, countsOf(notes), tookMs))
})

async function keep(
  cluster: TaskCluster,
  seed: number,
  happened: readonly string[],
  folder: string,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const notes = (await cluster.notes()).map((note) => JSON.stringify(note))
  const lines = [...happened, ...cluster.lines].sort(
    (one, other) => Number.parseFloat(one) - Number.parseFloat(other),
  )
  await writeFile(join(folder, `${seed}.log`), `${lines.join('\n')}\n`)
  await writeFile(join(folder, `${seed}.notes.jsonl`), `${notes.join('\n')}\n`)
}

function report(seed: number, faults: readonly TaskFault[], counts: Counts, tookMs: number): string {
  const kinds = new Map<string, number>()
  for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const { lost, again, twice, poison } = counts
  return [
    `Seed ${seed}: ${TASKS} tasks in ${(tookMs / 1000).toFixed(1)} s, ${faults.length} faults (${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')});`,
    `${lost} times a node was lost, ${again} tasks were handed to another one, ${twice} were done more than once, ${poison} had lost three nodes and were tried again`,
  ].join(' ')
}
