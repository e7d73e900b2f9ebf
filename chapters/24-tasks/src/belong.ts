/** What a program promises the machine that it belongs to, and what that grants it. */
import {
  drainFirst,
  onReload,
  type ReloadOptions,
  remoteTasks,
  tellHealth,
  withRootTasks,
} from '@rpi-cluster/core/daemon'
import type { Logger } from '@rpi-cluster/core/logging'
import { ConnectingNode, type ListeningNode } from '@rpi-cluster/core/node'
import { nodeTasks } from '@rpi-cluster/core/node-tasks'

interface BelongOptions<Config extends object> extends ReloadOptions<Config> {
  /** What the program is called. */
  program: string
  node: ConnectingNode | ListeningNode
}

/** From now on it reads its configuration again when asked to, finishes what is in work before it stops, and says how it does. */
export async function belongToMachine<Config extends object>(options: BelongOptions<Config>) {
  const { program, node, log } = options
  const reloads = onReload(options)
  drainFirst(node, { log })
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

/** The tasks that the primary may have done on this machine. Those that only root may do are done by systemd, where it was told to. */
export function grantTasks(allowed: () => readonly string[], log: Logger) {
  const tasks = withRootTasks(nodeTasks())
  return remoteTasks({ allow: () => ({ primary: allowed() }), tasks, who: () => 'primary', log })
}
