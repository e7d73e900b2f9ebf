import { loadConfig } from '@rpi-cluster/core/config'
import { type Answers, Dialogue } from '@rpi-cluster/core/dialogue'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { type Handlers, textOf, type UnknownHandler } from '@rpi-cluster/core/messages'
import { type Connection, listen } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

const handlers: Handlers = {
  computer_details: logDetails,
  machine_details: logDetails, // what chapter 06 calls it
  message: (text, slave) => log.info(`Received message from ${slave.address}: ${textOf(text)}`),
}

const answers: Answers = {
  computer_details: async (slave) => {
    log.info(`The slave at ${slave.address} wants to know my computer_details`)
    return { type: 'master_info', payload: await machineDetails() }
  },
}

const unknown: UnknownHandler = (type, payload, slave) =>
  log.warn(`Unknown message from ${slave.address}: ${type}, with ${textOf(payload)}`)

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  log.info(`Got client at ${slave.address}`)
  await new Dialogue(slave, { handlers, answers, unknown }).ended
  log.info(`Client disconnected at ${slave.address}`)
})
log.info(`Listening on ${server.address}`)

function logDetails(details: unknown, slave: Connection) {
  log.info(`Computer specifications of ${slave.address}: ${textOf(details)}`)
}
