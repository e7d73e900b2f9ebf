import { openIdentity } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { baseInfo, VitalsSender } from '@rpi-cluster/core/vitals'
import { names, secondaryConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('secondary')
const { primaryIp: host, socketPort: port, vitalsSeconds } = loadRenamedConfig(secondaryConfig, log)
const identity = await openIdentity({ name: 'secondary', formerly: 'slave', log })
const vitals = new VitalsSender({ seconds: vitalsSeconds })

class Secondary extends ConnectingNode {
  override handlers = names.handlers({
    primary_info: (details) => log.info(`We have information about the primary: ${textOf(details)}`),
  })

  override async greet() {
    const uuid = await identity.get(() => this.ask('uuid', { answer: 'uuid' }))
    const type = await names.learn(this, 'node_baseinfo', { answer: 'primary_info' })
    const details = { ...(await baseInfo()), client: this.client, uuid }
    await this.send(type, { ...details, ...names.mark })
    if (type === 'node_baseinfo') vitals.sendTo(this) // a primary of before takes none
  }

  override async beat() {
    await this.send('info', names.to(this, 'node_baseinfo'))
  }

  override async performAction() {
    await this.beat()
    await this.pause(5_000)
  }
}

await new Secondary({ peer: 'primary', host, port, stop, log }).run()
