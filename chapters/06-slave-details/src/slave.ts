import { randomInt } from 'node:crypto'
import { loadConfig } from '@rpi-cluster/core/config'
import { every, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
import { slaveConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('slave')
const { masterIp: host, socketPort: port } = loadConfig(slaveConfig, log)

log.info('Connecting to the master...')
const master = await connect({ peer: 'master', host, port, stop })

const clientNumber = randomInt(1, 100_001)
log.info(`Connected to ${master.address} as client ${clientNumber}`)
await send(master, 'machine_details', await machineDetails())
for await (const _ of every(5_000, stop, { firstAfter: 5_000 })) {
  await send(master, 'message', `I am still alive, client: ${clientNumber}`)
}
