/** `pnpm task-faults [--seed N] [--seeds N] [--tasks N]`: tasks, and whatever may happen to those who do them, for many seeds. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    tasks: { type: 'string', default: '10000' },
  },
})

await runTrial('tasks.slow.test.ts', {
  TASK_FAULTS_SEED: wholeNumber(values.seed ?? String(randomInt(1_000_000_000))),
  TASK_FAULTS_SEEDS: wholeNumber(values.seeds),
  TASK_FAULTS_TASKS: wholeNumber(values.tasks),
})
