/**
 * A store with a month of tasks that have ended: `month.ts FOLDER`. It writes a part of them when it is told to, and then has
 * them pruned, since there is a later month. It tells for how long its event loop stood still meanwhile.
 */
import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openTaskStore } from '@rpi-cluster/core/task-store'
import type { TaskEvent } from '@rpi-cluster/core/tasks'
import { noLog } from '../no-log.ts'
import { stop } from '../tasks/keys.ts'

export interface MonthOrder {
  /** Which of how many tasks are written. */
  write?: { from: number; to: number; of: number }
  prune?: boolean
}

export interface MonthReport {
  /** The longest pause of the event loop, and the longest time that somebody waited for a commit of one task, in ms. */
  pause: number
  commit: number
}

const BEGIN = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000
const DAYS = 30

/** How many tasks are written together. */
const TOGETHER = 500

/** Of the month, these days are pruned one at a time, and the others all at once. */
const ONE_BY_ONE = 15

/** All of it, until it is pruned for its age. */
const keep = { days: DAYS, mostMb: 10_000 }

const store = await openTaskStore({ name: 'tasks', folder: process.argv[2] ?? '', keep, log: noLog, stop })

process.on('disconnect', () => process.exit())
process.on('message', async ({ write, prune: isToPrune }: MonthOrder) => {
  const delay = monitorEventLoopDelay({ resolution: 1 }) // of nanoseconds
  delay.enable()
  if (write) for (let n = write.from; n < write.to; n += TOGETHER) await writeSome(n, write.of)
  const commit = isToPrune ? await prune() : 0
  delay.disable()
  process.send?.({ pause: delay.max / 1e6, commit } satisfies MonthReport)
})
process.send?.({})

async function writeSome(first: number, of: number): Promise<void> {
  const events = Array.from({ length: TOGETHER }, (_, n) =>
    taskEndedAt(BEGIN + ((first + n) / of) * DAYS * DAY_MS),
  )
  await store.write(events.flat())
}

/** Lets a month pass, and writes a task whenever the one before is on the disk. */
async function prune(): Promise<number> {
  let [longest, isOver] = [0, false]
  let now = BEGIN + DAYS * DAY_MS
  const commits = async () => {
    while (!isOver) {
      const began = performance.now()
      await store.write(taskEndedAt(now))
      longest = Math.max(longest, performance.now() - began)
    }
  }
  const pass = async (days: number) => {
    now += days * DAY_MS
    await store.write(taskEndedAt(now))
    await store.history({ limit: 1 }) // what was gathered is written for it, and a day's first task begins a file
  }
  const passing = async () => {
    for (let day = 0; day < ONE_BY_ONE; day += 1) await pass(1)
    await pass(2 * DAYS)
    isOver = true
  }
  await Promise.all([commits(), passing()])
  return longest
}

/** What a queue writes down of a task. */
function taskEndedAt(time: number): TaskEvent[] {
  const id = randomUUID()
  const at = Math.floor(time)
  const tried = { node: 'secondary-1', attempts: 1, lost: 0 }
  return [
    { kind: 'submitted', id, name: 'mandelbrot', input: '{"x":80,"y":160}', by: 'submitter', group: 'p', at },
    { kind: 'tried', id, ...tried },
    { kind: 'ended', id, state: 'done', result: '[1,2,3]', ...tried, ms: 7, at: at + 7 },
  ]
}
