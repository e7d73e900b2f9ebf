/**
 * Hundreds of simulated clusters that keep a log, of seeds that nobody has chosen, and each rule broken in turn. `pnpm --filter
 * @rpi-cluster/trials simulate --log` tries as many as you like.
 */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { LOG_MUTATIONS } from '../src/log/log-mutations.ts'

/** A busy machine takes ten times as long as a free one. */
const PATIENCE = { timeout: 1_800_000 }

test('in 1,000 seeds no rule is broken', PATIENCE, async () => {
  const { exitCode, stdout } = await simulated('--seeds', '1000', '--seed', String(randomInt(1_000_000)))
  expect(exitCode, stdout).toBe(0)
})

test('each rule that is broken on purpose is found within 10,000 seeds', PATIENCE, async () => {
  const { exitCode, stdout } = await simulated('--mutation', 'all')
  console.log(stdout)
  expect(exitCode, stdout).toBe(0)
  expect(stdout.split('\n').filter((line) => line.startsWith('| `'))).toHaveLength(
    Object.keys(LOG_MUTATIONS).length,
  )
})

function simulated(...options: string[]) {
  return execa('node', ['--import', 'tsx', 'src/simulate.ts', '--log', ...options], {
    cwd: join(import.meta.dirname, '..'),
    reject: false,
  })
}
