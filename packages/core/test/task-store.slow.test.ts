/** A month of tasks, and a hundred thousand that wait: how much room they take, and how long a start takes. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect, onTestFinished, test } from 'vitest'
import type { TaskEvent } from '../src/task-journal.ts'
import type { openTaskStore as openFromSource, TaskStore } from '../src/task-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { recordingLog, tempFolder } from './support.ts'
import { BEGIN, submitted } from './task-log-support.ts'

const { openTaskStore }: { openTaskStore: typeof openFromSource } = await import(
  join(BUILT_FIXTURES, 'task-store.js')
)

const MONTH_MS = 30 * 86_400_000
const TASKS = 1_000_000
const TOGETHER = 500

async function opened(folder: string): Promise<{ store: TaskStore; warnings: string[]; ms: number }> {
  const { log, records } = recordingLog()
  const began = performance.now()
  const store = await openTaskStore({ name: 'tasks', folder, log, stop: new AbortController().signal })
  onTestFinished(() => store.close())
  const warnings = records.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
  return { store, warnings, ms: performance.now() - began }
}

function megabytesOf(folder: string, kind = /./): number {
  const names = readdirSync(folder).filter((name) => kind.test(name))
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 1e6
}

test('a million tasks of a month are kept in 300 MB, and tidied up meanwhile', {
  timeout: 900_000,
}, async () => {
  const folder = tempFolder()
  const { store } = await opened(folder)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const commits: number[] = []
  let most = 0
  for (let task = 0; task < TASKS; task += TOGETHER) {
    const events = Array.from({ length: TOGETHER }, (_, index): TaskEvent[] => {
      const id = crypto.randomUUID()
      const at = BEGIN + Math.floor(((task + index) / TASKS) * MONTH_MS)
      return [
        submitted(id, at),
        { kind: 'tried', id, attempts: 1, lost: 0, node: 'secondary-1' },
        {
          kind: 'ended',
          id,
          state: 'done',
          result: '[1,2,3]',
          node: 'secondary-1',
          attempts: 1,
          lost: 0,
          ms: 7,
          at: at + 7,
        },
      ]
    })
    const began = performance.now()
    await store.write(events.flat())
    commits.push(performance.now() - began)
    if (task % 50_000 === 0) most = Math.max(most, megabytesOf(join(folder, 'tasks')))
  }
  delay.disable()
  const { tasks } = await store.history({ limit: 1000 })
  expect(tasks).toHaveLength(1000)
  const searched = performance.now()
  expect(await store.history({ limit: 1, name: 'nothing' })).toEqual({ tasks: [] })
  const searchMs = performance.now() - searched
  expect(megabytesOf(join(folder, 'tasks'), /history/)).toBeLessThan(300)
  expect(megabytesOf(join(folder, 'tasks'))).toBeLessThan(400)
  await store.close()
  const again = await opened(folder)
  expect(again.warnings).toEqual([])
  commits.sort((one, other) => one - other)
  console.log(
    [
      `${TASKS} tasks: history ${megabytesOf(join(folder, 'tasks'), /history/).toFixed(0)} MB, all ${megabytesOf(join(folder, 'tasks')).toFixed(0)} MB, at most ${most.toFixed(0)} MB`,
      `commits of ${TOGETHER} tasks: p50 ${commits[commits.length >> 1]?.toFixed(1)} ms, p99 ${commits[Math.floor(commits.length * 0.99)]?.toFixed(1)} ms, most ${commits.at(-1)?.toFixed(1)} ms`,
      `event loop: p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, most ${(delay.max / 1e6).toFixed(1)} ms`,
      `a search through all of it: ${searchMs.toFixed(0)} ms; opened again in ${again.ms.toFixed(0)} ms`,
    ].join('\n'),
  )
})

test('a hundred thousand tasks that wait are there after a start', { timeout: 300_000 }, async () => {
  const folder = tempFolder()
  const { store } = await opened(folder)
  const COUNT = 100_000
  const input = JSON.stringify({ tile: 'x'.repeat(300) })
  for (let task = 0; task < COUNT; task += 1000)
    await store.write(Array.from({ length: 1000 }, (_, index) => submitted(task + index, BEGIN, input)))
  await store.close()
  const again = await opened(folder)
  const began = performance.now()
  let [count, wrong] = [0, 0]
  for (const { id } of again.store.recovered()) {
    if (Number(id) !== count) wrong += 1
    count += 1
  }
  expect([count, wrong]).toEqual([COUNT, 0])
  console.log(
    `${COUNT} tasks: opened in ${again.ms.toFixed(0)} ms, and taken in ${(performance.now() - began).toFixed(0)} ms more`,
  )
})
