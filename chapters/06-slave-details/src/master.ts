import { loadConfig } from '@rpi-cluster/core/config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { type Handlers, handleMessages, textOf } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

const handlers: Handlers = {
  machine_details: (details, slave) =>
    log.info(`Machine specifications of ${slave.address}: ${textOf(details)}`),
  message: (text, slave) => log.info(`Received message from ${slave.address}: ${textOf(text)}`),
}

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  await handleMessages(slave, handlers, (type, payload) => {
    log.warn(`Unknown type of message from ${slave.address}: ${type}, with ${textOf(payload)}`)
  })
  log.info(`Client disconnected at ${slave.address}`)
})
log.info(`Listening on ${server.address}`)
