import { loadConfig } from '@rpi-cluster/core/config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { handleMessages, textOf } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

const handlers = {
  machine_details: (details: unknown) => log.info(`Machine specifications: ${textOf(details)}`),
  message: (text: unknown) => log.info(`Received message: ${textOf(text)}`),
}

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  await handleMessages(slave, handlers, (type, payload) => {
    log.warn(`Unknown type of message: ${type}, with ${textOf(payload)}`)
  })
  log.info('Client disconnected')
})
log.info(`Listening on ${server.address}`)
