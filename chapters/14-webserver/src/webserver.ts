import { loadConfig } from '@rpi-cluster/core/config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { createSite, serveFile, serveSite } from '@rpi-cluster/core/web'
import { slaveConfig, webserverConfig } from './config.ts'
import { homePage, type MasterState, notFoundPage } from './page.ts'

const stop = stopSignal()
const log = createLogger('webserver')
const { masterIp: host, socketPort: port } = loadConfig(slaveConfig, log)
const { webserverHost, webserverPort } = loadConfig(webserverConfig, log)

class Webserver extends ConnectingNode {
  #details: unknown
  #answeredAt: number | undefined

  /** What is known of the master: the page and the API show the same. */
  get master(): MasterState {
    if (this.#answeredAt === undefined) return { state: 'not reached yet' }
    return {
      state: this.over.aborted ? 'gone' : 'here',
      details: this.#details,
      ageMs: Math.round(performance.now() - this.#answeredAt),
    }
  }

  override async performAction() {
    this.#details = await this.ask('computer_details', { answer: 'master_info' })
    this.#answeredAt = performance.now()
    await this.pause(5_000)
  }
}

const webserver = new Webserver({ peer: 'master', host, port, stop, log })

const site = createSite({ log, notFound: notFoundPage })
site.get('/', (context) => context.html(homePage(webserver.master)))
site.get('/api/master', (context) => context.json(webserver.master))
serveFile(site, '/page.css', new URL('./page.css', import.meta.url))
serveFile(site, '/icon.svg', new URL('./icon.svg', import.meta.url))

const { address } = await serveSite(site, { host: webserverHost, port: webserverPort, stop, log })
log.info(`Serving the page on ${address}`)
await webserver.run()
