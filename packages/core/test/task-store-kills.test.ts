/**
 * A program that keeps tasks is killed at any moment, again and again. `pnpm kills` does so a thousand times, and with
 * `--seed N` at the same moments again.
 */
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { killed } from './task-store-killed.ts'

const SEED = Number(process.env['KILLS_SEED'] ?? randomInt(1_000_000_000))
const TIMES = Number(process.env['KILLS_TIMES'] ?? 5)

test(`killed ${TIMES} times, of seed ${SEED}, it loses nothing that was acknowledged, and invents nothing`, {
  timeout: 60_000 + 20_000 * TIMES,
}, async () => {
  expect(await killed(SEED, TIMES)).toBeGreaterThan(TIMES)
})
