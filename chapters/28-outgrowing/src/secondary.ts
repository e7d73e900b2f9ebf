/** What a node does for whoever leads, itself included: tasks. */
import type { Leader } from '@rpi-cluster/core/election'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { LeaderLink, wayTo } from './leader-link.ts'
import { key, log, settings } from './self.ts'
import { queue } from './work-queue.ts'

const { members } = settings
const secure = encryptedBy(key)
const link = new LeaderLink()

export const worker = queue.openWorker(link)

class Secondary extends ConnectingNode {
  override handlers = worker.handlers

  override async greet() {
    await this.send('node_baseinfo', { ...(await baseInfo()), client: this.client })
    await worker.introduce()
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }
}

/** Does what a leader hands out, until another one leads. */
export async function workFor(leader: Leader, over: AbortSignal) {
  await link.run(leader, new Secondary({ ...wayTo(leader, members), secure, stop: over, log }))
}
