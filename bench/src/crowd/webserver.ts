/** A webserver that asks the master, as chapter 14's does: `webserver.ts PORT`. Asked, it tells where its page is, and what it has used. */
import { ConnectingNode } from '@rpi-cluster/core/node'
import { createSite, html, serveSite } from '@rpi-cluster/core/web'
import { noLog } from '../no-log.ts'

const stop = new AbortController().signal
const options = { host: '127.0.0.1', stop, log: noLog }

class Webserver extends ConnectingNode {
  details: unknown

  override async performAction() {
    this.details = await this.ask('computer_details', { answer: 'master_info' })
    await this.pause(5_000)
  }
}

const webserver = new Webserver({ ...options, peer: 'master', port: Number(process.argv[2]) })
const site = createSite(options)
site.get('/', (context) => context.html(html`<p>${JSON.stringify(webserver.details)}</p>`))
const { address } = await serveSite(site, { ...options, port: 0 })
void webserver.run()
process.on('disconnect', () => process.exit())
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ address, cpuMs: (user + system) / 1_000 })
})
