/**
 * A node that does tasks: `node.ts NAME PORT CHILDREN`. It tells when it is connected. Asked, it measures calls of a pool of
 * its own, beside that which works for the primary.
 */
import { ConnectingNode } from '@rpi-cluster/core/node'
import { TaskPool, TaskWorker } from '@rpi-cluster/core/worker'
import { noLog } from '../no-log.ts'
import { tasks } from './definitions.ts'
import { connecting, stop } from './keys.ts'
import { medianOf } from './latencies.ts'

export interface NodeOrder {
  /** How many calls of the pool. */
  calls: number
}

const [name = '', port, children] = process.argv.slice(2)
const file = new URL('definitions.ts', import.meta.url)

class Node extends ConnectingNode {
  readonly worker = new TaskWorker({ node: this, file, tasks, slots: Number(children), log: noLog, stop })

  override handlers = this.worker.handlers
  override answers = { nothing: () => ({ type: 'nothing', payload: null }) }

  override async greet() {
    await this.worker.introduce()
    process.send?.({})
  }
}

let pool: TaskPool | undefined
process.on('disconnect', () => process.exit())
process.on('message', async ({ calls }: NodeOrder) => {
  pool ??= new TaskPool({ file, tasks, children: 1, log: noLog, stop })
  const work = { id: 'one', name: 'empty', input: 'null', attempt: 1 }
  process.send?.({ call: await medianOf(calls, async () => pool?.run(work)) })
})
await new Node(await connecting(name, Number(port))).run()
