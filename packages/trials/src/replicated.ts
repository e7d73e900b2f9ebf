/**
 * `replicated [--seed N] [--minutes N] [--nodes 3,5] [--times N] [--election-ms N] [--logs FOLDER]`: the queue that all nodes have,
 * under whatever may happen to nodes and links, for so many minutes with each number of nodes; then whoever leads is killed, so
 * many times, and how long nothing can be handed in.
 */
import { randomInt } from 'node:crypto'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '30' },
    nodes: { type: 'string', default: '3,5' },
    times: { type: 'string', default: '50' },
    'election-ms': { type: 'string', default: '150' },
    logs: { type: 'string' },
  },
})

// pnpm runs this in its package's folder, and leaves the reader's in INIT_CWD.
const logs = values.logs && resolve(process.env['INIT_CWD'] ?? '.', values.logs)

await runTrial('replicated.slow.test.ts', {
  REPLICATED_SEED: wholeNumber(values.seed ?? String(randomInt(1_000_000_000))),
  REPLICATED_MINUTES: wholeNumber(values.minutes),
  REPLICATED_NODES: values.nodes.split(',').map(wholeNumber).join(),
  REPLICATED_TIMES: wholeNumber(values.times),
  REPLICATED_ELECTION_MS: wholeNumber(values['election-ms']),
  ...(logs && { REPLICATED_LOGS: logs }),
})
