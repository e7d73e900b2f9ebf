/**
 * A primary that keeps its tasks: `primary.ts FOLDER`. It tells how long its start took, and when it listens. Asked, it measures
 * what its disk takes.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ListeningNode } from '@rpi-cluster/core/node'
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { Tasks } from '@rpi-cluster/core/tasks'
import getPort from 'get-port'
import { noLog } from '../no-log.ts'
import { tasks as definitions } from '../tasks/definitions.ts'
import { listening, SUBMITTER, stop } from '../tasks/keys.ts'
import { medianOf } from '../tasks/latencies.ts'

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

/** Into a file that is there already only its bytes are written: this many at a time, as many as one task takes. */
const FILE_BYTES = 1024 * 1024
const RECORD = Buffer.alloc(200, 'x')

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
  const sync = syncs && (await medianSync(syncs))
  process.send?.({ port, startMs, recovered, sync } satisfies PrimaryReport)
})

async function medianSync(times: number): Promise<number> {
  const file = openSync(join(folder, 'synchronised'), 'w')
  writeSync(file, Buffer.alloc(FILE_BYTES))
  fsyncSync(file)
  let at = 0
  const median = await medianOf(times, async () => {
    writeSync(file, RECORD, 0, RECORD.length, at)
    fdatasyncSync(file)
    at = (at + RECORD.length) % (FILE_BYTES - RECORD.length)
  })
  closeSync(file)
  return median
}
