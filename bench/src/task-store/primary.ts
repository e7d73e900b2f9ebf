/**
 * A primary that keeps its tasks: `primary.ts FOLDER`. It tells how long its start took, and when it listens. Asked, it measures
 * what its disk takes.
 */
import { ListeningNode } from '@rpi-cluster/core/node'
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { Tasks } from '@rpi-cluster/core/tasks'
import getPort from 'get-port'
import { noLog } from '../no-log.ts'
import { tasks as definitions } from '../tasks/definitions.ts'
import { listening, SUBMITTER, stop } from '../tasks/keys.ts'
import { medianSync } from './median-sync.ts'

export interface PrimaryOrder {
  /** How many times a file is written to and synchronised. */
  syncs?: number
}

export interface PrimaryReport {
  port: number
  /** From before the store was opened until the primary knew its tasks, in ms, and how many it knew. */
  startMs: number
  recovered: number
  /** How long half of these took at most, in µs. */
  sync: number
}

/** More than are submitted in any measurement. */
const MOST_WAITING = 10_000_000

const folder = process.argv[2] ?? ''
const port = await getPort()
const primary = new ListeningNode({ ...(await listening()), port })
const began = performance.now()
const journal = await openTaskStore({ name: 'tasks', folder, log: noLog, stop })
const tasks = new Tasks({
  node: primary,
  tasks: definitions,
  submitters: () => [SUBMITTER],
  journal,
  mostWaiting: MOST_WAITING,
  mostWaitingBytes: Number.POSITIVE_INFINITY,
  log: noLog,
  stop,
})
const startMs = performance.now() - began
const recovered = tasks.tables.queue.get('queue')?.waiting ?? 0
primary.handlers = tasks.handlers
primary.answers = { ...tasks.answers, nothing: () => ({ type: 'nothing', payload: null }) }
void primary.run()

process.on('disconnect', () => process.exit())
process.on('message', async ({ syncs = 0 }: PrimaryOrder) => {
  const sync = syncs && (await medianSync(folder, syncs))
  process.send?.({ port, startMs, recovered, sync } satisfies PrimaryReport)
})
