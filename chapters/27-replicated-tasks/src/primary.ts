/** What a node is while it leads: the primary, with the tasks of all. */
import { ListeningNode } from '@rpi-cluster/core/node'
import type { LogReign } from '@rpi-cluster/core/replicated-log'
import { replicatedJournal } from '@rpi-cluster/core/replicated-tasks'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { Tasks } from '@rpi-cluster/core/tasks'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { tellHistory } from './history.ts'
import { ledger, store } from './ledger.ts'
import { Nodes } from './nodes.ts'
import { desk, keys, log, self, settings } from './self.ts'
import { tasks } from './tasks.ts'

const { bindIp: host, mostWaiting, attempts } = settings
const submitters = () => settings.submitters

/** The primary that this node is now, if it leads. */
export let primary: ListeningNode | undefined

/** Is the primary for as long as it leads. */
export async function lead(reign: LogReign, stop: AbortSignal) {
  const term = { number: reign.term, isHeld: () => reign.isHeld() }
  const journal = replicatedJournal(reign, ledger)
  const clock = () => reign.time()

  class Primary extends ListeningNode {
    readonly tasks = new Tasks({
      ...{ node: this, tasks, submitters, journal, clock, mostWaiting, attempts, term, desk },
      recoversInTurns: true,
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
  const leading = new Primary({ peer: 'secondary', host, port: self.leaderPort, secure, stop, log })
  await leading.tasks.recovered
  primary = leading
  await leading.run()
  primary = undefined
}
