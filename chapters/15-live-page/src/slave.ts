import { loadConfig } from '@rpi-cluster/core/config'
import { openIdentity } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { type Handlers, textOf } from '@rpi-cluster/core/messages'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { slaveConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('slave')
const { masterIp: host, socketPort: port } = loadConfig(slaveConfig, log)
const identity = await openIdentity({ name: 'slave', log })

class Slave extends ConnectingNode {
  override handlers: Handlers = {
    master_info: (details) => log.info(`We have information about the master: ${textOf(details)}`),
  }

  override async greet() {
    const uuid = await identity.get(() => this.ask('uuid', { answer: 'uuid' }))
    await this.send('computer_details', { ...(await machineDetails()), client: this.client, uuid })
  }

  override async performAction() {
    await this.send('info', 'computer_details')
    await this.pause(5_000)
  }
}

await new Slave({ peer: 'master', host, port, stop, log }).run()
