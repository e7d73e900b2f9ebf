import { loadConfig } from '@rpi-cluster/core/config'
import { serveEvents } from '@rpi-cluster/core/event-stream'
import { openIdentity } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Mirror, nodeRow } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import type { Handlers } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { createSite, serveFile, serveSite } from '@rpi-cluster/core/web'
import { names, secondaryConfig, webserverConfig } from './config.ts'
import { HomePage, notFoundPage } from './page.ts'

const stop = stopSignal()
const log = createLogger('webserver')
const { primaryIp: host, socketPort: port } = loadRenamedConfig(secondaryConfig, log)
const { webserverHost, webserverPort } = loadConfig(webserverConfig, log)
const identity = await openIdentity({ name: 'webserver', log })
const nodes = new Mirror(nodeRow)
const page = new HomePage(nodes.table, stop)

class Webserver extends ConnectingNode {
  override handlers: Handlers = {
    roster: (changes) => nodes.take(changes),
  }

  override async greet() {
    nodes.begin()
    this.over.addEventListener('abort', () => page.primaryIsGone())
    const uuid = await identity.get(() => this.ask('uuid', { answer: 'uuid' }))
    const details = { ...(await machineDetails()), client: this.client, program: 'webserver', uuid }
    await this.send('computer_details', { ...details, ...names.mark })
    await this.send('subscribe', 'roster')
  }

  override async performAction() {
    page.primaryAnswers(await names.ask(this, 'computer_details', { answer: 'primary_info' }))
    // A primary of the original's sends nothing by itself, and has to be asked.
    if (!nodes.isLive)
      nodes.takeAll(await names.ask(this, 'secondary_details', { answer: 'secondary_details' }))
    await this.pause(5_000)
  }
}

const site = createSite({ log, notFound: notFoundPage })
site.get('/', (context) => context.html(page.html()))
site.on('GET', ['/api/primary', '/api/master'], (context) => context.json(page.primary))
site.get('/api/nodes', (context) => context.json(Object.fromEntries(nodes.table.entries())))
serveEvents(site, '/events', page.parts)
serveFile(site, '/page.css', new URL('./page.css', import.meta.url))
serveFile(site, '/page.js', new URL('./page.js', import.meta.url))
serveFile(site, '/icon.svg', new URL('./icon.svg', import.meta.url))

const { address } = await serveSite(site, { host: webserverHost, port: webserverPort, stop, log })
log.info(`Serving the page on ${address}`)
await new Webserver({ peer: 'primary', host, port, stop, log }).run()
