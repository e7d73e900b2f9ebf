import { describe, expect, test } from 'vitest'
import { type Abilities, type Demand, Placement, Worker } from '../src/task-placement.ts'

const DEMAND: Demand = { name: 'add', version: 1, memoryMb: 100, requires: [] }

function aPlacement() {
  const placement = new Placement()
  return {
    placement,
    join(name: string, abilities: Partial<Abilities> = {}, ms?: number) {
      const worker = new Worker(name, name, {
        ...{
          tasks: new Map([['add', 1]]),
          slots: 2,
          memoryMb: 1_000,
          has: new Set<string>(),
          draining: false,
        },
        ...abilities,
      })
      placement.workers.add(worker)
      if (ms !== undefined) placement.measured(worker, 'add', ms, 0)
      return worker
    },
    /** Places as many as there is room for, up to a number, and says how many each has got. */
    place(count: number, demand = DEMAND, now = 0): Record<string, number> {
      const got: Record<string, number> = {}
      for (let index = 0; index < count; index += 1) {
        const worker = placement.choose(demand, now)
        if (!worker) break
        placement.came(worker, demand, now)
        got[worker.name] = (got[worker.name] ?? 0) + 1
      }
      return got
    },
  }
}

describe('a node gets a task', () => {
  test.each([
    ['it has not', { tasks: new Map([['other', 1]]) }, 'no node has the task add'],
    ['of another version', { tasks: new Map([['add', 2]]) }, 'no node has version 1 of add: they have 2'],
    ['that requires what it has not', { has: new Set(['camera']) }, 'no node has 64-bit'],
    [
      'that needs more memory than it has',
      { memoryMb: 99, has: new Set(['64-bit', 'camera']) },
      'no node has 100 MiB of memory for it',
    ],
    [
      'when it drains',
      { draining: true, has: new Set(['64-bit', 'camera']) },
      'every node that can do it takes no more work',
    ],
  ])('never %s', (_, abilities, why) => {
    const { placement, join, place } = aPlacement()
    const demand = { ...DEMAND, requires: ['64-bit', 'camera'] }
    expect(placement.whyNobody(demand)).toBe('no node that does tasks is here')
    join('pi-1', abilities)
    expect(place(1, demand)).toEqual({})
    expect(placement.whyNobody(demand)).toBe(why)
    join('pi-2', { has: new Set(['64-bit', 'camera']) })
    expect(placement.whyNobody(demand)).toBeUndefined()
    expect(place(10, demand)).toEqual({ 'pi-2': 2 })
  })

  test('that two have between them, and neither has, never', () => {
    const { placement, join } = aPlacement()
    join('pi-1', { has: new Set(['a']) })
    join('pi-2', { has: new Set(['b']) })
    expect(placement.whyNobody({ ...DEMAND, requires: ['a', 'b'] })).toBe('no node has all of a, b')
  })

  test('as long as its memory is enough for what runs at once', () => {
    const { join, place } = aPlacement()
    join('pi-1', { slots: 4, memoryMb: 250 })
    expect(place(10)).toEqual({ 'pi-1': 2 })
  })

  test('where it is expected to be done first: more where that is faster, and some where it is slow', () => {
    const { join, place } = aPlacement()
    join('fast', { slots: 64, memoryMb: 100_000 }, 1_000)
    join('slow', { slots: 64, memoryMb: 100_000 }, 1_500)
    const got = place(64)
    expect(got).toEqual({ fast: 64 })
    // When the fast one has no slot left, the slow one is better than to wait.
    expect(place(64)).toEqual({ slow: 64 })
  })

  test('evenly, where all are equal', () => {
    const { join, place } = aPlacement()
    for (const name of ['a', 'b', 'c']) join(name, { slots: 4 }, 1_000)
    expect(place(6)).toEqual({ a: 2, b: 2, c: 2 })
  })

  test('ahead of those that it does, where they are short, and not many', () => {
    const { placement, join, place } = aPlacement()
    const pi = join('pi-1', { slots: 2 }, 10)
    pi.speeds.set('add', { ms: 10, at: 0, count: 10_000, slowestMs: 10 })
    expect(place(1_000)).toEqual({ 'pi-1': 10 })
    for (let count = 0; count < 10; count += 1) placement.left(pi, DEMAND, 10)
    expect(pi).toMatchObject({ inFlight: 0, shortMs: 0, memoryMb: 0 })
    placement.measured(pi, 'add', 0.01, 0)
    pi.speeds.set('add', { ms: 0.01, at: 0, count: 10_000, slowestMs: 0.01 })
    expect(place(1_000)).toEqual({ 'pi-1': 512 })
  })

  test('and few where few were short, or one of late was not', () => {
    const { placement, join, place } = aPlacement()
    const pi = join('pi-1', { slots: 1 }, 1)
    for (let count = 1; count < 32; count += 1) placement.measured(pi, 'add', 1, 0)
    expect(place(1_000)).toEqual({ 'pi-1': 3 })
    const slow = join('pi-2', { slots: 1 }, 25)
    for (let count = 1; count < 32; count += 1) placement.measured(slow, 'add', 1, 0)
    expect(slow.speeds.get('add')?.slowestMs).toBeGreaterThan(10)
    expect(place(1_000)['pi-2']).toBeLessThan(6)
  })

  test('and none ahead of that where they are long, or nobody knows how long', () => {
    const { join, place } = aPlacement()
    join('pi-1', { slots: 3 }, 60)
    join('pi-2', { slots: 3, tasks: new Map([['new', 1]]) })
    expect(place(100)).toEqual({ 'pi-1': 3 })
    expect(place(100, { ...DEMAND, name: 'new' })).toEqual({ 'pi-2': 3 })
  })

  test('a long one does not starve behind short ones that keep coming', () => {
    const { placement, join, place } = aPlacement()
    const pi = join(
      'pi-1',
      {
        slots: 1,
        tasks: new Map([
          ['add', 1],
          ['long', 1],
        ]),
      },
      10,
    )
    pi.speeds.set('add', { ms: 10, at: 0, count: 10_000, slowestMs: 10 })
    pi.speeds.set('long', { ms: 5_000, at: 0, count: 1, slowestMs: 5_000 })
    expect(place(100)).toEqual({ 'pi-1': 5 })
    expect(placement.choose({ ...DEMAND, name: 'long' }, 0)).toBe(pi)
    placement.came(pi, { ...DEMAND, name: 'long' }, 0)
    expect(place(100)).toEqual({})
  })

  test('not while it does not read, or has given some back', () => {
    const { placement, join } = aPlacement()
    const pi = join('pi-1')
    pi.isFull = true
    expect(placement.choose(DEMAND, 0)).toBeUndefined()
    pi.isFull = false
    pi.restsUntil = 1_000
    expect(placement.choose(DEMAND, 999)).toBeUndefined()
    expect(placement.choose(DEMAND, 1_000)).toBe(pi)
  })
})

test('who is new is taken to be as fast as the others, and who was slow long ago is tried again', () => {
  const { placement, join } = aPlacement()
  const fast = join('fast', {}, 100)
  const slow = join('slow', {}, 1_100)
  const fresh = join('new')
  expect(placement.estimate(fresh, 'add', 0)).toBe(600)
  expect(placement.estimate(slow, 'add', 30_000)).toBe(1_100)
  placement.measured(fast, 'add', 100, 60_000)
  expect(placement.estimate(slow, 'add', 60_000)).toBe(850)
  expect(placement.estimate(slow, 'add', 90_000)).toBe(725)
  expect(placement.estimate(fast, 'add', 90_000)).toBe(100)
})

test('why a task was placed there is said in words', () => {
  const { placement, join } = aPlacement()
  const pi1 = join('pi-1', { slots: 4 }, 40)
  const pi2 = join('pi-2', { slots: 1 }, 2_000)
  expect(placement.explain(pi1)).toBe('')
  placement.came(pi1, DEMAND, 0)
  expect(placement.choose(DEMAND, 0)).toBe(pi1)
  expect(placement.explain(pi1)).toBe(
    'add was expected to be done here in 43 ms: 1 in work in 4 slots, 43 ms for each. Next of 2 was pi-2, in 2.0 s',
  )
  pi1.isFull = true
  expect(placement.choose(DEMAND, 0)).toBe(pi2)
  expect(placement.explain(pi2)).toBe(
    'add was expected to be done here in 2.0 s: 0 in work in 1 slot, 2.0 s for each. No other node that can do it had room',
  )
})
