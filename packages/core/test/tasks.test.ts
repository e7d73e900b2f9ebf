import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { ConnectingNode } from '../src/node.ts'
import { failedRow, queueRow, type TaskEnd, type TaskEvent, workerRow } from '../src/tasks.ts'
import { recordingLog } from './support.ts'
import { aJournal, aPrimary, closed, type Given, type HandWorker } from './tasks-support.ts'

const first = ({ given }: HandWorker): Given => given[0] as Given

describe('a task', () => {
  test('goes from who submits it to a node, and its end to who follows it', async () => {
    const told: TaskEnd[] = []
    const { come, aWorker, submit, waitFor, tasks, lines } = await aPrimary({
      ended: (end) => void told.push(end),
    })
    const results: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as unknown[])),
    })
    const worker = await aWorker('pi-1')
    const input = { text: 'Grüße\r\n', list: [1, null, { deep: true }] }
    const { ids } = await submit(dialogue, [{ name: 'add', input, group: 'a picture' }], true)
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const task = first(worker)
    expect(task).toEqual({ id: ids[0], lease: expect.any(Number), name: 'add', input, attempt: 1 })
    worker.send('task_progress', [{ id: task.id, lease: task.lease, done: 0.5 }])
    const states = async () =>
      (await dialogue.ask('task_states', { answer: 'task_states', about: { ids } })) as { tasks: unknown[] }
    await waitFor(async () =>
      expect((await states()).tasks).toMatchObject([{ progress: 0.5, state: 'running', node: 'pi-1' }]),
    )
    worker.end(task, { result: { said: 'é' }, ms: 12.5 })
    await waitFor(() => expect(results).toHaveLength(1))
    const end = {
      ...{ id: task.id, name: 'add', group: 'a picture', by: 'desk', state: 'done', node: 'pi-1' },
      ...{ attempts: 1, lost: 0, ms: 12.5, result: { said: 'é' } },
    }
    expect(results).toEqual([end])
    expect(told).toEqual([end])
    expect(await states()).toEqual({ tasks: [end], more: false })
    await waitFor(() =>
      expect(lines()).toContainEqual(expect.stringMatching(/^info a picture: 1 task done in /)),
    )
    await waitFor(() =>
      expect(tasks.tables.queue.get('queue')).toMatchObject({ waiting: 0, running: 0, done: 1 }),
    )
  })

  test('that is handed in twice by an id of its own is one task, and its end is told again', async () => {
    const { come, aWorker, submit, waitFor } = await aPrimary()
    const results: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as unknown[])),
    })
    const worker = await aWorker('pi-1')
    const one = { name: 'add', id: 'mine:1', input: 1 }
    expect(await submit(dialogue, [one, one])).toEqual({ ids: ['mine:1', 'mine:1'] })
    await waitFor(() => expect(worker.given).toHaveLength(1))
    worker.end(first(worker))
    await waitFor(async () => {
      await submit(dialogue, [one], true)
      expect(results).not.toHaveLength(0)
    })
    expect(results[0]).toMatchObject({ id: 'mine:1', state: 'done', result: 'mine:1' })
    expect(worker.given).toHaveLength(1)
    const { dialogue: page } = await come('page')
    expect((await submit(page, [one])).refused).toBe(
      'task 1 of 1: there is a task mine:1 of another submitter',
    )
  })

  test('of a node that is lost is given to another one; and the first, when it comes back, leaves it alone', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    const pi1 = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add' }, { name: 'add' }])
    await waitFor(() => expect(pi1.given).toHaveLength(2))
    const pi2 = await aWorker('pi-2', { slots: 1 })
    pi1.lose()
    await waitFor(() => expect(pi2.given).toHaveLength(1))
    expect(first(pi2)).toMatchObject({ id: first(pi1).id, attempt: 2 })
    expect(lines()).toContain('warn pi-1 is gone with 2 tasks in work: 2 wait for another node')
    const back = await aWorker('pi-1', { holds: pi1.given.map(({ id, lease }) => [id, lease]) })
    await waitFor(() => expect(back.cancelled).toEqual([first(pi1).id]))
    await waitFor(() => expect(lines()).toContain('info pi-1 goes on with 1 task that it had before'))
    back.end(pi1.given[1] as Given)
    const about = { ids: pi1.given.map(({ id }) => id) }
    await waitFor(async () =>
      expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
        tasks: [
          { state: 'running', node: 'pi-2', attempts: 1, lost: 0 },
          { state: 'done', node: 'pi-1', attempts: 1, lost: 0 },
        ],
      }),
    )
  })

  test('that is cancelled while it runs is so at once, and its node is told', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1', { slots: 1 })
    const { ids } = await submit(dialogue, [
      { name: 'add', group: 'g' },
      { name: 'add', group: 'g' },
    ])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const cancel = (about: unknown) => dialogue.ask('cancel_tasks', { answer: 'cancelled', about })
    expect(await cancel({ group: 'g' })).toEqual({ count: 2 })
    expect(await cancel({ ids })).toEqual({ count: 0 })
    await waitFor(() => expect(worker.cancelled).toEqual([ids[0]]))
    worker.end(first(worker))
    await waitFor(() =>
      expect(lines()).toContainEqual(
        expect.stringMatching(/^debug pi-1 has sent 1 ends of tasks that it has not/),
      ),
    )
    const about = { group: 'g' }
    expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
      tasks: [{ state: 'cancelled', node: 'pi-1' }, { state: 'cancelled' }],
    })
    await waitFor(() =>
      expect(lines()).toContainEqual(expect.stringMatching(/^info g: 2 tasks ended, 2 cancelled, in /)),
    )
  })

  test('that fails for good is told, is in a table, and can be tried again', async () => {
    const { come, aWorker, submit, waitFor, lines, tasks } = await aPrimary({ attempts: 1 })
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    const { ids } = await submit(dialogue, [{ name: 'add', id: 'bad', group: 'g' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    worker.end(first(worker), { kind: 'threw', reason: 'Error: no\n  at line 1' })
    await waitFor(() =>
      expect(lines()).toContain(
        'warn add bad has failed on pi-1, for good after one attempt: threw: Error: no at line 1',
      ),
    )
    await waitFor(() =>
      expect(tasks.tables.failed.get('bad')).toEqual({
        ...{ id: 'bad', name: 'add', group: 'g', by: 'desk', kind: 'threw', reason: 'Error: no at line 1' },
        ...{ attempts: 1, lost: 0, nodes: ['pi-1'], at: expect.stringMatching(/^20/) },
      }),
    )
    expect(v.is(failedRow, tasks.tables.failed.get('bad'))).toBe(true)
    expect(await dialogue.ask('failed_tasks', { answer: 'failed_tasks' })).toMatchObject({
      tasks: [{ id: 'bad', state: 'failed', kind: 'threw' }],
    })
    const retry = (about: unknown) => dialogue.ask('retry_tasks', { answer: 'retried', about })
    expect(await retry({ all: true })).toEqual({ count: 1 })
    expect(await retry({ ids })).toEqual({ count: 0 })
    await waitFor(() => expect(worker.given).toHaveLength(2))
    worker.end(worker.given[1] as Given)
    await waitFor(() => expect(tasks.tables.failed.size).toBe(0))
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ done: 1, failed: 0 }))
  })

  test('that kills each node that it meets has failed after three', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    await submit(dialogue, [{ name: 'add', id: 'killer' }])
    for (const name of ['pi-1', 'pi-2', 'pi-3']) {
      const worker = await aWorker(name)
      await waitFor(() => expect(worker.given).toHaveLength(1))
      worker.lose()
      await closed(worker.connection)
    }
    await waitFor(() =>
      expect(lines()).toContain(
        'warn add killer is poison, and has failed for good: 3 nodes were lost with it: pi-1, pi-2, pi-3',
      ),
    )
  })
})

describe('a node', () => {
  test('that drains gets nothing new, and what it gives back goes elsewhere', async () => {
    const { come, aWorker, submit, waitFor, tasks, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    const pi1 = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add' }, { name: 'add' }, { name: 'add' }])
    await waitFor(() => expect(pi1.given).toHaveLength(2))
    pi1.introduce({ draining: true, holds: pi1.given.map(({ id, lease }) => [id, lease]) })
    const [kept, returned] = pi1.given as [Given, Given]
    pi1.send('task_returns', [{ id: returned.id, lease: returned.lease }])
    pi1.end(kept)
    const pi2 = await aWorker('pi-2')
    await waitFor(() => expect(pi2.given).toHaveLength(2))
    expect(first(pi2)).toMatchObject({ id: returned.id, attempt: 1 })
    expect(pi1.given).toHaveLength(2)
    await waitFor(() =>
      expect(tasks.tables.workers.get('pi-1')).toMatchObject({ state: 'draining', done: 1 }),
    )
    expect(lines().filter((line) => /goes on/.test(line))).toEqual([])
    const running = [{ name: 'add' }, { name: 'add' }]
    await waitFor(() =>
      expect(tasks.tables.workers.get('pi-2')).toMatchObject({ slots: 2, inFlight: 2, running }),
    )
    const row = tasks.tables.workers.get('pi-2')
    expect(v.is(workerRow, row)).toBe(true)
    expect(row?.why).toMatch(/^add was expected to be done here in /)
  })

  test('that sends nonsense is told about, and nothing else changes', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1', { slots: 1 })
    await submit(dialogue, [{ name: 'add', id: 'x' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const { lease } = first(worker)
    const good = { id: 'x', lease, ms: 1, result: 'good' }
    const nonsense: [type: string, payload: unknown, told: string][] = [
      ['worker', { tasks: 'all' }, 'does not say which tasks it can do, and is passed over'],
      ['worker', { slots: 0 }, 'does not say which tasks it can do, and is passed over'],
      ['task_ends', { id: 'x' }, 'are no ends of tasks'],
      ['task_ends', [{ ...good, lease: '1' }], 'is not among ends of tasks, and is passed over'],
      ['task_ends', [{ ...good, ms: -1 }], 'is not among ends of tasks, and is passed over'],
      ['task_ends', [{ id: 'x', lease, ms: 1 }], 'is not among ends of tasks, and is passed over'],
      ['task_ends', [{ id: 'x', lease, ms: 1, kind: 7 }], 'is not among ends of tasks, and is passed over'],
      ['task_progress', [{ id: 'x', lease, done: 2 }], 'is not among progress of tasks, and is passed over'],
      ['task_returns', ['x'], 'is not among tasks given back, and is passed over'],
      ['task_ends', [null, good], 'is not among ends of tasks, and is passed over'],
    ]
    for (const [type, payload] of nonsense) worker.send(type, payload)
    const about = { ids: ['x'] }
    await waitFor(async () =>
      expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
        tasks: [{ state: 'done', result: 'good' }],
      }),
    )
    const told = lines().flatMap((line) => /^warn What pi-1 has sent ([a-z ,]+[a-z])/.exec(line)?.[1] ?? [])
    expect(told).toEqual(nonsense.map(([, , line]) => line))
  })

  test('that has not said that it does tasks ends none, and who names what it has not changes nothing', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aPrimary()
    const { dialogue } = await come('desk')
    const pi1 = await aWorker('pi-1', { slots: 1 })
    await submit(dialogue, [{ name: 'add', id: 'x' }])
    await waitFor(() => expect(pi1.given).toHaveLength(1))
    const stranger = await aWorker('pi-2', null)
    const other = await aWorker('pi-3')
    stranger.end(first(pi1), { result: 'not mine' })
    other.end(first(pi1), { result: 'not mine' })
    other.send('task_returns', [{ id: 'x', lease: first(pi1).lease }])
    other.introduce({
      holds: [
        ['x', first(pi1).lease],
        ['y', 1],
        ['no id at all\n', 1],
      ],
    })
    await waitFor(() => expect(other.cancelled).toEqual(['x', 'y']))
    expect(lines()).toContainEqual(
      expect.stringMatching(/^warn What pi-2 has sent are no ends of tasks, by one that has not told/),
    )
    const about = { ids: ['x'] }
    expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
      tasks: [{ state: 'running', node: 'pi-1', attempts: 1 }],
    })
  })

  test('may send as much as fits, and what is more has failed', async () => {
    const { come, aWorker, submit, waitFor } = await aPrimary({ attempts: 1 })
    const results: TaskEnd[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as TaskEnd[])),
    })
    const worker = await aWorker('pi-1', { slots: 8 })
    const most = 'x'.repeat(1024 * 1024 - 4 * 1024 - 2)
    const large = { name: 'add', input: most, id: `${'i'.repeat(100)}` }
    await submit(dialogue, [large], true)
    await submit(dialogue, [{ name: 'add', input: most }], true)
    await submit(dialogue, [{ name: 'add', input: 'small' }], true)
    await waitFor(() => expect(worker.given).toHaveLength(3))
    expect(worker.given.map(({ input }) => String(input).length)).toEqual([most.length, most.length, 5])
    for (const [index, task] of worker.given.entries())
      worker.end(task, { result: index === 2 ? `${most}x` : most })
    await waitFor(() => expect(results).toHaveLength(3))
    expect(results.map(({ state, kind, result }) => kind ?? `${state} ${String(result).length}`)).toEqual([
      `done ${most.length}`,
      `done ${most.length}`,
      'too large',
    ])
    expect(results[2]?.reason).toBe(
      'its result cannot be taken: it has 1044481 bytes, and 1044480 are the most',
    )
    const about = { ids: results.map(({ id }) => id) }
    const states = (await dialogue.ask('task_states', { answer: 'task_states', about })) as {
      more: boolean
      tasks: unknown[]
    }
    expect(states.more).toBe(true)
    expect(states.tasks).toHaveLength(1)
  })

  test('that does not read is given no more than it has taken, and the rest goes to others', async () => {
    const { come, aWorker, submit, waitFor, tasks } = await aPrimary()
    const { dialogue } = await come('desk')
    let read = () => {}
    const reads = new Promise<void>((resolve) => (read = resolve))
    const slow = await aWorker('pi-1', { slots: 30, memory_mb: 100_000 }, reads)
    const input = 'x'.repeat(1_000_000)
    for (let count = 0; count < 20; count += 1) await submit(dialogue, [{ name: 'add', input }])
    const inFlight = () => tasks.tables.workers.get('pi-1')?.inFlight ?? 0
    await waitFor(() => expect(inFlight()).toBeGreaterThan(0))
    const quick = await aWorker('pi-2', { slots: 1 })
    for (let count = 0; count < 3; count += 1) {
      // When it is known to be quick it gets several at once.
      await waitFor(() => expect(quick.given.length).toBeGreaterThan(count))
      quick.end(quick.given[count] as Given)
    }
    expect(inFlight()).toBeLessThan(18)
    expect(slow.connection.socket.destroyed).toBe(false)
    read()
    await waitFor(() => expect(slow.given.length + quick.given.length).toBe(20))
  })
})

describe('who submits', () => {
  test.each([
    [
      'with no proven name',
      undefined,
      [{ name: 'add' }],
      'who hands in tasks has to prove who it is, by a key',
    ],
    ['who may not', 'pi-1', [{ name: 'add' }], 'pi-1 is not among those who may hand in tasks'],
    [
      'what there is not',
      'desk',
      [{ name: 'ad' }],
      'task 1 of 1: there is no task ad. There is add, shoot, huge',
    ],
    [
      'a name from elsewhere',
      'desk',
      [{ name: 'constructor' }],
      'task 1 of 1: there is no task constructor. There is .*',
    ],
    ['no tasks', 'desk', 'all', 'what to do: its "tasks": .*'],
    [
      'a bad one among good ones',
      'desk',
      [{ name: 'add' }, { name: 'add', group: 'a\nb' }],
      'task 2 of 2: its "group": a text of 1 to 100 characters in one line is expected, in .*',
    ],
    ['an id that is none', 'desk', [{ name: 'add', id: 'a b' }], 'task 1 of 1: its "id": .*'],
    [
      'too many tags',
      'desk',
      [{ name: 'add', requires: 'abcdefghi'.split('') }],
      'task 1 of 1: its "requires": .*',
    ],
  ])('%s is refused, and told why', async (_, name, list, why) => {
    const { come, submit, lines, tasks } = await aPrimary()
    const { dialogue } = await come(name)
    const { refused } = await submit(dialogue, list as unknown[])
    expect(refused).toMatch(new RegExp(`^${why}$`, 's'))
    expect(lines()).toContainEqual(expect.stringMatching(/^warn .* wants to submit, and is refused: /))
    expect(tasks.tables.queue.get('queue')).toMatchObject({ waiting: 0 })
    for (const [question, answer] of [
      ['task_states', 'task_states'],
      ['cancel_tasks', 'cancelled'],
      ['retry_tasks', 'retried'],
    ] as const)
      expect(await dialogue.ask(question, { answer, about: 7 })).toMatchObject({
        refused: expect.any(String),
      })
  })

  test('what nests too deeply is refused, and its connection stays', async () => {
    const { come, submit } = await aPrimary()
    const { connection, dialogue } = await come('desk')
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    connection.socket.write(
      `{"type":"info","payload":"submit","about":{"tasks":[{"name":"add","input":${deep}}]},"id":77}\r`,
    )
    expect(await submit(dialogue, [{ name: 'add' }])).toMatchObject({ ids: [expect.any(String)] })
  })

  test('more than there is room for is told so, and what was taken is taken', async () => {
    const { come, submit, lines } = await aPrimary({ mostWaiting: 3, mostWaitingBytes: 100 })
    const { dialogue } = await come('desk')
    const five = await submit(
      dialogue,
      Array.from({ length: 5 }, () => ({ name: 'add' })),
    )
    expect(five).toEqual({
      ids: [expect.any(String), expect.any(String), expect.any(String)],
      full: { waiting: 3, most: 3 },
    })
    expect(lines()).toContainEqual(
      expect.stringMatching(/^warn The queue is full: 3 tasks wait, with 12 bytes/),
    )
    await submit(dialogue, [{ name: 'add' }])
    expect(lines().filter((line) => /The queue is full/.test(line))).toHaveLength(1)
    await dialogue.ask('cancel_tasks', { answer: 'cancelled', about: { ids: five.ids } })
    expect((await submit(dialogue, [{ name: 'add', input: 'x'.repeat(100) }])).full).toEqual({
      waiting: 0,
      most: 3,
    })
    expect((await submit(dialogue, [{ name: 'add', input: 'x'.repeat(98) }])).ids).toHaveLength(1)
  })

  test('what nobody can do waits, and why is told once', async () => {
    const { come, submit, aWorker, lines, waitFor, tasks } = await aPrimary()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'shoot' }, { name: 'add' }])
    await waitFor(() => expect(worker.given.map(({ name }) => name)).toEqual(['add']))
    await waitFor(() => expect(lines()).toContain('warn Tasks wait that nobody can do: no node has camera'))
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ why: 'no node has camera' }))
    worker.introduce({ has: ['camera'] })
    await waitFor(() => expect(worker.given.map(({ name }) => name)).toEqual(['add', 'shoot']))
    expect(lines().filter((line) => /nobody can do/.test(line))).toHaveLength(1)
    expect(v.is(queueRow, tasks.tables.queue.get('queue'))).toBe(true)
  })
})

test('ten thousand tasks over real nodes, some of which come and go, are each done, and told once', async () => {
  const { come, submit, waitFor, port, stop } = await aPrimary()
  const ends = new Map<string, number>()
  const { dialogue } = await come('desk', {
    task_results: (payload) => {
      for (const { id, result } of payload as TaskEnd[]) {
        ends.set(id, (ends.get(id) ?? 0) + 1)
        expect(result).toBe(`done ${id}`)
      }
    },
  })
  let cuts = 0
  /** A node that does at once what it gets, and loses its connection now and then. */
  class Doer extends ConnectingNode {
    override async greet(): Promise<void> {
      await this.send('worker', {
        ...{ tasks: { add: 1 }, slots: 2, memory_mb: 1_000, has: [], draining: false, holds: [] },
      })
    }
  }
  for (const _ of [1, 2, 3]) {
    const doer = new Doer({ peer: 'primary', host: '127.0.0.1', port: port(), stop, log: recordingLog().log })
    doer.handlers = {
      tasks: (payload, peer) => {
        cuts += 1
        // A third time, and it might be the same task that is lost, and that would be poison.
        if (cuts === 20 || cuts === 60) {
          peer.socket.destroy()
          return
        }
        const list = (payload as Given[]).map(({ id, lease }) => ({
          id,
          lease,
          ms: 0.1,
          result: `done ${id}`,
        }))
        void doer.send('task_ends', list).catch(() => {})
      },
    }
    void doer.run()
  }
  const ids: string[] = []
  for (let count = 0; count < 10; count += 1) {
    const answer = await submit(
      dialogue,
      Array.from({ length: 1_000 }, (_, index) => ({ name: 'add', input: index })),
      true,
    )
    ids.push(...answer.ids)
  }
  await waitFor(() => expect(ends.size).toBe(10_000))
  expect([...ends.values()].every((count) => count === 1)).toBe(true)
  expect(new Set(ids)).toEqual(new Set(ends.keys()))
})

describe('with a journal', () => {
  test('nothing is acknowledged or told before it is durable', async () => {
    const journal = aJournal()
    const { come, submit, aWorker, waitFor, tasks } = await aPrimary({ journal })
    const results: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as unknown[])),
    })
    const worker = await aWorker('pi-1')
    let open = () => {}
    journal.gate = new Promise((resolve) => (open = resolve))
    let isAnswered = false
    const one = { name: 'add', id: 'x', requires: ['linux'], group: 'g' }
    const submitted = Promise.all([submit(dialogue, [one], true), submit(dialogue, [one], true)])
    void submitted.then(() => (isAnswered = true))
    // Another question is answered meanwhile.
    await dialogue.ask('failed_tasks', { answer: 'failed_tasks' })
    expect([isAnswered, worker.given.length]).toEqual([false, 0])
    open()
    expect(await submitted).toEqual([{ ids: ['x'] }, { ids: ['x'] }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    journal.gate = new Promise((resolve) => (open = resolve))
    worker.end(first(worker))
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ done: 1 }))
    const about = { ids: ['x'] }
    expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
      tasks: [{ state: 'running' }],
    })
    expect(results).toEqual([])
    open()
    await waitFor(() => expect(results).toMatchObject([{ id: 'x', state: 'done' }]))
    expect(journal.events).toEqual([
      {
        kind: 'submitted',
        id: 'x',
        name: 'add',
        input: 'null',
        by: 'desk',
        group: 'g',
        requires: ['linux'],
        at: expect.any(Number),
      },
      { kind: 'tried', id: 'x', attempts: 1, lost: 0, node: 'pi-1' },
      {
        kind: 'ended',
        id: 'x',
        state: 'done',
        attempts: 1,
        lost: 0,
        at: expect.any(Number),
        result: '"x"',
        node: 'pi-1',
        ms: 1,
      },
    ])
  })

  test.each([
    ['how many may wait', { mostWaiting: 3 }],
    ['how many bytes may wait', { mostWaitingBytes: 350 }],
  ])('what is being written counts among %s', async (_, most) => {
    const journal = aJournal()
    const { come, submit } = await aPrimary({ journal, ...most })
    const { dialogue } = await come('desk')
    let open = () => {}
    journal.gate = new Promise((resolve) => (open = resolve))
    const task = { name: 'add', input: 'x'.repeat(98) }
    const submitted = [submit(dialogue, [task, task, task]), submit(dialogue, [task])]
    await dialogue.ask('failed_tasks', { answer: 'failed_tasks' }) // all that was said before it has come
    open()
    const [three, one] = await Promise.all(submitted)
    expect(three).toEqual({ ids: Array(3).fill(expect.any(String)) })
    expect(one).toMatchObject({ ids: [], full: {} })
  })

  test('what is tried again finds no room while others are being written', async () => {
    const journal = aJournal()
    const { come, submit, aWorker, waitFor } = await aPrimary({ journal, mostWaiting: 1, attempts: 1 })
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    worker.end(first(worker), { kind: 'threw' })
    const failed = () => dialogue.ask('failed_tasks', { answer: 'failed_tasks' })
    await waitFor(async () => expect(await failed()).toMatchObject({ tasks: [{ state: 'failed' }] }))
    let open = () => {}
    journal.gate = new Promise((resolve) => (open = resolve))
    const submitted = submit(dialogue, [{ name: 'shoot' }])
    const retried = dialogue.ask('retry_tasks', { answer: 'retried', about: { all: true } })
    await failed()
    open()
    expect([await submitted, await retried]).toEqual([{ ids: [expect.any(String)] }, { count: 0 }])
  })

  test('what cannot be written is refused, and what ended meanwhile is told when there is room again', async () => {
    const journal = aJournal()
    const { come, submit, aWorker, waitFor, lines } = await aPrimary({ journal })
    const results: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as unknown[])),
    })
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add', id: 'x' }], true)
    await waitFor(() => expect(worker.given).toHaveLength(1))
    journal.fails = true
    expect(await submit(dialogue, [{ name: 'add', id: 'y' }])).toEqual({
      refused: 'it cannot be written down: no space left',
    })
    worker.end(first(worker))
    await waitFor(() =>
      expect(lines()).toContainEqual(
        expect.stringMatching(/^warn What becomes of tasks cannot be written down/),
      ),
    )
    expect(results).toEqual([])
    journal.fails = false
    await waitFor(() => expect(results).toHaveLength(1))
    expect(await submit(dialogue, [{ name: 'add', id: 'y' }])).toEqual({ ids: ['y'] })
    expect(journal.events.filter(({ id }) => id === 'y')[0]).toMatchObject({ kind: 'submitted' })
  })

  test('another process goes on with it, and nodes with what they hold', async () => {
    const at = Date.now()
    const submitted = (id: string): TaskEvent => ({
      kind: 'submitted',
      id,
      name: 'add',
      input: '7',
      by: 'desk',
      at,
    })
    const ended = { kind: 'ended', attempts: 1, lost: 0, at, node: 'pi-1' } as const
    const journal = aJournal([
      ...['done', 'held', 'waits', 'failed', 'again', 'old'].map(submitted),
      { kind: 'tried', id: 'held', attempts: 1, lost: 0, node: 'pi-1' },
      { ...ended, id: 'done', state: 'done', result: '8' },
      { ...ended, id: 'failed', state: 'failed', failure: 'threw', reason: 'so' },
      { ...ended, id: 'again', state: 'failed', failure: 'threw', reason: 'so' },
      { kind: 'retried', id: 'again' },
      { ...ended, id: 'nobody', state: 'done' },
    ])
    const { come, aWorker, waitFor } = await aPrimary({ journal })
    const { dialogue } = await come('desk')
    const states = () =>
      dialogue.ask('task_states', { answer: 'task_states', about: { ids: ['done', 'held', 'failed'] } })
    expect(await states()).toMatchObject({
      tasks: [{ state: 'done', result: 8 }, { state: 'waiting' }, { state: 'failed', kind: 'threw' }],
    })
    const other = await aWorker('pi-2', { slots: 9 })
    await waitFor(() => expect(other.given.map(({ id }) => id).sort()).toEqual(['again', 'old', 'waits']))
    const back = await aWorker('pi-1', { holds: [['held', 12]] })
    await waitFor(async () =>
      expect(await states()).toMatchObject({ tasks: [{}, { state: 'running', attempts: 1 }, {}] }),
    )
    back.send('task_ends', [{ id: 'held', lease: 12, ms: 3, result: 9 }])
    await waitFor(async () =>
      expect(await states()).toMatchObject({ tasks: [{}, { state: 'done', result: 9 }, {}] }),
    )
    expect(back.cancelled).toEqual([])
  })

  test('what had ended before a start is not told anew, nor that no node is there before one can be', async () => {
    const at = Date.now()
    const submitted = (id: string, group: string): TaskEvent => ({
      ...{ kind: 'submitted', id, name: 'add', input: '7', by: 'desk', at },
      group,
    })
    const journal = aJournal([
      submitted('a', 'old'),
      submitted('b', 'going on'),
      { kind: 'ended', id: 'a', state: 'done', result: '8', attempts: 1, lost: 0, at, node: 'pi-1' },
    ])
    const { aWorker, waitFor, lines } = await aPrimary({ journal })
    const worker = await aWorker('pi-1')
    await waitFor(() => expect(worker.given.map(({ id }) => id)).toEqual(['b']))
    worker.end(worker.given[0] as Given)
    await waitFor(() =>
      expect(lines()).toContainEqual(
        expect.stringMatching(/going on: 1 task done, begun before this start$/),
      ),
    )
    expect(lines().join('\n')).not.toMatch(/old: |that nobody can do/)
  })
})
