import { loadConfig } from '@rpi-cluster/core/config'
import { receive } from '@rpi-cluster/core/json-lines'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { listen } from '@rpi-cluster/core/sockets'
import { object, string } from 'valibot'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  for await (const { msg } of receive(slave, { schema: object({ msg: string() }) })) {
    log.info(`Received message from ${slave.address}: ${msg}`)
  }
  log.info(`Client disconnected at ${slave.address}`)
})
log.info(`Listening on ${server.address}`)
