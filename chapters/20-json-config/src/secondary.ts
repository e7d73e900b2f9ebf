import { answerTo } from '@rpi-cluster/core/broadcast'
import { openIdentity } from '@rpi-cluster/core/identity'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { obey } from './commands.ts'
import { config, names } from './config.ts'
import { Measuring } from './measuring.ts'

const stop = stopSignal()
const log = createLogger('secondary')
const settings = loadJsonConfig(config, 'secondary', log)
const { primaryIp: host, socketPort: port, led, vitalsSeconds } = settings
const identity = await openIdentity({ name: 'secondary', formerly: 'slave', log })
const measuring = new Measuring(vitalsSeconds, log)

class Secondary extends ConnectingNode {
  override handlers = names.handlers({
    primary_info: (details) => log.info(`We have information about the primary: ${textOf(details)}`),
    command: async (call) => this.send('reply', await answerTo(call, this.obey)),
    missed: (what) => log.warn(`Too slow, so this is lost: ${textOf(what)}`),
  })

  obey = async (command: string) => {
    const says = await obey(command, { client: this.client, led })
    log.info(`The primary says "${command}": ${says}`)
    return says
  }

  override async greet() {
    const uuid = await identity.get(() => this.ask('uuid', { answer: 'uuid' }))
    const type = await names.learn(this, 'node_baseinfo', { answer: 'primary_info' })
    const details = { ...(await baseInfo()), client: this.client, uuid }
    await this.send(type, { ...details, ...names.mark })
    if (type !== 'node_baseinfo') return // one of 16 or before would not know what comes now
    await this.send('subscribe', 'command')
    await measuring.sendTo(this)
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
