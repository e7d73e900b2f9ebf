import { inheritedSocket } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { Tasks } from '@rpi-cluster/core/tasks'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { belongToMachine } from './belong.ts'
import { config } from './config.ts'
import { tellHistory } from './history.ts'
import { Nodes } from './nodes.ts'
import { tasks } from './tasks.ts'

const stop = stopSignal()
const log = createLogger('primary')
const read = () => loadJsonConfig(config, 'primary', log)
const settings = read()
const { socketBindIp: host, socketPort: port, mostWaiting, attempts } = settings
const keep = { days: settings.historyDays, mostMb: settings.historyMb }
const store = await openTaskStore({ name: 'tasks', keep, log, stop })
const keys = await openKeys({ folder: settings.keys, nodes: settings.nodes, log, stop })

class Primary extends ListeningNode {
  readonly tasks = new Tasks({
    node: this,
    tasks,
    submitters: () => settings.submitters,
    journal: store,
    mostWaiting,
    attempts,
    ended: (end) => this.nodes.tellEnd(end),
    log,
    stop,
  })
  readonly nodes = new Nodes({ roster: this.roster, tables: this.tasks.tables, log })

  override handlers = {
    ...this.tasks.handlers,
    node_baseinfo: this.nodes.introduce,
    subscribe: this.nodes.broadcast.subscribe,
    unsubscribe: this.nodes.broadcast.unsubscribe,
  }

  override answers = {
    ...this.tasks.answers,
    task_history: tellHistory(store, () => settings.submitters),
    node_baseinfo: async () => ({ type: 'primary_info', payload: await baseInfo() }),
  }
}

const open = { secure: encryptedWith(keys, { stop, log }), descriptor: inheritedSocket('nodes') }
const primary = new Primary({ peer: 'secondary', host, port, ...open, stop, log })
const live = ['submitters'] as const
const apply = (now: typeof settings) => Object.assign(settings, now)
await belongToMachine({ program: 'primary', node: primary, config: settings, read, live, apply, log })
await primary.run()
