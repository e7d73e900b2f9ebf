/** A daemon with all that one can have: a port, a key, a configuration that is read again, tasks, and health. */
import { readFileSync } from 'node:fs'
import { host, loadConfig, port, wholeNumber } from '@rpi-cluster/core/config'
import {
  credentialFile,
  drainFirst,
  inheritedSocket,
  onReload,
  remoteTasks,
  tellHealth,
  withRootTasks,
} from '@rpi-cluster/core/daemon'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ListeningNode } from '@rpi-cluster/core/node'
import { nodeTasks } from '@rpi-cluster/core/node-tasks'
import { looks } from './looks.ts'

const shape = {
  section: 'node',
  keys: { socket_port: port, socket_bind_ip: host, factor: wholeNumber(1, 1000) },
}

const stop = stopSignal()
const log = createLogger('node')
const read = () => loadConfig(shape, log)
const config = read()
let { factor } = config
const apply = (now: typeof config) => {
  factor = now.factor
}
const reloads = onReload({ log, config, read, live: ['factor'], apply })
const key = readFileSync(credentialFile('key', 'node.key'), 'utf8').trim()
const tasks = remoteTasks({
  allow: { tester: ['reboot', 'update-system'] },
  log,
  tasks: withRootTasks(nodeTasks()),
  who: () => 'tester',
})

class Node extends ListeningNode {
  taken = 0
  override handlers = {
    message: () => {
      this.taken += 1
    },
  }
  override answers = {
    times: (_: unknown, about: unknown) => ({ type: 'product', payload: Number(about) * factor }),
    key: () => ({ type: 'key_length', payload: key.length }),
    look: async (_: unknown, about: unknown) => ({ type: 'seen', payload: await looks[String(about)]?.() }),
    ...tasks,
  }
}

const { socketBindIp, socketPort } = config
const descriptor = inheritedSocket('nodes')
const node = new Node({ peer: 'tester', host: socketBindIp, port: socketPort, descriptor, stop, log })
const health = () => ({
  healthy: reloads.problems.length === 0,
  status: `${node.roster.members.length} here`,
  reloads,
})
await tellHealth({ program: 'node', log, health })
drainFirst(node, { log })
await node.run()
log.info(`Taken: ${node.taken}`)
