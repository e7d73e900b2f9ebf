import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { killed } from './task-store-killed.ts'

const SEED = randomInt(1_000_000_000)
const TIMES = 50

test(`killed ${TIMES} times, of seed ${SEED}, nothing that was acknowledged is lost`, {
  timeout: 900_000,
}, async () => {
  expect(await killed(SEED, TIMES)).toBeGreaterThan(TIMES)
})
