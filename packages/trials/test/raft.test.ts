/** That the simulation of elections can be relied on: it repeats itself, and finds a rule that is broken. */
import { join } from 'node:path'
import * as raft from '@rpi-cluster/core/raft'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { simulate } from '../src/raft/simulation.ts'

const SEEDS = 200

test(`in ${SEEDS} seeds no rule is broken`, () => {
  for (let seed = 1; seed <= SEEDS; seed += 1)
    expect(
      simulate(raft, seed).broken,
      `pnpm --filter @rpi-cluster/trials simulate --seed ${seed}`,
    ).toBeUndefined()
})

test('the same seed tells the same story', () => {
  const told = [1, 2].map(() => {
    const lines: string[] = []
    simulate(raft, 42, (line) => lines.push(line))
    return lines
  })
  expect(told[0]?.length).toBeGreaterThan(50)
  expect(told[0]).toEqual(told[1])
})

test('a rule that is broken is found, and the seed tells how', async () => {
  const found = await simulated('--mutation', 'votes-twice')
  expect(found.exitCode).toBe(1)
  const [, seed = ''] =
    /simulate --seed (\d+) --mutation votes-twice tells it step by step/.exec(found.stdout) ?? []
  const told = await simulated('--seed', seed, '--mutation', 'votes-twice')
  expect(told.exitCode).toBe(1)
  expect(told.stdout).toMatch(
    /BROKEN: one vote a term: node-\d votes for node-\d and for node-\d in term \d+$/,
  )
})

test('a mutation that there is not is refused with those that there are', async () => {
  const { exitCode, stderr } = await simulated('--mutation', 'made-up')
  expect(exitCode).toBe(1)
  expect(stderr).toContain('There is no mutation made-up. There are votes-twice, ')
})

function simulated(...options: string[]) {
  return execa('node', ['--import', 'tsx', 'src/simulate.ts', ...options], {
    cwd: join(import.meta.dirname, '..'),
    reject: false,
  })
}
