/** `pnpm chaos [--seed N] [--minutes N] [--logs FOLDER]`: fifty slaves, and a fault every two seconds. */
import { randomInt } from 'node:crypto'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    logs: { type: 'string' },
  },
})
const seed = wholeNumber(values.seed ?? String(randomInt(1_000_000_000)))
const minutes = wholeNumber(values.minutes)
// pnpm runs this in its package's folder, and leaves the reader's in INIT_CWD.
const logs = values.logs && resolve(process.env['INIT_CWD'] ?? '.', values.logs)

await runTrial('chaos.slow.test.ts', {
  CHAOS_SEED: seed,
  CHAOS_MINUTES: minutes,
  ...(logs && { CHAOS_LOGS: logs }),
})
console.log(`pnpm chaos --seed ${seed} --minutes ${minutes} repeats the faults of this run.`)
