/** What a node is while it leads: the primary, with the tasks of the queue that the configuration chooses. */
import type { Reign } from '@rpi-cluster/core/election'
import { ListeningNode } from '@rpi-cluster/core/node'
import type { LogReign } from '@rpi-cluster/core/replicated-log'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { Nodes } from './nodes.ts'
import { keys, log, self, settings } from './self.ts'
import { queue } from './work-queue.ts'

const { bindIp: host } = settings

/** The primary that this node is now, if it leads. */
export let primary: ListeningNode | undefined

/** Is the primary for as long as it leads. */
export async function lead(reign: Reign | LogReign, stop: AbortSignal) {
  class Primary extends ListeningNode {
    readonly tasks = queue.openDesk({ node: this, reign, ended: (end) => this.nodes.tellEnd(end), stop })
    readonly nodes = new Nodes({ roster: this.roster, tables: this.tasks.tables, log })

    override handlers = {
      ...this.tasks.handlers,
      node_baseinfo: this.nodes.introduce,
      subscribe: this.nodes.broadcast.subscribe,
      unsubscribe: this.nodes.broadcast.unsubscribe,
    }

    override answers = {
      ...this.tasks.answers,
      node_baseinfo: async () => ({ type: 'primary_info', payload: await baseInfo() }),
    }
  }

  const secure = encryptedWith(keys, { stop, log })
  const leading = new Primary({ peer: 'secondary', host, port: self.leaderPort, secure, stop, log })
  await leading.tasks.recovered
  primary = leading
  await leading.run()
  primary = undefined
}
