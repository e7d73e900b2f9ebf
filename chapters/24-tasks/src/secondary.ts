import { answerTo } from '@rpi-cluster/core/broadcast'
import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { type Handlers, textOf } from '@rpi-cluster/core/messages'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { belongToMachine, grantTasks } from './belong.ts'
import { obey } from './commands.ts'
import { config, names } from './config.ts'
import { Measuring } from './measuring.ts'

const stop = stopSignal()
const log = createLogger('secondary')
const read = () => loadJsonConfig(config, 'secondary', log)
const settings = read()
const { primaryIp: host, socketPort: port } = settings
const key = await openKey({ file: credentialFile('key', settings.key), log, stop })
const measuring = new Measuring(settings.vitalsSeconds, log, stop)

class Secondary extends ConnectingNode {
  override handlers: Handlers = {
    primary_info: (details) => log.info(`We have information about the primary: ${textOf(details)}`),
    command: async (call) => this.send('reply', await answerTo(call, this.obey)),
    missed: (what) => log.warn(`Too slow, so this is lost: ${textOf(what)}`),
  }

  override answers = grantTasks(() => settings.tasks, log)

  obey = async (command: string) => {
    const says = await obey(command, { client: this.client, led: settings.led })
    log.info(`The primary says "${command}": ${says}`)
    return says
  }

  override async greet() {
    await this.send('node_baseinfo', { ...(await baseInfo()), client: this.client, ...names.mark })
    await this.send('subscribe', 'command')
    await measuring.sendTo(this)
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }

  override async performAction() {
    await this.beat()
    await this.pause(5_000)
  }
}

const secondary = new Secondary({ peer: 'primary', host, port, secure: encryptedBy(key), stop, log })
const live = ['led', 'vitalsSeconds', 'tasks'] as const
const apply = (now: typeof settings) => measuring.setPace(Object.assign(settings, now).vitalsSeconds)
await belongToMachine({ program: 'secondary', node: secondary, config: settings, read, live, apply, log })
await secondary.run()
