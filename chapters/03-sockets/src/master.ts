import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { listen } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('master')

const server = await listen({ peer: 'slave', host: '127.0.0.1', port: 31415, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  for await (const text of slave) {
    log.info(`From ${slave.address}: ${text}`)
  }
})
log.info(`Listening on ${server.address}`)
