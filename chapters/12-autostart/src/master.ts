import { loadConfig } from '@rpi-cluster/core/config'
import { type Answers, Dialogue } from '@rpi-cluster/core/dialogue'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { watch } from '@rpi-cluster/core/liveness'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { type Handlers, textOf, type UnknownHandler } from '@rpi-cluster/core/messages'
import { Roster } from '@rpi-cluster/core/roster'
import { ServiceManager } from '@rpi-cluster/core/service'
import { listen } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)
const roster = new Roster({ log })
const manager = new ServiceManager({ log })

const handlers: Handlers = {
  computer_details: (details, slave) => roster.introduce(slave, details),
  machine_details: (details, slave) => roster.introduce(slave, details), // what chapter 06 calls it
  message: (text, slave) => log.info(`Received message from ${roster.nameOf(slave)}: ${textOf(text)}`),
}

const answers: Answers = {
  computer_details: async (slave) => {
    log.info(`${roster.nameOf(slave)} wants to know my computer_details`)
    return { type: 'master_info', payload: await machineDetails() }
  },
}

const unknown: UnknownHandler = (type, payload, slave) =>
  log.warn(`Unknown message from ${roster.nameOf(slave)}: ${type}, with ${textOf(payload)}`)

const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {
  roster.add(slave)
  watch(slave)
  await new Dialogue(slave, { handlers, answers, unknown }).ended
})
log.info(`Listening on ${server.address}`)
manager.ready(`Listening on ${server.address}`)
