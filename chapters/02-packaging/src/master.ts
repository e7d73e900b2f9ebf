import { every, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'

const stop = stopSignal()
const log = createLogger('master')

log.info('Starting script...')
for await (const _ of every(10_000, stop)) {
  log.info('Node slave still alive')
  log.info('Looking for work to run')
  const job = findWork()
  log.debug(`The work finder returned ${job}`)
  if (!job) log.info('Found no jobs to perform, going to sleep again')
}

/** Finds the next job to run. Nobody gives out jobs yet, so there is none. */
function findWork(): string | undefined {
  return undefined
}
