/** `task-faults [--seed N] [--seeds N] [--tasks N] [--logs FOLDER]`: tasks, and whatever may happen to those who do them, for many seeds. */
import { randomInt } from 'node:crypto'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    tasks: { type: 'string', default: '10000' },
    logs: { type: 'string' },
  },
})

// pnpm runs this in its package's folder, and leaves the reader's in INIT_CWD.
const logs = values.logs && resolve(process.env['INIT_CWD'] ?? '.', values.logs)

await runTrial('tasks.slow.test.ts', {
  TASK_FAULTS_SEED: wholeNumber(values.seed ?? String(randomInt(1_000_000_000))),
  TASK_FAULTS_SEEDS: wholeNumber(values.seeds),
  TASK_FAULTS_TASKS: wholeNumber(values.tasks),
  ...(logs && { TASK_FAULTS_LOGS: logs }),
})
