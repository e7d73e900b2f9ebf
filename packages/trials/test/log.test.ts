/** That the simulation of members that keep a log can be relied on: it repeats itself, and finds a rule that is broken. */
import { join } from 'node:path'
import * as replica from '@rpi-cluster/core/replica'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { simulateLog } from '../src/log/log-simulation.ts'

const SEEDS = 30

test(`in ${SEEDS} seeds no rule is broken`, () => {
  for (let seed = 1; seed <= SEEDS; seed += 1)
    expect(
      simulateLog(replica, seed).broken,
      `pnpm --filter @rpi-cluster/trials simulate --log --seed ${seed}`,
    ).toBeUndefined()
})

test('the same seed tells the same story', () => {
  const told = [1, 2].map(() => {
    const lines: string[] = []
    simulateLog(replica, 42, (line) => lines.push(line))
    return lines
  })
  expect(told[0]?.length).toBeGreaterThan(50)
  expect(told[0]).toEqual(told[1])
})

test('a rule that is broken is found, and the seed tells how', async () => {
  const found = await simulated('--mutation', 'answer-unwritten')
  expect(found.exitCode).toBe(1)
  const [, seed = ''] =
    /simulate --log --seed (\d+) --mutation answer-unwritten tells it step by step/.exec(found.stdout) ?? []
  const told = await simulated('--seed', seed, '--mutation', 'answer-unwritten')
  expect(told.exitCode).toBe(1)
  expect(told.stdout).toMatch(/BROKEN: what is committed is on the disks of a majority: entry \d+ of node-\d/)
})

function simulated(...options: string[]) {
  return execa('node', ['--import', 'tsx', 'src/simulate.ts', '--log', ...options], {
    cwd: join(import.meta.dirname, '..'),
    reject: false,
  })
}
