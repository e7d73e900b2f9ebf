import { randomInt } from 'node:crypto'
import { loadConfig } from '@rpi-cluster/core/config'
import { Dialogue, Refusal } from '@rpi-cluster/core/dialogue'
import { every, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { send, textOf } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
import { slaveConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('slave')
const { masterIp: host, socketPort: port } = loadConfig(slaveConfig, log)

log.info('Connecting to the master...')
const master = await connect({ peer: 'master', host, port, stop })
const dialogue = new Dialogue(master, {
  unknown: (type, payload) => log.warn(`Unknown message: ${type}, with ${textOf(payload)}`),
})

const clientNumber = randomInt(1, 100_001)
log.info(`Connected to ${master.address} as client ${clientNumber}`)
await send(master, 'computer_details', await machineDetails())
void askAboutMaster()
for await (const _ of every(5_000, stop)) {
  await send(master, 'message', `I am still alive, client: ${clientNumber}`)
}

async function askAboutMaster() {
  try {
    const details = await dialogue.ask('computer_details', { answer: 'master_info' })
    log.info(`We have information about the master: ${textOf(details)}`)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    log.warn(error.message)
  }
}
