/** `pnpm fuzz [--seed N] [--streams N]`: many random hostile streams against a living master and against the decoder. */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { execa } from 'execa'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, streams: { type: 'string', default: '100000' } },
})
const seed = values.seed ?? String(randomInt(1_000_000_000))
for (const value of [seed, values.streams]) {
  if (!/^\d{1,9}$/.test(value)) throw new TypeError(`${value} is not a whole number of up to nine digits`)
}

const { exitCode } = await execa('vitest', ['run', 'fuzz.test.ts'], {
  cwd: join(import.meta.dirname, '../../..'),
  preferLocal: true,
  stdio: 'inherit',
  reject: false,
  env: { FUZZ_SEED: seed, FUZZ_STREAMS: values.streams },
})
console.log(`pnpm fuzz --seed ${seed} repeats this run.`)
process.exitCode = exitCode ?? 1
