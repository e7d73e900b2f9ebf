import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Worker } from '../src/task-placement.ts'
import { TaskQueue, type TaskQueueOptions } from '../src/task-queue.ts'
import type { Task } from '../src/task-records.ts'

const KINDS = {
  short: { version: 1 },
  shoot: { version: 1, requires: ['camera'] },
  large: { version: 1, memoryMb: 600 },
}

/** Numbers from 0 to 1 that are the same each time. (mulberry32) */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A queue whose time is what the test says. */
function aQueue(options: Partial<TaskQueueOptions> = {}) {
  const time = { now: 1_000 }
  const ends: Task[] = []
  const recalls: string[] = []
  const queue = new TaskQueue({
    ...{ tasks: KINDS, clock: { now: () => time.now, date: () => 1_700_000_000_000 + time.now } },
    ended: (task) => void ends.push(task),
    recall: ({ name }, id) => void recalls.push(`${name} ${id}`),
    ...{ random: () => 0.5, ...options },
  })
  let count = 0
  return {
    ...{ queue, time, ends, recalls },
    add(
      name = 'short',
      {
        by = 'desk',
        input = '1',
        id = `t-${++count}`,
        group = undefined as string | undefined,
        requires = [] as string[],
      } = {},
    ) {
      const demand = queue.demands.of(name, requires)
      if (!demand) throw new Error('too many demands')
      return queue.add({ id, by, demand, input, group })
    },
    join: (
      name: string,
      { slots = 2, memoryMb = 1_000, has = ['linux'], tasks = ['short', 'shoot', 'large'] } = {},
    ) =>
      queue.join(name, name, {
        ...{
          tasks: new Map(tasks.map((task) => [task, 1])),
          slots,
          memoryMb,
          has: new Set(has),
          draining: false,
        },
      }),
    place() {
      const given: { task: Task; worker: Worker; lease: number }[] = []
      queue.place((task, worker) => void given.push({ task, worker, lease: task.lease?.number ?? 0 }))
      return given
    },
  }
}

describe('a queue', () => {
  test('gives in order what one submitter hands in, and takes turns between several', () => {
    const { add, join, place } = aQueue()
    join('pi-1', { slots: 6 })
    for (let index = 0; index < 100; index += 1) add('short', { by: 'much' })
    for (let index = 0; index < 3; index += 1) add('short', { by: 'little' })
    const given = place().map(({ task }) => `${task.line.lane.by} ${task.id}`)
    expect(given.filter((text) => text.startsWith('much'))).toEqual(['much t-1', 'much t-2', 'much t-3'])
    expect(given.filter((text) => text.startsWith('little'))).toEqual([
      'little t-101',
      'little t-102',
      'little t-103',
    ])
  })

  test('gives in order what needs different things, too', () => {
    const { add, join, place } = aQueue()
    join('pi-1', { slots: 3, has: ['camera'] })
    add('short')
    add('shoot')
    for (let index = 0; index < 3; index += 1) add('short')
    expect(place().map(({ task }) => task.id)).toEqual(['t-1', 't-2', 't-3'])
  })

  test('what is tried again after a failure knows nothing of its former nodes', () => {
    const { queue, add, join, place } = aQueue()
    const task = add()
    let lease = 0
    for (const name of ['pi-1', 'pi-2', 'pi-3']) {
      const pi = join(name)
      lease = place()[0]?.lease ?? 0
      queue.leave(pi)
    }
    expect(task.state).toBe('failed')
    queue.retry(task)
    expect(queue.settle(join('pi-3'), task.id, lease, { ms: 1, result: '1' })).toBe(false)
    expect(task).toMatchObject({ state: 'waiting', attempts: 0, lost: 0 })
  })

  test('keeps nothing waiting for what nobody can do, and says why that waits', () => {
    const { queue, add, join, place } = aQueue()
    expect(queue.stuck()).toEqual([])
    add('shoot')
    expect(queue.stuck()).toEqual(['no node that does tasks is here'])
    join('pi-1', { slots: 1 })
    add('short')
    expect(place().map(({ task }) => task.line.demand.name)).toEqual(['short'])
    expect(queue.stuck()).toEqual(['no node has camera'])
    join('pi-2', { has: ['camera'] })
    expect(place().map(({ task }) => task.line.demand.name)).toEqual(['shoot'])
    expect(queue.stuck()).toEqual([])
  })

  test('tries again what fails, later each time, and not for ever', () => {
    const { queue, time, ends, add, join, place } = aQueue()
    const pi = join('pi-1')
    const task = add()
    for (const pauseMs of [500, 1_000]) {
      const [given] = place()
      expect(queue.settle(pi, task.id, given?.lease ?? 0, { ms: 1, kind: 'threw', reason: 'no' })).toBe(true)
      // The same once more changes nothing.
      expect(queue.settle(pi, task.id, given?.lease ?? 0, { ms: 1, kind: 'threw', reason: 'no' })).toBe(false)
      expect(queue.nextWake).toBe(time.now + pauseMs)
      time.now += pauseMs - 1
      expect(place()).toEqual([])
      time.now += 1
    }
    const [last] = place()
    queue.settle(pi, task.id, last?.lease ?? 0, { ms: 1, kind: 'late', reason: 'no' })
    expect(ends).toEqual([task])
    expect(task).toMatchObject({
      state: 'failed',
      attempts: 3,
      lost: 0,
      ending: { kind: 'late', node: 'pi-1' },
    })
    expect(queue.retry(task)).toBe(true)
    expect(queue.retry(task)).toBe(false)
    expect(task).toMatchObject({ state: 'waiting', attempts: 0 })
    expect(place()).toHaveLength(1)
  })

  test('a node that is lost gives its tasks back, to the front, in their order', () => {
    const { queue, add, join, place } = aQueue()
    const pi = join('pi-1', { slots: 3 })
    for (let index = 0; index < 6; index += 1) add()
    place()
    expect(queue.leave(pi)).toEqual({ had: 3, poisoned: 0 })
    join('pi-2', { slots: 4 })
    expect(place().map(({ task }) => task.id)).toEqual(['t-1', 't-2', 't-3', 't-4'])
  })

  test('what loses nodes is tried alone, and has failed after the third', () => {
    const { queue, ends, add, join, place } = aQueue()
    const bad = add()
    for (const name of ['pi-1', 'pi-2']) {
      const pi = join(name)
      add()
      expect(place().map(({ task }) => task.id)).toContain('t-1')
      // The others end, and only this one is there when it dies.
      for (const task of queue.heldBy(pi))
        if (task !== bad) queue.settle(pi, task.id, task.lease?.number ?? 0, { ms: 1, result: '1' })
      queue.leave(pi)
    }
    const busy = join('pi-3')
    const other = join('pi-4')
    for (let index = 0; index < 10; index += 1) add()
    const given = place()
    const alone = given.find(({ task }) => task === bad)?.worker
    expect(alone?.inFlight).toBe(1)
    expect(place()).toEqual([])
    const idle = alone === busy ? other : busy
    expect(idle.inFlight).toBe(2)
    if (alone) queue.leave(alone)
    expect(bad).toMatchObject({
      state: 'failed',
      lost: 3,
      ending: { kind: 'poison', reason: `3 nodes were lost with it: pi-1, pi-2, ${alone?.name}` },
    })
    expect(ends.filter((task) => task === bad)).toHaveLength(1)
  })

  test('a task that is tried alone is tried where there is memory for it', () => {
    const { queue, add, join, place } = aQueue()
    const bad = add('large')
    for (const name of ['pi-1', 'pi-2']) {
      const pi = join(name)
      place()
      queue.leave(pi)
    }
    join('pi-3', { memoryMb: 100 })
    expect([bad.lost, place()]).toEqual([2, []])
    const pi = join('pi-4')
    expect(place()).toMatchObject([{ task: bad, worker: pi }])
  })

  test('a task that is tried alone has a busy node kept free for it', () => {
    const { queue, add, join, place } = aQueue()
    const bad = add()
    for (const name of ['pi-1', 'pi-2']) {
      const pi = join(name)
      place()
      queue.leave(pi)
    }
    queue.waiting.remove(bad) // as if it rested
    const pi = join('pi-3')
    for (let index = 0; index < 10; index += 1) add()
    expect(place()).toHaveLength(2)
    queue.waiting.addInFront(bad, true)
    const held = queue.heldBy(pi)
    for (const [index, task] of held.entries()) {
      queue.settle(pi, task.id, task.lease?.number ?? 0, { ms: 1, result: '1' })
      expect(place().map(({ task }) => task)).toEqual(index === held.length - 1 ? [bad] : [])
    }
    queue.settle(pi, bad.id, bad.lease?.number ?? 0, { ms: 1, result: '1' })
    expect(place().length).toBeGreaterThan(1)
  })

  test('a node that comes back goes on with what waits still, and leaves alone what others have', () => {
    const { queue, recalls, add, join, place } = aQueue()
    const before = join('pi-1', { slots: 2 })
    const [first, second] = [add(), add()]
    const leases = new Map(place().map(({ task, lease }) => [task, lease]))
    queue.leave(before)
    const other = join('pi-2', { slots: 1 })
    expect(place().map(({ task }) => task)).toEqual([first])
    const back = join('pi-1')
    const stranger = join('pi-3')
    const resume = (worker: Worker, task: Task) => queue.resume(worker, task.id, leases.get(task) ?? 0)
    expect(resume(stranger, second)).toBe(false)
    expect(resume(back, first)).toBe(false)
    expect(resume(back, second)).toBe(true)
    expect(resume(back, second)).toBe(true)
    expect(first).toMatchObject({ state: 'running', attempts: 1, lost: 0 })
    expect(second).toMatchObject({ state: 'running', attempts: 1, lost: 0 })
    expect(queue.settle(back, second.id, leases.get(second) ?? 0, { ms: 1, result: '2' })).toBe(true)
    expect(second.state).toBe('done')
    expect(recalls).toEqual([])
    expect(other.inFlight).toBe(1)
  })

  test('a connection that is not known to be over loses its tasks to the one that comes back', () => {
    const { queue, add, join, place } = aQueue()
    const frozen = join('pi-1')
    const task = add()
    const [given] = place()
    const back = join('pi-1')
    expect(queue.resume(back, task.id, given?.lease ?? 0)).toBe(true)
    expect(queue.leave(frozen)).toEqual({ had: 0, poisoned: 0 })
    expect(task).toMatchObject({ state: 'running', attempts: 1, lost: 0, lease: { worker: back } })
  })

  test('a late end is taken while the task is open, and never twice', () => {
    const { queue, ends, recalls, add, join, place } = aQueue()
    const lost = join('pi-1', { slots: 1 })
    const task = add()
    const [first] = place()
    queue.leave(lost)
    const other = join('pi-2')
    const [second] = place()
    const back = join('pi-1')
    const end = (worker: Worker, lease: number | undefined, result: string) =>
      queue.settle(worker, task.id, lease ?? 0, { ms: 1, result })
    expect(end(other, first?.lease, '"not its own"')).toBe(false)
    expect(end(back, first?.lease, '"late"')).toBe(true)
    expect(recalls).toEqual(['pi-2 t-1'])
    expect(other.inFlight).toBe(0)
    expect(end(back, first?.lease, '"late"')).toBe(false)
    expect(end(other, second?.lease, '"second"')).toBe(false)
    expect(ends).toHaveLength(1)
    expect(task).toMatchObject({
      state: 'done',
      attempts: 1,
      lost: 0,
      ending: { result: '"late"', node: 'pi-1' },
    })
  })

  test.each([
    [
      'its result is taken, and the other one leaves the task alone',
      { result: '"late"' },
      'done',
      ['pi-2 t-1'],
    ],
    ['that it has ended it as it was told to changes nothing', { kind: 'cancelled' }, 'running', []],
  ])('of a node that comes back while another one has its task, %s', (_, outcome, state, recalled) => {
    const { queue, recalls, add, join, place } = aQueue()
    const lost = join('pi-1', { slots: 1 })
    const task = add()
    const lease = place()[0]?.lease ?? 0
    queue.leave(lost)
    join('pi-2')
    place()
    const back = join('pi-1')
    expect([queue.resume(back, task.id, lease), queue.resume(back, task.id, lease)]).toEqual([false, false])
    expect(task).toMatchObject({ state: 'running', attempts: 1, lost: 0 })
    expect(queue.settle(back, task.id, lease, { ms: 1, ...outcome })).toBe(true)
    expect(queue.settle(back, task.id, lease, { ms: 1, ...outcome })).toBe(false)
    expect(task).toMatchObject({ state, attempts: 1, lost: 0 })
    expect(recalls).toEqual(recalled)
  })

  test('a late failure does not end a try that goes on, and counts where none does', () => {
    const { queue, time, add, join, place } = aQueue()
    const lost = join('pi-1', { slots: 1 })
    const task = add()
    const [first] = place()
    queue.leave(lost)
    const back = join('pi-1', { tasks: [] })
    const failure = { ms: 1, kind: 'threw', reason: 'no' }
    expect(queue.settle(back, task.id, first?.lease ?? 0, failure)).toBe(true)
    expect(queue.settle(back, task.id, first?.lease ?? 0, failure)).toBe(false)
    expect(task).toMatchObject({ state: 'waiting', attempts: 1, lost: 0 })
    time.now += 1_000
    const pi2 = join('pi-2')
    const [second] = place()
    queue.leave(pi2)
    join('pi-3')
    place()
    const again = join('pi-2')
    expect(queue.settle(again, task.id, second?.lease ?? 0, failure)).toBe(true)
    expect(task).toMatchObject({ state: 'running', attempts: 2, lost: 0 })
  })

  test('what a node gives back is as if it had not had it; and it gets nothing for a second', () => {
    const { queue, time, add, join, place } = aQueue()
    const pi = join('pi-1', { slots: 2 })
    const tasks = [add(), add(), add()]
    const given = place()
    for (const { task, lease } of given.reverse()) expect(queue.giveBack(pi, task.id, lease)).toBe(true)
    expect(queue.giveBack(pi, 't-1', given[0]?.lease ?? 0)).toBe(false)
    expect(tasks.map(({ attempts, lost }) => [attempts, lost])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    expect(place()).toEqual([])
    expect(queue.nextWake).toBe(time.now + 1_000)
    time.now += 1_000
    expect(place().map(({ task }) => task.id)).toEqual(['t-1', 't-2'])
  })

  test('what was cancelled by a node that ends does not count', () => {
    const { queue, time, add, join, place } = aQueue()
    const pi = join('pi-1')
    const task = add()
    for (let count = 0; count < 5; count += 1) {
      const [given] = place()
      queue.settle(pi, task.id, given?.lease ?? 0, { ms: 1, kind: 'cancelled', reason: 'the node ends' })
      expect(task).toMatchObject({ state: 'waiting', attempts: 0 })
      time.now += 1_000
    }
  })

  test('what is far beyond its limit is taken from a node that is there', () => {
    const { queue, time, recalls, add, join, place } = aQueue({
      tasks: { short: { version: 1, seconds: 10 } },
    })
    const pi = join('pi-1', { slots: 2 })
    add()
    add()
    place()
    time.now += 39_999
    expect(queue.expire()).toEqual([])
    time.now += 1
    expect(queue.expire().map(([{ id }, node]) => `${id} ${node}`)).toEqual(['t-2 pi-1', 't-1 pi-1'])
    expect(recalls).toEqual(['pi-1 t-2', 'pi-1 t-1'])
    expect(pi.inFlight).toBe(0)
    expect(place().map(({ task }) => task.id)).toEqual(['t-1', 't-2'])
  })

  test('what waits behind others at a node has their time, too', () => {
    const { queue, time, add, join, place } = aQueue({ tasks: { short: { version: 1, seconds: 10 } } })
    const pi = join('pi-1', { slots: 1 })
    pi.speeds.set('short', { ms: 1, at: time.now, count: 10_000, slowestMs: 1 })
    for (let index = 0; index < 3; index += 1) add()
    expect(place()).toHaveLength(3)
    time.now += 59_999
    expect(queue.expire().map(([{ id }]) => id)).toEqual(['t-2', 't-1'])
  })

  test('forgets what has ended an hour ago, or takes too much', () => {
    const { queue, time, add, join, place } = aQueue({ keptBytes: 10_000 })
    const pi = join('pi-1')
    const done = (input: string) => {
      const task = add('short', { input, group: 'a group' })
      const [given] = place()
      queue.settle(pi, task.id, given?.lease ?? 0, { ms: 1, result: `"${'x'.repeat(1_000)}"` })
      queue.forget()
      return task
    }
    const [first, second] = [done('1'), done('2')]
    time.now += 3_600_001
    const third = done('3')
    expect([first, second, third].map(({ id }) => queue.get(id))).toEqual([undefined, undefined, third])
    for (let index = 0; index < 20; index += 1) done('4')
    expect(queue.size).toBe(6)
    expect(queue.groups.get('a group')?.members.length).toBeLessThan(13)
    expect(queue.groups.get('a group')?.counts.done).toBe(23)
  })

  test('goes on with what another process wrote down', () => {
    const { queue, time, add, join, place } = aQueue()
    const task = add()
    queue.restoreTries(task, { attempts: 1, lost: 0, node: 'pi-1' })
    const gone = add()
    queue.restoreTries(gone, { attempts: 2, lost: 1, node: 'pi-9' })
    expect(task).toMatchObject({ attempts: 0, state: 'waiting' })
    const other = join('pi-2')
    expect(place()).toEqual([])
    const back = join('pi-1')
    expect(queue.resume(other, task.id, 17)).toBe(false)
    expect(queue.resume(back, task.id, 17)).toBe(true)
    expect(task).toMatchObject({ attempts: 1, state: 'running', lease: { number: 17 } })
    time.now += 5_000
    expect(place().map(({ task }) => task)).toEqual([gone])
    expect(gone).toMatchObject({ attempts: 2, lost: 1 })
  })

  test.each([
    ['which is not lost after all', true, { attempts: 1, lost: 0 }],
    ['which was heard of before, so that another one is lost', false, { attempts: 2, lost: 1 }],
  ])('has a node go on that another process has lost, %s', (_, isCounted, tries) => {
    const { queue, add, join, place } = aQueue()
    const [waits, runs, ends] = [add(), add(), add()]
    for (const task of [waits, runs, ends])
      queue.restoreTries(task, { attempts: 1, lost: 1, gone: [{ node: 'pi-1', isCounted }] })
    join('pi-2', { slots: 1 })
    // What was lost waits for nobody.
    expect(place().map(({ task }) => task)).toEqual([ends])
    const back = join('pi-1')
    expect(queue.resume(join('pi-3'), waits.id, 17)).toBe(false)
    expect(queue.resume(back, waits.id, 17)).toBe(true)
    expect(waits).toMatchObject({ state: 'running', ...tries })
    expect(queue.settle(back, runs.id, 18, { ms: 1, kind: 'threw', reason: 'no' })).toBe(true)
    expect(queue.settle(back, runs.id, 18, { ms: 1, kind: 'threw', reason: 'no' })).toBe(false)
    expect(queue.resume(back, ends.id, 19)).toBe(false)
    expect(queue.settle(back, ends.id, 19, { ms: 1, result: '"late"' })).toBe(true)
    expect(ends).toMatchObject({ state: 'done', ending: { result: '"late"', node: 'pi-1' } })
  })

  test('knows a node by what it has now, though it was lost with that before', () => {
    const { queue, add, join, place } = aQueue()
    const task = add()
    const gone = [{ node: 'pi-1', isCounted: true }]
    queue.restoreTries(task, { attempts: 2, lost: 1, node: 'pi-1', gone })
    join('pi-2')
    expect(place()).toEqual([])
    expect(queue.resume(join('pi-1'), task.id, 17)).toBe(true)
    expect(task).toMatchObject({ attempts: 2, lost: 1 })
  })
})

test('a hundred thousand tasks that wait take little memory', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { queue, add } = aQueue()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 100_000; index += 1) add('short', { input: 'null', group: 'one' })
  collect()
  expect(queue.groups.counts.waiting).toBe(100_000)
  expect((process.memoryUsage().heapUsed - before) / 100_000).toBeLessThan(500)
})

describe('whatever happens', () => {
  test('each task is in one state, ends once, and none is lost', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        new Play(seed).run(120)
      }),
      { numRuns: 60 },
    )
  })
})

/** A node as it is for itself: what it has outlives its connection, unless it is killed. */
interface PlayedNode {
  name: string
  worker: Worker | undefined
  has: { id: string; lease: number }[]
}

/** A cluster whose every step is drawn from a seed. */
class Play {
  readonly #random: () => number
  readonly #world: ReturnType<typeof aQueue>
  readonly #nodes: PlayedNode[]
  readonly #all: Task[] = []
  readonly #leases = new Set<number>()
  readonly #endings = new Map<Task, number>()
  readonly #retries = new Map<Task, number>()
  /** Old connections of nodes that have come back, which nobody knows to be over. */
  readonly #stale: Worker[] = []

  constructor(seed: number) {
    this.#random = randomFrom(seed)
    this.#world = aQueue({
      random: this.#random,
      ended: (task) => void this.#endings.set(task, (this.#endings.get(task) ?? 0) + 1),
      recall: (worker, id) => {
        const node = this.#nodes.find((known) => known.worker === worker)
        if (node) node.has = node.has.filter((held) => held.id !== id)
      },
    })
    this.#nodes = ['pi-1', 'pi-2', 'pi-3'].map((name) => ({ name, worker: undefined, has: [] }))
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      this.#step()
      this.#check()
    }
    this.#heal()
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }

  #step(): void {
    const { queue, time } = this.#world
    const node = this.#pick(this.#nodes) as PlayedNode
    const steps: (() => void)[] = [
      () => this.#submit(),
      () => this.#submit(),
      () => this.#place(),
      () => this.#place(),
      () => this.#end(node, false),
      () => this.#end(node, false),
      () => this.#end(node, true),
      () => this.#come(node),
      () => this.#come(node),
      () => this.#lose(node, this.#random() < 0.5),
      () => this.#wrong(node),
      () => this.#giveBack(node),
      () => {
        if (node.worker) node.worker.abilities = { ...node.worker.abilities, draining: this.#random() < 0.3 }
      },
      () => {
        time.now += this.#random() * 20_000
      },
      () => {
        const task = this.#random() < 0.3 ? this.#pick(this.#all) : undefined
        if (task) queue.cancel(task)
      },
      () => {
        const task = this.#pick([...queue.endings.failed])
        if (task && queue.retry(task)) this.#retries.set(task, (this.#retries.get(task) ?? 0) + 1)
      },
      () => {
        for (const [{ id }, name] of queue.expire())
          for (const held of this.#nodes)
            if (held.name === name) held.has = held.has.filter((one) => one.id !== id)
      },
      () => {
        const stale = this.#stale.pop()
        if (stale) queue.leave(stale)
      },
    ]
    this.#pick(steps)?.()
  }

  #submit(): void {
    const { add } = this.#world
    const requires = this.#random() < 0.1 ? ['camera'] : []
    const name = this.#pick(['short', 'short', 'shoot', 'large']) ?? 'short'
    for (let count = 0; count < 3; count += 1)
      this.#all.push(
        add(name, { by: this.#pick(['desk', 'page']) ?? '', requires, group: this.#pick(['a', 'b']) }),
      )
  }

  #place(): void {
    const draining = new Set(
      this.#nodes.flatMap(({ worker }) => (worker?.abilities.draining ? [worker] : [])),
    )
    for (const { task, worker, lease } of this.#world.place()) {
      must(!draining.has(worker), 'who drains gets nothing')
      must(!this.#leases.has(lease), 'no lease is given twice')
      this.#leases.add(lease)
      const node = this.#nodes.find((known) => known.worker === worker)
      node?.has.push({ id: task.id, lease })
    }
  }

  #end(node: PlayedNode, fails: boolean): void {
    const { queue } = this.#world
    const held = node.has.shift()
    if (!held) return
    if (!node.worker) {
      node.has.push(held)
      return
    }
    const outcome = fails
      ? { ms: 1, kind: this.#pick(['threw', 'cancelled', 'late']), reason: 'so' }
      : { ms: this.#random() * 200, result: '1' }
    const task = queue.get(held.id)
    const wasOpen = task?.state === 'waiting' || task?.state === 'running'
    const taken = queue.settle(node.worker, held.id, held.lease, outcome)
    must(wasOpen || !taken, 'what has ended ends no more')
    must(!queue.settle(node.worker, held.id, held.lease, outcome), 'an end is taken once')
  }

  #come(node: PlayedNode): void {
    const { queue, join } = this.#world
    if (node.worker) {
      if (this.#random() < 0.7) return
      this.#stale.push(node.worker)
    }
    const worker = join(node.name, {
      slots: 1 + Math.floor(this.#random() * 3),
      has: node.name === 'pi-3' ? ['camera'] : [],
    })
    node.worker = worker
    // Some have ended meanwhile, and that is still to be said.
    node.has = node.has.filter(({ id, lease }) => this.#random() < 0.5 || queue.resume(worker, id, lease))
  }

  #lose(node: PlayedNode, isKilled: boolean): void {
    if (node.worker) this.#world.queue.leave(node.worker)
    node.worker = undefined
    if (isKilled) node.has = []
  }

  /** A node names what it has not. */
  #wrong(node: PlayedNode): void {
    const { queue } = this.#world
    const other = this.#pick(this.#nodes.filter((known) => known !== node))
    const held = this.#pick(other?.has ?? [])
    if (!node.worker || !held || node.has.some(({ lease }) => lease === held.lease)) return
    const task = queue.get(held.id)
    const before = [task?.state, task?.attempts, task?.lost]
    const { worker } = node
    const [{ id, lease }, end] = [held, { ms: 1, result: '"wrong"' }]
    must(!queue.settle(worker, id, lease, end), 'nobody ends what another has')
    must(!queue.resume(worker, id, lease), 'nobody goes on with what another had')
    must(!queue.giveBack(worker, id, lease), 'nobody gives back what another has')
    must(!queue.progress(worker, id, lease, 1), 'nobody says how far another is')
    must(isDeepStrictEqual([task?.state, task?.attempts, task?.lost], before), 'and nothing changes')
  }

  #giveBack(node: PlayedNode): void {
    const held = node.has.at(-1)
    if (!held || !node.worker) return
    if (this.#world.queue.giveBack(node.worker, held.id, held.lease)) node.has.pop()
  }

  #check(): void {
    const { queue } = this.#world
    const counts = { waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
    let bytes = 0
    const held = new Set<number>()
    for (const task of this.#all) {
      counts[task.state] += 1
      const isListed = task.list !== undefined || task.rest !== undefined
      const isOpen = task.state === 'waiting' || task.state === 'running'
      must(isListed === (task.state !== 'running'), 'what runs is in no list, and all else is in one')
      must((task.lease !== undefined) === (task.state === 'running'), 'what runs has a lease')
      must((task.ending !== undefined) === !isOpen, 'what has ended says how')
      if (task.state === 'waiting') bytes += task.input.length
      if (task.lease) {
        must(!held.has(task.lease.number), 'no lease is there twice')
        held.add(task.lease.number)
        must(!task.lease.isAlone || task.lease.worker.inFlight === 1, 'what is tried alone is alone')
      }
      const failures = task.attempts - task.lost - (task.state === 'running' ? 1 : 0)
      must(failures >= 0, 'no more is lost than was tried')
      must(!isOpen || (failures < 3 && task.lost < 3), 'nothing is tried for ever')
      const endings = (this.#endings.get(task) ?? 0) - (this.#retries.get(task) ?? 0)
      must(endings === (isOpen ? 0 : 1), 'a task ends once')
    }
    must(isDeepStrictEqual(queue.groups.counts, counts), 'what is counted is there')
    must(queue.waiting.bytes === bytes, 'the bytes that wait are counted')
    for (const worker of queue.placement.workers) {
      const tasks = queue.heldBy(worker)
      const memoryMb = tasks.reduce((sum, { line }) => sum + line.demand.memoryMb, 0)
      const long = tasks.filter(({ lease }) => (lease?.estimateMs ?? 0) > 50).length
      must(tasks.length === worker.inFlight, 'what is at a node is counted')
      must(memoryMb === worker.memoryMb && long === worker.long, 'so is what it needs')
    }
  }

  /** All nodes come and do what they should, and nobody is lost any more: in the end nothing is open. */
  #heal(): void {
    const { queue, time } = this.#world
    for (const stale of this.#stale) queue.leave(stale)
    for (const node of this.#nodes) {
      if (!node.worker) this.#come(node)
      if (node.worker) node.worker.abilities = { ...node.worker.abilities, draining: false }
    }
    for (let round = 0; round < 2_000; round += 1) {
      const { waiting, running } = queue.groups.counts
      if (waiting + running === 0) break
      time.now += 5_000
      this.#place()
      for (const node of this.#nodes)
        for (let count = node.has.length; count > 0; count -= 1) this.#end(node, false)
      queue.expire()
      this.#check()
    }
    const { waiting, running } = queue.groups.counts
    must(waiting + running === 0, 'none is lost')
  }
}

/** Said often, and so without what makes an `expect` slow. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`It does not hold that ${what}.`)
}
