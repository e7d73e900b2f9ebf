/** What a program promises the machine that it belongs to. */
import { type Draining, drainFirst, onReload, type ReloadOptions, tellHealth } from '@rpi-cluster/core/daemon'
import { ConnectingNode, type ListeningNode } from '@rpi-cluster/core/node'

interface BelongOptions<Config extends object> extends Omit<ReloadOptions<Config>, 'live' | 'apply'> {
  /** What the program is called. */
  program: string
  node: ConnectingNode | ListeningNode
  /** What holds at once when it is read again, and how. Default: nothing does. */
  live?: ReloadOptions<Config>['live']
  apply?: ReloadOptions<Config>['apply']
  /** What is to come to its end before its node says goodbye. */
  before?: Draining
}

/** From now on it reads its configuration again when asked to, finishes what is in work before it stops, and says how it does. */
export async function belongToMachine<Config extends object>(options: BelongOptions<Config>) {
  const { program, node, before, log } = options
  const reloads = onReload({ live: [], apply: () => {}, ...options })
  const drain = async () => {
    await before?.drain()
    await node.drain()
  }
  drainFirst({ drain }, { log })
  await tellHealth({ program, log, health: () => ({ ...healthOf(node), reloads }) })
}

function healthOf(node: ConnectingNode | ListeningNode) {
  if (!(node instanceof ConnectingNode))
    return {
      healthy: true,
      status: `Here: ${node.roster.members.map(({ name }) => name).join(', ') || 'nobody'}`,
    }
  const healthy = node.isConnected
  return { healthy, status: healthy ? `Connected as client ${node.client}` : 'Waiting for the primary' }
}
