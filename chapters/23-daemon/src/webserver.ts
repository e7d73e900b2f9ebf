import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Mirror, nodeRow } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { alarmRow } from '@rpi-cluster/core/sensors'
import { baseInfo, vitalsRow } from '@rpi-cluster/core/vitals'
import { createSite, serveSite } from '@rpi-cluster/core/web'
import { belongToMachine } from './belong.ts'
import { config, names } from './config.ts'
import { addHome, HomePage, notFoundPage } from './page.ts'
import { addVitals } from './vitals-page.ts'

const stop = stopSignal()
const log = createLogger('webserver')
const read = () => loadJsonConfig(config, ['secondary', 'webserver'], log)
const settings = read()
const { secondary, webserver: own } = settings
const { primaryIp: host, socketPort: port } = secondary
const key = await openKey({ file: credentialFile('key', own.key), log, stop })
const nodes = new Mirror(nodeRow)
const vitals = new Mirror(vitalsRow)
const alarms = new Mirror(alarmRow)
const page = new HomePage(nodes.table, alarms.table, stop)

class Webserver extends ConnectingNode {
  override handlers = { roster: nodes.take, vitals: vitals.take, alarms: alarms.take }

  override async greet() {
    for (const mirror of [nodes, vitals, alarms]) mirror.begin()
    this.over.addEventListener('abort', () => page.primaryIsGone())
    const details = { ...(await baseInfo()), client: this.client, program: 'webserver' }
    await this.send('node_baseinfo', { ...details, ...names.mark })
    for (const topic of ['roster', 'vitals', 'alarms']) await this.send('subscribe', topic)
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }

  override async performAction() {
    page.primaryAnswers(await this.ask('node_baseinfo', { answer: 'primary_info' }))
    await this.pause(5_000)
  }
}

const webserver = new Webserver({ peer: 'primary', host, port, secure: encryptedBy(key), stop, log })
const site = createSite({ log, notFound: notFoundPage })
addHome(site, page, nodes.table)
addVitals(site, vitals.table, (about) => webserver.ask('history', { answer: 'history', about }))
const { address } = await serveSite(site, { host: own.webserverHost, port: own.webserverPort, stop, log })
log.info(`Serving the page on ${address}`)
const none = { live: [], apply: () => {} } // what it has, it has from its start on
await belongToMachine({ program: 'webserver', node: webserver, config: settings, read, ...none, log })
await webserver.run()
