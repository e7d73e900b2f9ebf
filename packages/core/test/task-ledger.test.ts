/** The tasks of a cluster, as each of its members makes them of the same entries. */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { MachineEntry } from '../src/state-machine.ts'
import type { TaskEvent } from '../src/task-journal.ts'
import { type LedgerEnds, TaskLedger } from '../src/task-ledger.ts'
import { LedgerHistory } from '../src/task-ledger-history.ts'
import type { openTaskStore as openFromSource, TaskStore } from '../src/task-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { recordingLog, tempFolder } from './support.ts'
import { BEGIN, ended, MINUTE, submitted, tried } from './task-log-support.ts'

const built = await import(join(BUILT_FIXTURES, 'task-store.js'))
const openTaskStore: typeof openFromSource = built.openTaskStore

/** A ledger, and entries for it, a millisecond apart. */
function aLedger(ended?: (ends: LedgerEnds) => void) {
  const ledger = new TaskLedger({ ended })
  const entries: MachineEntry[] = []
  const clock = { time: BEGIN }
  const enter = (...events: unknown[]) => {
    clock.time += 1
    const entry = { index: entries.length + 1, time: clock.time, data: JSON.stringify(events) }
    entries.push(entry)
    ledger.apply(entry)
  }
  return { ledger, entries, clock, enter, ids: () => idsOf(ledger) }
}

/** The same as another member has it that gets a snapshot. */
function copyOf(ledger: TaskLedger): TaskLedger {
  const copy = new TaskLedger()
  copy.restore([...ledger.snapshot()])
  return copy
}

function idsOf(ledger: TaskLedger): string[] {
  return [...ledger.events()].flatMap(({ kind, id }) => (kind === 'submitted' ? id : []))
}

const retried = (id: string): TaskEvent => ({ kind: 'retried', id })

describe('a ledger', () => {
  test('has what a queue goes on with', () => {
    const { ledger, enter } = aLedger()
    enter(submitted('a'), submitted('b'), submitted('c'))
    enter(tried('a'), tried('b'))
    const gone = [{ node: 'node-2', isCounted: true }]
    const again: TaskEvent = { kind: 'tried', id: 'b', attempts: 2, lost: 1, until: BEGIN + 500, gone }
    enter(ended('c', BEGIN, 'failed'), again)
    enter(ended('a'))
    const events = [
      ...[submitted('a'), submitted('b'), again, submitted('c')],
      { ...ended('c', BEGIN, 'failed'), time: BEGIN + 3 },
      { ...ended('a'), time: BEGIN + 4 },
    ]
    expect([...ledger.events()]).toEqual(events)
    expect([ledger.size, ledger.open]).toEqual([3, 1])
    const copy = copyOf(ledger)
    expect([...copy.events()]).toEqual(events)
    expect([copy.size, copy.open]).toEqual([3, 1])
  })

  test('has a task that is handed in twice once, and anew when it has ended', () => {
    const { ledger, enter } = aLedger()
    enter(submitted('a'), submitted('b'))
    enter(tried('a'))
    enter(submitted('a', BEGIN, '"other"'))
    expect([...ledger.events()]).toEqual([submitted('a'), tried('a'), submitted('b')])
    enter(ended('a'))
    enter(submitted('a', BEGIN, '"other"'))
    expect([...ledger.events()]).toEqual([submitted('b'), submitted('a', BEGIN, '"other"')])
    expect(ledger.open).toBe(2)
  })

  test('has what is tried again behind all others, as if it had just come', () => {
    const { ledger, enter } = aLedger()
    enter(submitted('a'), submitted('b'), tried('a'), ended('a', BEGIN, 'failed'))
    enter(ended('b'), retried('b'), submitted('c'))
    enter(retried('a'), retried('a'), retried('c'))
    expect([...ledger.events()]).toMatchObject([
      { kind: 'submitted', id: 'b' },
      { kind: 'submitted', id: 'c' },
      submitted('a'),
      { kind: 'ended', id: 'b', state: 'done' },
    ])
    expect(ledger.open).toBe(2)
  })

  test.each([
    ['no JSON', '[{"kind":'],
    ['no list', '{"kind":"retried","id":"a"}'],
    ['nothing', 'null'],
    ['things that are no events', '[null,1,"a",[],{},{"kind":"lost","id":"a"}]'],
    ['events that lack something', '[{"kind":"ended","id":"a"},{"kind":"submitted","id":"z","at":1}]'],
    ['an id that is none', JSON.stringify([{ ...submitted('z'), id: 'a\tb' }])],
    ['a number that is none', JSON.stringify([{ ...tried('a'), attempts: -1 }])],
    ['a node that is none', JSON.stringify([{ ...tried('a'), gone: ['node-2'] }])],
    ['what is about no task', JSON.stringify([tried('z'), ended('z'), retried('z')])],
    ['what is said of one that has ended', JSON.stringify([tried('b'), ended('b', BEGIN, 'failed')])],
  ])('passes %s over', (_, data) => {
    const { ledger, enter } = aLedger()
    enter(submitted('a'), submitted('b'), ended('b'))
    const before = ledger.hash()
    ledger.apply({ index: 2, time: BEGIN + 2, data })
    expect(ledger.hash()).toBe(before)
    enter(retried('z'), ended('a'))
    expect(ledger.open).toBe(0)
  })

  test('forgets what ended an hour ago by the time of the cluster, but for what has failed', () => {
    const { ids, enter, clock } = aLedger()
    enter(submitted('open'))
    enter(submitted('done', BEGIN + 90 * MINUTE), ended('done', BEGIN + 90 * MINUTE))
    enter(submitted('failed'), ended('failed', BEGIN, 'failed'))
    clock.time = BEGIN + 60 * MINUTE
    enter(submitted('next'))
    expect(ids()).toEqual(['open', 'done', 'failed', 'next'])
    enter()
    expect(ids()).toEqual(['open', 'failed', 'next'])
  })

  test('forgets what is more than 64 MiB', () => {
    const { ids, enter } = aLedger()
    const long = JSON.stringify('x'.repeat(8 * 2 ** 20 - 1_000))
    for (let count = 0; count < 8; count += 1) enter(submitted(count), { ...ended(count), result: long })
    expect(ids()[0]).toBe('0')
    enter(submitted('last'), { ...ended('last'), result: JSON.stringify('x'.repeat(10_000)) })
    expect(ids()).toEqual(['1', '2', '3', '4', '5', '6', '7', 'last'])
  })

  test('knows the newest hundred that have failed for longer', () => {
    const { ledger, ids, enter, clock } = aLedger()
    const fail = (id: string) => enter(submitted(id), ended(id, BEGIN, 'failed'))
    for (let count = 0; count < 100; count += 1) fail(`old-${count}`)
    clock.time += 61 * MINUTE
    fail('new-1')
    fail('new-2')
    expect(ids()).toHaveLength(100)
    expect(ids()[0]).toBe('old-2')
    const last = [...ledger.events()].slice(-3)
    expect(last.map(({ id, ...event }) => [id, 'time' in event])).toEqual([
      ['old-99', false],
      ['new-1', true],
      ['new-2', true],
    ])
    enter(retried('new-1'))
    fail('new-3')
    expect(ids()).toEqual(expect.arrayContaining(['old-2', 'new-1', 'new-2', 'new-3']))
    const copy = copyOf(ledger)
    for (const one of [ledger, copy])
      one.apply({ index: 999, time: clock.time + 1, data: JSON.stringify([ended('new-1', BEGIN, 'failed')]) })
    expect([idsOf(ledger).length, idsOf(copy).length]).toEqual([100, 100])
    expect(copy.hash()).toBe(ledger.hash())
  })
})

describe('a snapshot', () => {
  test('is of the moment when it was begun, in pieces of 64 KiB, whatever stands in them', () => {
    const { ledger, enter } = aLedger()
    enter(submitted('large', BEGIN, JSON.stringify('\t\n\r\\"é'.repeat(30_000))))
    for (let count = 0; count < 500; count += 1) enter(submitted(count), tried(count))
    const before = [...ledger.events()]
    const hash = ledger.hash()
    const pieces = ledger.snapshot()
    for (let count = 0; count < 500; count += 1) enter(submitted(`later-${count}`), ended(count))
    enter(ended('large'))
    const taken = [...pieces]
    expect(taken.slice(0, -1).every(({ length }) => length === 65_536)).toBe(true)
    const { ledger: copy } = aLedger()
    copy.apply({ index: 1, time: BEGIN, data: JSON.stringify([submitted('forgotten'), ended('forgotten')]) })
    copy.restore(taken)
    expect([...copy.events()]).toEqual(before)
    expect(copy.hash()).toBe(hash)
    expect(ledger.hash()).not.toBe(hash)
  })

  test('of nothing is one of nothing, and what is none is refused', () => {
    const { ledger, enter, clock } = aLedger()
    enter(submitted('a'), submitted('b'), ended('b', BEGIN, 'failed'))
    clock.time += 61 * MINUTE
    enter(submitted('c'), ended('c'))
    ledger.restore(new TaskLedger().snapshot())
    expect([ledger.size, ledger.open]).toEqual([0, 0])
    expect(() => ledger.restore([])).toThrow(
      'A snapshot of tasks cannot be read: it begins with "", and not with "tasks 1".',
    )
    expect(() => ledger.restore(['tasks 2\n'])).toThrow('Was it made by a later version of this program?')
  })
})

test('whoever applies the same has the same, however often it is saved and read again', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const event = fc.oneof(
    id.map((id) => submitted(id)),
    id.map((id) => tried(id)),
    fc
      .tuple(id, fc.constantFrom('done', 'failed', 'cancelled'))
      .map(([id, state]) => ended(id, BEGIN, state)),
    id.map(retried),
    fc.constantFrom(null, { kind: 'ended', id: 'a' }),
  )
  const step = fc.record({
    events: fc.array(event, { maxLength: 4 }),
    pause: fc.constantFrom(0, 1, 20 * MINUTE, 61 * MINUTE),
    isSaved: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const one = new TaskLedger()
      let other = new TaskLedger()
      let time = BEGIN
      for (const [index, { events, pause, isSaved }] of steps.entries()) {
        time += pause
        const entry = { index: index + 1, time, data: JSON.stringify(events) }
        one.apply(entry)
        if (isSaved) other = copyOf(other)
        other.apply(entry)
        expect(other.hash()).toBe(one.hash())
        expect(other.open).toBe(one.open)
      }
      expect([...other.events()]).toEqual([...one.events()])
    }),
    { numRuns: 200 },
  )
})

describe('a history', () => {
  async function aStore(folder: string): Promise<TaskStore> {
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    return await openTaskStore({ name: 'history', folder, log: recordingLog().log, stop: stop.signal })
  }

  /** A member with a history of its own, until it is stopped. */
  async function aMember(folder: string, cluster = 'c1') {
    const store = await aStore(folder)
    const history = new LedgerHistory({ store, cluster: () => cluster, log: recordingLog().log })
    return {
      ...aLedger(history.add),
      rows: async () => {
        await history.written()
        return (await store.history({ limit: 100 })).tasks
      },
      close: () => store.close(),
    }
  }

  test('has each end once, though entries are applied again after a start', async () => {
    const folder = tempFolder()
    const first = await aMember(folder)
    first.enter(submitted('a', BEGIN, '"long"'), submitted('b'), ended('a'))
    const snapshot = [...first.ledger.snapshot()]
    first.enter(ended('b', BEGIN, 'failed'))
    first.enter(retried('b'), tried('b'))
    first.enter(ended('b'), submitted('c'), ended('c'))
    const rows = await first.rows()
    expect(rows.map(({ id, state }) => `${id} ${state}`)).toEqual(['c done', 'b done', 'b failed', 'a done'])
    expect(rows[3]).toMatchObject({ name: 'mandelbrot', by: 'submitter', node: 'secondary-1', ms: 12 })
    await first.close()

    const second = await aMember(folder)
    second.ledger.restore(snapshot)
    for (const entry of first.entries.slice(1)) second.ledger.apply(entry)
    expect(await second.rows()).toEqual(rows)
    const next = first.entries.length + 1
    second.ledger.apply({ index: next, time: BEGIN, data: JSON.stringify([submitted('d'), ended('d')]) })
    expect((await second.rows()).map(({ id }) => id)).toEqual(['d', 'c', 'b', 'b', 'a'])
    await second.close()

    // What it has of another cluster says nothing of how far this one's log is in it.
    const third = await aMember(folder, 'c2')
    third.enter(submitted('e'), ended('e'))
    expect((await third.rows()).map(({ id }) => id)).toEqual(['e', 'd', 'c', 'b', 'b', 'a'])
  })

  test('of a member that was away has what a snapshot knows of that', async () => {
    const away = await aMember(tempFolder())
    const { ledger, enter } = aLedger()
    enter(submitted('a'), ended('a'))
    away.ledger.apply({ index: 1, time: BEGIN, data: JSON.stringify([submitted('a'), ended('a')]) })
    enter(submitted('b'), submitted('c'), submitted('open'))
    enter(ended('c'), ended('b'))
    away.ledger.restore(ledger.snapshot())
    expect((await away.rows()).map(({ id }) => id)).toEqual(['b', 'c', 'a'])
  })
})
