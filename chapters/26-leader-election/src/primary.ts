/** What a node is while it leads: the primary of 25, with the tasks of its own store. */
import type { Reign } from '@rpi-cluster/core/election'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { Tasks } from '@rpi-cluster/core/tasks'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { tellHistory } from './history.ts'
import { Nodes } from './nodes.ts'
import { keys, log, self, settings } from './self.ts'
import { reopen, store } from './store.ts'
import { tasks } from './tasks.ts'

const { bindIp: host, mostWaiting, attempts } = settings
const submitters = () => settings.submitters

/** The primary that this node is now, if it leads. */
export let primary: ListeningNode | undefined

/** Is the primary for as long as it leads. */
export async function lead(reign: Reign, stop: AbortSignal) {
  const term = { number: reign.term, isHeld: () => reign.isHeld() }

  class Primary extends ListeningNode {
    readonly tasks = new Tasks({
      ...{ node: this, tasks, submitters, journal: store, mostWaiting, attempts, term, desk: self.name },
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
      task_history: tellHistory(store, submitters),
      node_baseinfo: async () => ({ type: 'primary_info', payload: await baseInfo() }),
    }
  }

  const secure = encryptedWith(keys, { stop, log })
  primary = new Primary({ peer: 'secondary', host, port: self.leaderPort, secure, stop, log })
  await primary.run()
  primary = undefined
  await reopen()
}
