/** `pnpm fuzz [--seed N] [--streams N]`: many random hostile streams against a living master and against the decoder. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, streams: { type: 'string', default: '100000' } },
})
const seed = wholeNumber(values.seed ?? String(randomInt(1_000_000_000)))
const streams = wholeNumber(values.streams)

for (const file of ['fuzz.test.ts', 'signed-peers.test.ts'])
  await runTrial(file, { FUZZ_SEED: seed, FUZZ_STREAMS: streams })
console.log(`pnpm fuzz --seed ${seed} repeats this run.`)
