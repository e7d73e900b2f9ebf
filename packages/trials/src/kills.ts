/** `pnpm kills [--seed N] [--times N]`: a program that keeps tasks, killed a thousand times while it is busy. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, times: { type: 'string', default: '1000' } },
})
const seed = wholeNumber(values.seed ?? String(randomInt(1_000_000_000)))
const times = wholeNumber(values.times)

await runTrial('task-store-kills.test.ts', { KILLS_SEED: seed, KILLS_TIMES: times }, '@rpi-cluster/core')
console.log(`pnpm kills --seed ${seed} --times ${times} kills at the same moments.`)
