import { randomInt } from 'node:crypto'
import { loadConfig } from '@rpi-cluster/core/config'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { every, stopSignal } from '@rpi-cluster/core/lifecycle'
import { watch } from '@rpi-cluster/core/liveness'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { send, textOf } from '@rpi-cluster/core/messages'
import { stayConnected } from '@rpi-cluster/core/reconnect'
import { ServiceManager } from '@rpi-cluster/core/service'
import type { Connection } from '@rpi-cluster/core/sockets'
import { slaveConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('slave')
const { masterIp: host, socketPort: port } = loadConfig(slaveConfig, log)
const clientNumber = randomInt(1, 100_001)
const manager = new ServiceManager({ log })

log.info('Connecting to the master...')
manager.ready('Waiting for the master')
await stayConnected({ peer: 'master', host, port, stop, log }, async (master, over) => {
  watch(master)
  const dialogue = new Dialogue(master, {
    handlers: {
      master_info: (details) => log.info(`We have information about the master: ${textOf(details)}`),
    },
    unknown: (type, payload) => log.warn(`Unknown message: ${type}, with ${textOf(payload)}`),
  })

  log.info(`Connected to ${master.address} as client ${clientNumber}`)
  manager.status(`Connected to ${master.address} as client ${clientNumber}`)
  over.addEventListener('abort', () => manager.status('Waiting for the master'))
  await Promise.all([dialogue.ended, beat(master, over)])
})

async function beat(master: Connection, over: AbortSignal) {
  await send(master, 'computer_details', { ...(await machineDetails()), client: clientNumber })
  for await (const _ of every(5_000, over)) {
    await send(master, 'info', 'computer_details')
  }
}
