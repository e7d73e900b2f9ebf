/** What each kind costs, measured in one run, one after the other: the table of the README. It asserts no figure. */

import type { NewTask } from '@rpi-cluster/core/tasks'
import { ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { PATIENCE } from './cluster.ts'
import { KINDS } from './kinds.ts'
import { isHere, memoryOf, openWorld, type World } from './world.ts'

const SUBMITTED = 10_000
const DONE = 2_000
const ONE_AT_A_TIME = 200
const KILLS = 7

const figures = new Map<string, Map<string, string>>()

function measured(kind: string, what: string, figure: string) {
  const row = figures.get(what) ?? new Map<string, string>()
  figures.set(what, row.set(kind, figure))
}

const median = (values: number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
const perSecond = (count: number, ms: number) =>
  `${Math.round((count / ms) * 1_000).toLocaleString('en')} a second`
const inMs = (ms: number) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed()} ms`

const tasks = (prefix: string, count: number, more: Partial<NewTask> = {}): NewTask[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${index}`,
    name: 'trouble',
    input: index,
    ...more,
  }))

test.skipIf(!isHere('nats') || !isHere('etcd'))(
  'own and engine, in one run',
  { timeout: 600_000 },
  async () => {
    for (const { queue, leader } of KINDS) {
      const copy = await ChapterCopy.make('28-outgrowing')
      const kinds = { queue, leader, count: 3, mostWaiting: 100_000, natsMb: 1_024, electionMs: 1_000 }
      try {
      const world = await openWorld(copy, kinds)
      await measure(world, queue)
      await world.close()
    } finally {
      await copy.remove()
    }
    }
    const lines = [...figures].map(([what, row]) => `| ${what} | ${[...row.values()].join(' | ')} |`)
    console.info(['', '| Measured | own | NATS and etcd |', '| --- | --- | --- |', ...lines].join('\n'))
    expect(lines.length).toBeGreaterThan(5)
  },
)

async function measure(world: World, kind: string) {
  const { client, nodes, names, watch } = world
  const stop = new AbortController().signal
  const done = async (list: NewTask[]) => {
    await client.submit(list, { follow: true, stop })
    let good = 0
    for await (const end of client.ends()) good += end.state === 'done' ? 1 : 0
    expect(good).toBe(list.length)
  }
  await done(tasks('warm', 500))

  let begin = performance.now()
  await client.submit(tasks('in', SUBMITTED, { requires: ['a-camera'], group: 'in' }), { stop })
  measured(
    kind,
    'Tasks handed in, 1,000 a message, by one who submits',
    perSecond(SUBMITTED, performance.now() - begin),
  )
  measureMemory(world, kind)
  await world.ask(() => client.cancel({ group: 'in' }))

  const handed: number[] = []
  for (const task of tasks('one', ONE_AT_A_TIME, { requires: ['a-camera'], group: 'one' })) {
    begin = performance.now()
    await client.submit([task], { stop })
    handed.push(performance.now() - begin)
  }
  measured(kind, 'One task handed in, until that is acknowledged (median)', inMs(median(handed)))
  await world.ask(() => client.cancel({ group: 'one' }))

  begin = performance.now()
  await done(tasks('done', DONE))
  measured(
    kind,
    'Empty tasks done, by three nodes with one slot each',
    perSecond(DONE, performance.now() - begin),
  )

  const through: number[] = []
  for (const task of tasks('through', ONE_AT_A_TIME)) {
    begin = performance.now()
    await done([task])
    through.push(performance.now() - begin)
  }
  measured(kind, 'One empty task, from handing in to its end (median)', inMs(median(through)))

  const pauses: number[] = []
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { name, term } = await watch.whenLed()
    await nodes.kill(name)
    const killed = performance.now()
    await vi.waitFor(() => expect(watch.leader?.term).toBeGreaterThan(term), {
      timeout: PATIENCE.timeout,
      interval: 5,
    })
    pauses.push(performance.now() - killed)
    await nodes.start(name)
    await vi.waitFor(
      () => expect(names.every((one) => watch.views.get(one)?.isReachable)).toBe(true),
      PATIENCE,
    )
  }
  measured(kind, `A leader killed, until another one leads (median of ${KILLS})`, inMs(median(pauses)))
  measured(kind, `The same, at the worst`, inMs(Math.max(...pauses)))
}

function measureMemory({ nodes, names, engineMemory, watch }: World, kind: string) {
  const of = (name: string) => `${memoryOf(nodes.of(name).pid).toFixed()} MB`
  const leader = watch.leader?.name ?? ''
  measured(kind, `Memory of the leader, with ${SUBMITTED.toLocaleString('en')} tasks that wait`, of(leader))
  measured(kind, 'Memory of another node', of(names.find((name) => name !== leader) ?? ''))
  const engines = engineMemory().map(({ command, mb }) => `${command} ${mb.toFixed()} MB`)
  measured(kind, 'Memory of the engines', engines.join(', ') || 'none')
}
