import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { createSite, serveSite } from '@rpi-cluster/core/web'
import { changesWith, openToken } from '@rpi-cluster/core/web-changes'
import { addApi } from './api.ts'
import { belongToMachine } from './belong.ts'
import { config } from './config.ts'
import { addHome, HomePage, notFoundPage } from './page.ts'
import { Work } from './work.ts'

const stop = stopSignal()
const log = createLogger('webserver')
const read = () => loadJsonConfig(config, ['secondary', 'webserver'], log)
const settings = read()
const { secondary, webserver: own } = settings
const { primaryIp: host, socketPort: port } = secondary
const key = await openKey({ file: credentialFile('key', own.key), log, stop })
const token = await openToken({ name: 'webserver', log })
const work = new Work()
const page = new HomePage(work, stop)

class Webserver extends ConnectingNode {
  override handlers = work.handlers

  override async greet() {
    work.begin()
    this.over.addEventListener('abort', () => page.primaryIsGone())
    await this.send('node_baseinfo', { ...(await baseInfo()), client: this.client, program: 'webserver' })
    for (const topic of work.topics) await this.send('subscribe', topic)
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }

  override async performAction() {
    page.primaryIsHere()
    await work.catchUp(tasks)
    await this.pause(500)
  }
}

const webserver = new Webserver({ peer: 'primary', host, port, secure: encryptedBy(key), stop, log })
const tasks = new TaskClient(webserver)
const site = createSite({ log, notFound: notFoundPage, changes: changesWith(token) })
addHome(site, page, work.pictures, webserver)
addApi(site, tasks, work.pictures)
const { address } = await serveSite(site, { host: own.webserverHost, port: own.webserverPort, stop, log })
log.info(`Serving the page on ${address}`)
token.tell(address)
await belongToMachine({ program: 'webserver', node: webserver, config: settings, read, log })
await webserver.run()
