/**
 * `failover [--times N] [--election-ms N] [--minutes N]`: whoever leads is killed or frozen, a hundred times, and how long it
 * takes until another one does; then whether a leader is kept for minutes while the machine is busy, and the links stand still.
 */
import { parseArgs } from 'node:util'
import { runTrial, wholeNumber } from './trial.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '100' },
    'election-ms': { type: 'string', default: '150' },
    minutes: { type: 'string', default: '3' },
  },
})

await runTrial('election.slow.test.ts', {
  FAILOVER_TIMES: wholeNumber(values.times),
  FAILOVER_ELECTION_MS: wholeNumber(values['election-ms']),
  FAILOVER_MINUTES: wholeNumber(values.minutes),
})
