import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { TaskWorker } from '@rpi-cluster/core/worker'
import { belongToMachine } from './belong.ts'
import { config } from './config.ts'
import { tasks } from './tasks.ts'

const stop = stopSignal()
const log = createLogger('secondary')
const read = () => loadJsonConfig(config, 'secondary', log)
const settings = read()
const { primaryIp: host, socketPort: port, slots, memoryMb, has } = settings
const key = await openKey({ file: credentialFile('key', settings.key), log, stop })

class Secondary extends ConnectingNode {
  readonly worker = new TaskWorker({
    node: this,
    file: new URL('./tasks.ts', import.meta.url),
    tasks,
    slots,
    memoryMb,
    has,
    log,
    stop,
  })

  override handlers = this.worker.handlers

  override async greet() {
    await this.send('node_baseinfo', { ...(await baseInfo()), client: this.client })
    await this.worker.introduce()
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }
}

const secondary = new Secondary({ peer: 'primary', host, port, secure: encryptedBy(key), stop, log })
const before = secondary.worker
await belongToMachine({ program: 'secondary', node: secondary, before, config: settings, read, log })
await secondary.run()
