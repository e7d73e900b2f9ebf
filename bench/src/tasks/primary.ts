/**
 * The primary: `primary.ts`. It tells its port when it listens. Asked, it measures round trips to a node, or tells what it
 * takes of memory.
 */
import { ListeningNode } from '@rpi-cluster/core/node'
import { Tasks } from '@rpi-cluster/core/tasks'
import getPort from 'get-port'
import { noLog } from '../no-log.ts'
import { tasks as definitions } from './definitions.ts'
import { listening, NODES, SUBMITTER, stop } from './keys.ts'
import { medianOf } from './latencies.ts'

export interface PrimaryOrder {
  /** How many round trips to the first node. */
  roundTrips?: number
}

export interface PrimaryReport {
  port: number
  /** How long half of the round trips took at most, in µs. */
  roundTrip: number
  /** After a collection, in bytes. */
  memory: number
}

const port = await getPort()
const primary = new ListeningNode({ ...(await listening()), port })
const tasks = new Tasks({
  node: primary,
  tasks: definitions,
  submitters: () => [SUBMITTER],
  log: noLog,
  stop,
})
primary.handlers = tasks.handlers
primary.answers = { ...tasks.answers, nothing: () => ({ type: 'nothing', payload: null }) }
void primary.run()

process.on('disconnect', () => process.exit())
process.on('message', async ({ roundTrips = 0 }: PrimaryOrder) => {
  const [node] = primary.roster.entries.map(([peer]) => peer).filter((peer) => peer.node === NODES[0])
  const roundTrip = node
    ? await medianOf(roundTrips, () => primary.ask(node, 'nothing', { answer: 'nothing' }))
    : Number.NaN
  for (let times = 0; times < 3; times += 1) globalThis.gc?.()
  process.send?.({ port, roundTrip, memory: process.memoryUsage.rss() } satisfies PrimaryReport)
})
