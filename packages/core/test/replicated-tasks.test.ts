/** Tasks whose journal is a replicated log, at whoever leads: two desks, one after the other, with what both members have. */
import { describe, expect, test } from 'vitest'
import type { Dialogue } from '../src/dialogue.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { replicatedJournal } from '../src/replicated-tasks.ts'
import { TaskLedger } from '../src/task-ledger.ts'
import { TaskQueue } from '../src/task-queue.ts'
import { recover } from '../src/task-recovery.ts'
import { TaskClient, type TaskEnd, type TaskEvent, type TasksOptions } from '../src/tasks.ts'
import { aJournal, aPrimary, closed, type Given, type HandWorker } from './tasks-support.ts'

const first = ({ given }: HandWorker): Given => given[0] as Given

/** A log of two members in memory, of which the test says how far it gets, and who leads. */
function aLog() {
  const ledgers = [new TaskLedger(), new TaskLedger()] as const
  const entries: string[] = []
  const open = new Set<{ data: string; reject: (error: Error) => void }>()
  const log = {
    ...{ ledgers, entries, open },
    term: 1,
    time: 1_000_000,
    /** Whether what is proposed stays on its way. */
    hangs: false,
    proposed: 0,
    commit(data: string) {
      entries.push(data)
      for (const ledger of ledgers) ledger.apply({ index: entries.length, time: log.time, data })
    },
    reign(term: number) {
      return {
        ...{ term, isHeld: () => log.term === term, time: () => log.time },
        propose: (data: string) =>
          new Promise<void>((resolve, reject) => {
            log.proposed += 1
            if (log.term !== term) reject(new OperationalError('It does not lead any more.'))
            else if (log.hangs) open.add({ data, reject })
            else {
              log.commit(data)
              resolve()
            }
          }),
      }
    },
    /** Another one leads. What is on its way gets into the log, or does not; who has proposed it does not hear which. */
    depose(how: 'committed' | 'lost') {
      log.term += 1
      log.hangs = false
      for (const { data, reject } of open) {
        if (how === 'committed') log.commit(data)
        reject(new OperationalError('It does not lead any more.'))
      }
      open.clear()
    },
    events: () => entries.flatMap((data): TaskEvent[] => JSON.parse(data)),
  }
  return log
}

/** Whoever leads in the log's term, with the tasks that it has. */
async function aLeader(log: ReturnType<typeof aLog>, options: Partial<TasksOptions> = {}) {
  const { term } = log
  const reign = log.reign(term)
  const primary = await aPrimary({
    ...{ term: { number: term, isHeld: reign.isHeld }, desk: 'tasks', clock: reign.time },
    journal: replicatedJournal(reign, log.ledgers[term % 2] as TaskLedger),
    ...options,
  })
  return {
    ...primary,
    aWorker: (name: string, introduction: Record<string, unknown> = {}) =>
      primary.aWorker(name, { term, desk: 'tasks', ...introduction }),
  }
}

async function statesOf(dialogue: Dialogue, about: unknown): Promise<{ id: string; state: string }[]> {
  const { tasks } = (await dialogue.ask('task_states', { answer: 'task_states', about })) as {
    tasks: { id: string; state: string }[]
  }
  return tasks
}

describe('what is not durable yet', () => {
  /** A task that is being done, and from then on a journal that takes its time. */
  async function hanging(options: Partial<TasksOptions> = {}) {
    const journal = aJournal()
    const primary = await aPrimary({ journal, ...options })
    const told: TaskEnd[] = []
    const { dialogue } = await primary.come('desk', {
      task_results: (payload) => void told.push(...(payload as TaskEnd[])),
    })
    const worker = await primary.aWorker('pi-1')
    await primary.submit(dialogue, [{ name: 'add', id: 'a', group: 'g' }])
    await primary.waitFor(() => expect([journal.events.length, worker.given.length]).toEqual([2, 1]))
    let open = () => {}
    /** Returns what lets go of what hung before. */
    const hang = () => {
      const before = open
      journal.gate = new Promise((resolve) => {
        open = resolve
      })
      return before
    }
    hang()
    const counts = (wanted: object) =>
      primary.waitFor(() => expect(primary.tasks.tables.queue.get('queue')).toMatchObject(wanted))
    const failed = async () =>
      ((await dialogue.ask('failed_tasks', { answer: 'failed_tasks' })) as { tasks: unknown[] }).tasks
    return { ...primary, journal, dialogue, worker, told, counts, failed, hang, open: () => open() }
  }

  test('is not in what somebody asks for, who has an answer at once', async () => {
    const { dialogue, worker, counts, open, come, waitFor } = await hanging()
    const { dialogue: other } = await come('page')
    const asks = () =>
      Promise.all([statesOf(dialogue, { ids: ['a'] }), statesOf(other, { group: 'g' })]).then((all) =>
        all.flat(),
      )
    worker.end(first(worker), { result: 49, ms: 7 })
    await counts({ done: 1 })
    const running = { state: 'running', node: 'pi-1', attempts: 1 }
    const before = await asks()
    expect(before).toMatchObject([running, running])
    expect(before.some((task) => 'result' in task || 'ms' in task)).toBe(false)
    open()
    const done = { state: 'done', node: 'pi-1', attempts: 1, result: 49, ms: 7 }
    await waitFor(async () => expect(await asks()).toMatchObject([done, done]))
  })

  test('is not told to who begins to follow, nor to who hands the same in again, before it is', async () => {
    const { dialogue, worker, counts, open, submit, told, waitFor } = await hanging()
    worker.end(first(worker))
    await counts({ done: 1 })
    const about = { ids: ['a'], follow: true }
    expect(await statesOf(dialogue, about)).toMatchObject([{ state: 'running' }])
    await submit(dialogue, [{ name: 'add', id: 'a' }], true)
    // What there is to tell goes out before this is asked.
    expect(await statesOf(dialogue, about)).toMatchObject([{ state: 'running' }])
    expect(told).toEqual([])
    open()
    await waitFor(() => expect(told).toMatchObject([{ id: 'a', state: 'done' }]))
  })

  test('is neither among what has failed, nor missing there', async () => {
    const { dialogue, worker, counts, failed, hang, open, told, waitFor, tasks, journal } = await hanging({
      attempts: 1,
    })
    worker.end(first(worker), { kind: 'threw', reason: 'so' })
    await counts({ failed: 1 })
    expect(await failed()).toEqual([])
    expect(tasks.tables.failed.get('a')).toBeUndefined()
    open()
    const it = { id: 'a', state: 'failed', kind: 'threw', reason: 'so', node: 'pi-1', attempts: 1 }
    await waitFor(async () => expect(await failed()).toMatchObject([it]))
    await waitFor(() => expect(tasks.tables.failed.get('a')).toMatchObject({ reason: 'so' }))

    hang()
    const retried = dialogue.ask('retry_tasks', { answer: 'retried', about: { all: true } })
    await waitFor(() => expect(worker.given).toHaveLength(2))
    expect(await failed()).toMatchObject([it])
    expect(await statesOf(dialogue, { ids: ['a'], follow: true })).toMatchObject([it])
    worker.end(worker.given[1] as Given)
    await counts({ done: 1 })
    expect(await failed()).toMatchObject([it])
    open()
    expect(await retried).toEqual({ count: 1 })
    await waitFor(async () => expect(await failed()).toEqual([]))
    await waitFor(async () =>
      expect(await statesOf(dialogue, { ids: ['a'] })).toMatchObject([{ state: 'done' }]),
    )
    expect(told).toEqual([])
    expect(journal.events.map(({ kind }) => kind)).toEqual([
      'submitted',
      'tried',
      'ended',
      'retried',
      'tried',
      'ended',
    ])
  })

  test('is not told when an end before it is, of what was tried again meanwhile', async () => {
    const { dialogue, worker, hang, open, told, waitFor, journal, counts, submit } = await hanging({
      attempts: 1,
    })
    await submit(dialogue, [{ name: 'add', id: 'a' }], true)
    worker.end(first(worker), { kind: 'threw', reason: 'so' })
    await counts({ failed: 1 })
    const retried = dialogue.ask('retry_tasks', { answer: 'retried', about: { all: true } })
    await waitFor(() => expect(worker.given).toHaveLength(2))
    worker.end(worker.given[1] as Given)
    await counts({ done: 1 })
    const { tries } = journal
    hang()()
    await waitFor(() => expect(journal.tries).toBe(tries + 1))
    expect(await statesOf(dialogue, { ids: ['a'] })).toMatchObject([{ state: 'failed' }])
    expect(told).toEqual([])
    open()
    expect(await retried).toEqual({ count: 1 })
    await waitFor(() => expect(told).toMatchObject([{ id: 'a', state: 'done' }]))
  })

  test('is not in it after a start either: it is what was recovered', async () => {
    const at = 1_700_000_000_000
    const task = { kind: 'submitted', name: 'add', input: '7', by: 'desk', at } as const
    const journal = aJournal([
      { ...task, id: 'a' },
      { kind: 'tried', id: 'a', attempts: 2, lost: 1 },
    ])
    journal.gate = new Promise(() => {})
    const { come, aWorker, waitFor, tasks } = await aPrimary({ journal })
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await waitFor(() => expect(worker.given).toHaveLength(1))
    worker.end(first(worker))
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ done: 1 }))
    expect(await statesOf(dialogue, { ids: ['a'] })).toMatchObject([
      { state: 'waiting', attempts: 2, lost: 1 },
    ])
  })
})

describe('when another one leads', () => {
  test.each(['committed', 'lost'] as const)(
    'who hands in is cut off, hands in there, and hears the end, if what was on its way is %s',
    async (how) => {
      const log = aLog()
      const leader = await aLeader(log)
      let dialogue: Dialogue | undefined
      const client = new TaskClient({
        ask: async (question, options) => {
          if (!dialogue) throw new OperationalError('There is no connection.')
          return await dialogue.ask(question, options)
        },
      })
      const comeTo = async ({ come }: typeof leader) => {
        const { connection, dialogue: begun } = await come('desk', client.handlers)
        dialogue = begun
        await client.resume()
        return connection
      }
      const connection = await comeTo(leader)
      const ends: TaskEnd[] = []
      const heard = (async () => {
        for await (const end of client.ends()) ends.push(end)
      })()
      await client.submit([{ name: 'add', id: 'known' }], { follow: true })
      const worker = await leader.aWorker('pi-1')
      await leader.waitFor(() => expect(worker.given).toHaveLength(1))
      await leader.waitFor(() => expect(log.events()).toHaveLength(2))

      log.hangs = true
      const submitted = client.submit(
        [
          { name: 'add', id: 'x' },
          { name: 'add', id: 'y' },
        ],
        { follow: true },
      )
      await leader.waitFor(() => expect(log.open.size).toBe(1))
      worker.send('task_ends', [{ ...first(worker), term: 1, ms: 1, result: 'of a term before' }])
      await leader.waitFor(() => expect(log.open.size).toBe(2))
      log.depose(how)
      await closed(connection)
      expect(leader.lines().join('\n')).not.toMatch(/refused/)
      expect(ends).toEqual([])

      const next = await aLeader(log)
      await comeTo(next)
      // It has told its end, and does not know whether that was heard.
      const { id, lease } = first(worker)
      const other = await next.aWorker('pi-1', { holds: [[id, lease, 1]], slots: 9 })
      if (how === 'lost') other.send('task_ends', [{ id, lease, term: 1, ms: 1, result: 'of a term before' }])
      expect(await submitted).toEqual(['x', 'y'])
      await next.waitFor(() => expect(other.given.map(({ id }) => id).sort()).toEqual(['x', 'y']))
      for (const task of other.given) other.send('task_ends', [{ ...task, term: 2, ms: 1, result: 1 }])
      await heard
      expect(ends.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(['known done', 'x done', 'y done'])
      expect(ends.find(({ id }) => id === 'known')?.result).toBe('of a term before')
      // Each is there once, for all.
      const said = log.events().filter(({ kind }) => kind === 'submitted')
      expect(said.map(({ id }) => id)).toEqual(['known', 'x', 'y'])
      expect(log.ledgers[0].hash()).toBe(log.ledgers[1].hash())
      expect(log.ledgers[0].open).toBe(0)
    },
  )

  test('nothing more is written down, and nothing told of it', async () => {
    const log = aLog()
    const { come, aWorker, submit, waitFor, lines, tasks } = await aLeader(log, {
      term: { number: 1, isHeld: () => true }, // it does not know yet
    })
    const { dialogue, connection } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [
      { name: 'add', id: 'a' },
      { name: 'add', id: 'b' },
    ])
    await waitFor(() => expect(worker.given).toHaveLength(2))
    await waitFor(() => expect(log.events()).toHaveLength(4))
    const before = log.entries.length
    log.depose('lost')
    const { proposed } = log
    worker.send('task_ends', [{ ...first(worker), term: 1, ms: 1, result: 1 }])
    const asked = dialogue.ask('cancel_tasks', { answer: 'cancelled', about: { ids: ['a'] } })
    await expect(asked).rejects.toThrow(/^Lost the connection/)
    await closed(connection)
    worker.send('task_ends', [{ ...worker.given[1], term: 1, ms: 1, result: 1 }])
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ done: 2 }))
    expect(log.proposed).toBe(proposed + 1)
    const { dialogue: again } = await come('desk')
    expect(await statesOf(again, { ids: ['a'] })).toMatchObject([{ state: 'running' }])
    await expect(submit(again, [{ name: 'add' }])).rejects.toThrow(/^Lost the connection/)
    expect(log.entries).toHaveLength(before)
    expect(lines().join('\n')).not.toMatch(/is refused|cannot be written down/)
    expect(lines().filter((line) => /Cut off .*: this node does not lead now\./.test(line))).toHaveLength(2)
  })

  test('what was tried again after a failure is tried there, though the log has forgotten it', async () => {
    const log = aLog()
    const { come, aWorker, submit, waitFor } = await aLeader(log, { attempts: 1 })
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add', id: 'a', input: 7, group: 'g', requires: ['linux'] }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    worker.send('task_ends', [{ ...first(worker), term: 1, ms: 1, kind: 'threw', reason: 'so' }])
    const failed = () => dialogue.ask('failed_tasks', { answer: 'failed_tasks' })
    await waitFor(async () => expect(await failed()).toMatchObject({ tasks: [{ id: 'a' }] }))
    for (const ledger of log.ledgers) ledger.restore(new TaskLedger().snapshot())
    const about = { ids: ['a'] }
    expect(await dialogue.ask('retry_tasks', { answer: 'retried', about })).toEqual({ count: 1 })
    expect([...log.ledgers[0].events()]).toMatchObject([
      {
        ...{ kind: 'submitted', id: 'a', name: 'add', input: '7', by: 'desk' },
        group: 'g',
        requires: ['linux'],
      },
      { kind: 'tried', id: 'a', attempts: 1 },
    ])
  })
})

test('what is there before is taken in turns, and who comes meanwhile is cut off', async () => {
  const task = { kind: 'submitted', name: 'add', input: '7', by: 'desk', at: 0 } as const
  let isAll = false
  let turns = 0
  const many = {
    ...aJournal(),
    *recovered(): Generator<TaskEvent, void, void> {
      yield { ...task, id: 'first' }
      while (!isAll) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10) // it takes its time
        turns += 1
        yield { kind: 'retried', id: 'first' }
      }
      yield { ...task, id: 'last' }
    },
  }
  const { come, aWorker, waitFor, tasks, submit } = await aPrimary({ journal: many, recoversInTurns: true })
  const { dialogue, connection } = await come('desk')
  await expect(submit(dialogue, [{ name: 'add' }])).rejects.toThrow(/^Lost the connection/)
  await closed(connection)
  const early = await aWorker('pi-1')
  await closed(early.connection)
  expect(turns).toBeGreaterThan(1)
  isAll = true
  await tasks.recovered
  const worker = await aWorker('pi-1')
  await waitFor(() => expect(worker.given.map(({ id }) => id)).toEqual(['first', 'last']))
})

describe('times', () => {
  /** A queue at the time of a cluster. */
  function aQueue(time: { now: number }, events: TaskEvent[] = []) {
    const queue = new TaskQueue({
      tasks: { add: { version: 1, seconds: 10 } },
      clock: { now: () => time.now, date: () => 0 },
      ended: () => {},
      recall: () => {},
      random: () => 0.5,
    })
    recover(queue, events)
    const join = (name: string) =>
      queue.join(name, name, {
        ...{
          tasks: new Map([['add', 1]]),
          slots: 1,
          memoryMb: 1_000,
          has: new Set<string>(),
          draining: false,
        },
      })
    const place = () => {
      const given: string[] = []
      queue.place((task, worker) => void given.push(`${task.id} ${worker.name}`))
      return given
    }
    return { queue, join, place }
  }

  const task: TaskEvent = { kind: 'submitted', id: 'a', name: 'add', input: '1', by: 'desk', at: 0 }
  const tried = { kind: 'tried', id: 'a', attempts: 1, lost: 0 } as const

  test('a task goes on to rest after a failure for as long as it was to', () => {
    const time = { now: 5_000 }
    const { join, place, queue } = aQueue(time, [task, { ...tried, until: 5_700 }])
    join('pi-1')
    expect(place()).toEqual([])
    expect(queue.nextWake).toBe(5_700)
    time.now = 5_700
    expect(place()).toEqual(['a pi-1'])
    const late = aQueue(time, [task, { ...tried, until: 5_700 }])
    late.join('pi-1')
    expect(late.place()).toEqual(['a pi-1'])
  })

  test.each([
    ['for as long as it takes a node to come back', 60_000, 10_000],
    ['for no longer than that one may take', 7_300, 7_300],
  ])('what a node has waits for it %s', (_, until, given) => {
    const time = { now: 5_000 }
    const { join, place } = aQueue(time, [task, { ...tried, node: 'pi-1', until }])
    join('pi-2')
    time.now = given - 1
    expect(place()).toEqual([])
    time.now = given
    expect(place()).toEqual(['a pi-2'])
  })

  test('a node that goes on with a task may take for it as long as it might before', () => {
    const time = { now: 5_000 }
    const { queue, join } = aQueue(time, [task, { ...tried, node: 'pi-1', until: 12_345 }])
    expect(queue.resume(join('pi-1'), 'a', -7)).toBe(true)
    time.now = 12_344
    expect(queue.expire()).toEqual([])
    time.now = 12_345
    expect(queue.expire()).toMatchObject([[{ id: 'a' }, 'pi-1']])
  })

  test('what has ended is known for an hour of the cluster, whoever leads', () => {
    const time = { now: 3_600_000 }
    const end = (id: string, at: number): TaskEvent => ({
      ...{ kind: 'ended', id, state: 'done', attempts: 1, lost: 0, at: 0, time: at },
    })
    const events = ['a', 'b', 'c'].map((id) => ({ ...task, id }))
    const { queue } = aQueue(time, [...events, end('a', 1_000), end('b', 2_000), end('c', 3_000)])
    expect(queue.size).toBe(3)
    time.now = 3_602_001
    queue.forget()
    expect([queue.get('a'), queue.get('b'), queue.get('c')]).toMatchObject([
      undefined,
      undefined,
      { id: 'c' },
    ])
  })

  test("are the cluster's in what is written down", async () => {
    const log = aLog()
    const { come, aWorker, submit, waitFor } = await aLeader(log)
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add', id: 'a' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    // A minute is what a task may take, and half a minute is for its way.
    await waitFor(() => expect(log.events()[1]).toEqual({ ...tried, node: 'pi-1', until: log.time + 90_000 }))
    worker.send('task_ends', [{ ...first(worker), term: 1, ms: 1, kind: 'threw', reason: 'so' }])
    await waitFor(() => expect(log.events()[2]).toEqual({ ...tried, until: expect.any(Number) }))
    const { until = 0 } = log.events()[2] as TaskEvent & { kind: 'tried' }
    expect(until).toBeGreaterThanOrEqual(log.time)
    expect(until).toBeLessThan(log.time + 1_000)
  })
})
