/** What the web server is to a leader: a node that does no tasks, and follows what becomes of them. */
import type { Leader } from '@rpi-cluster/core/election'
import { ConnectingNode, type ConnectingNodeOptions } from '@rpi-cluster/core/node'
import type { TaskClient } from '@rpi-cluster/core/tasks'
import { baseInfo } from '@rpi-cluster/core/vitals'
import type { HomePage } from './page.ts'
import type { Work } from './work.ts'

interface Sights {
  leader: Leader
  work: Work
  page: HomePage
  tasks: TaskClient
}

export class Spectator extends ConnectingNode {
  readonly #sights: Sights

  constructor(options: ConnectingNodeOptions, sights: Sights) {
    super(options)
    this.#sights = sights
    this.handlers = sights.work.handlers
  }

  override async greet() {
    const { work, page } = this.#sights
    work.begin()
    this.over.addEventListener('abort', () => page.primaryIsGone())
    await this.send('node_baseinfo', { ...(await baseInfo()), client: this.client, program: 'webserver' })
    for (const topic of work.topics) await this.send('subscribe', topic)
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }

  override async performAction() {
    const { leader, work, page, tasks } = this.#sights
    page.primaryIsHere(leader.name)
    await work.catchUp(tasks)
    await this.pause(500)
  }
}
