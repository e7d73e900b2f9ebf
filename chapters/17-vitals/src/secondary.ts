import { openIdentity } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { textOf } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { names, secondaryConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('secondary')
const { primaryIp: host, socketPort: port } = loadRenamedConfig(secondaryConfig, log)
const identity = await openIdentity({ name: 'secondary', formerly: 'slave', log })

class Secondary extends ConnectingNode {
  override handlers = names.handlers({
    primary_info: (details) => log.info(`We have information about the primary: ${textOf(details)}`),
  })

  override async greet() {
    const uuid = await identity.get(() => this.ask('uuid', { answer: 'uuid' }))
    const details = { ...(await machineDetails()), client: this.client, uuid }
    await this.send('computer_details', { ...details, ...names.mark })
  }

  override async performAction() {
    await this.send('info', 'computer_details')
    await this.pause(5_000)
  }
}

await new Secondary({ peer: 'primary', host, port, stop, log }).run()
