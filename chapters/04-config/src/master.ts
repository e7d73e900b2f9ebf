import { loadConfig } from '@rpi-cluster/core/config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { listen } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  for await (const text of slave) {
    log.info(`From ${slave.address}: ${text}`)
  }
})
log.info(`Listening on ${server.address}`)
