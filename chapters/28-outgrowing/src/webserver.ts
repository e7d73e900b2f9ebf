import { credentialFile } from '@rpi-cluster/core/daemon'
import { ElectionWatch } from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { createSite, serveSite } from '@rpi-cluster/core/web'
import { changesWith, openToken } from '@rpi-cluster/core/web-changes'
import { addApi } from './api.ts'
import { belongToMachine } from './belong.ts'
import { config } from './config.ts'
import { LeaderLink, wayTo } from './leader-link.ts'
import { showMembers } from './members-page.ts'
import { addHome, HomePage, notFoundPage } from './page.ts'
import { Spectator } from './spectator.ts'
import { Work } from './work.ts'

const stop = stopSignal()
const log = createLogger('webserver')
const read = () => loadJsonConfig(config, ['cluster', 'webserver'], log)
const settings = read()
const { cluster, webserver: own } = settings
const { members } = cluster
const secure = encryptedBy(await openKey({ file: credentialFile('key', own.key), log, stop }))
const token = await openToken({ name: 'webserver', log })
const work = new Work()
const page = new HomePage(work, stop)
const link = new LeaderLink()
const tasks = new TaskClient(link)

const watch = new ElectionWatch({ members, secure, log, stop, changed: () => showMembers(page.parts, watch) })
const site = createSite({ log, notFound: notFoundPage, changes: changesWith(token) })
addHome(site, page, work.pictures, link)
addApi(site, tasks, work.pictures, watch)
const { address } = await serveSite(site, { host: own.webserverHost, port: own.webserverPort, stop, log })
log.info(`Serving the page on ${address}`)
token.tell(address)
await belongToMachine({
  program: 'webserver',
  config: settings,
  read,
  drains: () => [link],
  health: () => ({
    healthy: link.isConnected,
    status: link.isConnected ? 'Connected' : 'Waiting for a leader',
  }),
  log,
})
await watch.follow(async (leader, over) => {
  const connection = { ...wayTo(leader, members), secure, stop: over, log }
  await link.run(leader, new Spectator(connection, { leader, work, page, tasks }))
})
