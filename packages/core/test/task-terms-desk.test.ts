/** Tasks of a node that leads, where others led before and will after it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TasksOptions } from '../src/tasks.ts'
import { aJournal, aPrimary, closed, type Given, type HandWorker } from './tasks-support.ts'

const first = ({ given }: HandWorker): Given => given[0] as Given

/** A primary that leads in term 5, until the test says that it does not. */
async function aLeader(options: Partial<TasksOptions> = {}) {
  const lead = { isHeld: true }
  const term = { number: 5, isHeld: () => lead.isHeld }
  const primary = await aPrimary({ term, desk: 'node-1', ...options })
  return {
    ...primary,
    lead,
    aWorker: (name: string, introduction: Record<string, unknown> = {}, reads?: Promise<void>) =>
      primary.aWorker(name, { term: 5, desk: 'node-1', ...introduction }, reads),
  }
}

/** Keeps this process from doing anything, as SIGSTOP would. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('a node that leads', () => {
  test('says whose tasks they are and in which term, and takes what came of them', async () => {
    const { come, aWorker, submit, waitFor } = await aLeader()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add', id: 'a', input: 7 }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const { lease } = first(worker)
    const about = { ids: ['a'] }
    const state = async () => {
      const { tasks } = (await dialogue.ask('task_states', { answer: 'task_states', about })) as {
        tasks: unknown[]
      }
      return tasks[0]
    }
    worker.send('task_progress', [{ id: 'a', lease, term: 5, done: 0.5 }])
    await waitFor(async () => expect(await state()).toMatchObject({ state: 'running', progress: 0.5 }))
    worker.send('task_returns', [{ id: 'a', lease, term: 5 }])
    const other = await aWorker('pi-2')
    await waitFor(() => expect(other.given).toHaveLength(1))
    other.send('task_ends', [{ id: 'a', lease: first(other).lease, term: 5, ms: 1, result: 49 }])
    await waitFor(async () => expect(await state()).toMatchObject({ state: 'done', result: 49 }))

    await submit(dialogue, [{ name: 'add', id: 'b' }])
    await waitFor(() => expect(other.given).toHaveLength(2))
    await dialogue.ask('cancel_tasks', { answer: 'cancelled', about: { ids: ['b'] } })
    await waitFor(() => expect(other.cancelled).toEqual(['b']))
    const given = (task: Given) => ({ term: 5, desk: 'node-1', tasks: [task] })
    expect(worker.heard).toEqual([given({ id: 'a', lease, name: 'add', input: 7, attempt: 1 })])
    expect(other.heard).toEqual([...other.given.map(given), { term: 5, desk: 'node-1', tasks: ['b'] }])
  })

  test.each([
    ['of a term before', { term: 4 }],
    ['of a later one', { term: 6 }],
    ['of another one who leads', { desk: 'node-2' }],
    ['of whoever there is', { term: undefined, desk: undefined }],
  ])('hands out nothing to a node that wants tasks %s, and tells it', async (_, introduction) => {
    const { come, aWorker, submit, waitFor, lines } = await aLeader()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1', introduction)
    await waitFor(() =>
      expect(lines()).toContainEqual(
        expect.stringMatching(/^warn pi-1 wants tasks of .*, and gets none: this is node-1 in term 5$/),
      ),
    )
    await submit(dialogue, [{ name: 'add' }])
    const other = await aWorker('pi-2')
    await waitFor(() => expect(other.given).toHaveLength(1))
    expect(worker.given).toEqual([])
  })

  test('takes nothing of a later term or of none, nor what it has lent itself as of an earlier one', async () => {
    const { come, aWorker, submit, waitFor, lines } = await aLeader()
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add', id: 'a' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const { lease } = first(worker)
    const end = { id: 'a', lease, ms: 1 }
    for (const term of [6, undefined, 4]) worker.send('task_ends', [{ ...end, term, result: 'wrong' }])
    worker.send('task_ends', [{ ...end, term: 5, result: 'right' }])
    const about = { ids: ['a'] }
    await waitFor(async () =>
      expect(await dialogue.ask('task_states', { answer: 'task_states', about })).toMatchObject({
        tasks: [{ state: 'done', result: 'right' }],
      }),
    )
    const told = lines().filter((line) => line.includes('is not among ends of tasks, and is passed over'))
    expect(told).toHaveLength(2)
  })

  test('goes on with what it has lent in an earlier term, whatever its clock said then, and leaves alone what a later one has', async () => {
    const task = { kind: 'submitted', name: 'add', input: '7', by: 'desk', at: Date.now() } as const
    const tried = { kind: 'tried', attempts: 1, lost: 0, node: 'pi-1' } as const
    const journal = aJournal(
      ['a', 'b'].flatMap((id) => [
        { ...task, id },
        { ...tried, id },
      ]),
    )
    const { come, aWorker, waitFor } = await aLeader({ journal })
    const { dialogue } = await come('desk')
    const inAYear = (Date.now() + 31_536_000_000) * 1_000
    const worker = await aWorker('pi-1', {
      holds: [
        ['a', inAYear, 3],
        ['b', inAYear, 3],
        ['c', 1, 6],
      ],
    })
    const states = async () =>
      await dialogue.ask('task_states', { answer: 'task_states', about: { ids: ['a', 'b'] } })
    await waitFor(async () =>
      expect(await states()).toMatchObject({
        tasks: [
          { state: 'running', node: 'pi-1', attempts: 1, lost: 0 },
          { state: 'running', node: 'pi-1', attempts: 1, lost: 0 },
        ],
      }),
    )
    worker.send('task_progress', [{ id: 'b', lease: inAYear, term: 3, done: 0.25 }])
    worker.send('task_ends', [{ id: 'a', lease: inAYear, term: 3, ms: 1, result: 49 }])
    await waitFor(async () =>
      expect(await states()).toMatchObject({
        tasks: [
          { state: 'done', result: 49 },
          { state: 'running', progress: 0.25 },
        ],
      }),
    )
    expect([worker.given, worker.cancelled]).toEqual([[], []])
  })
})

test('of "term" and "desk" there are both, or none', async () => {
  const term = { number: 1, isHeld: () => true }
  await expect(aPrimary({ term })).rejects.toThrow('Tasks need both of "term" and "desk", or none of them.')
  await expect(aPrimary({ desk: 'node-1' })).rejects.toThrow(TypeError)
})

describe('a node that led, and wakes', () => {
  test('changes nothing, with timers that are due, and messages in its sockets', async () => {
    const journal = aJournal()
    const told: unknown[] = []
    const { come, aWorker, submit, waitFor, lead, tasks, lines } = await aLeader({
      ...{ journal, attempts: 10 },
      ended: (end) => void told.push(end),
    })
    const { dialogue, connection } = await come('desk', {
      task_results: (payload) => void told.push(payload),
    })
    const fails = await aWorker('pi-1', { slots: 1 })
    await submit(dialogue, [{ name: 'add', id: 'fails' }], true)
    await waitFor(() => expect(fails.given).toHaveLength(1))
    const ends = await aWorker('pi-2', { slots: 1 })
    const progresses = await aWorker('pi-3', { slots: 1 })
    await submit(dialogue, [{ name: 'add' }, { name: 'add' }], true)
    await waitFor(() => expect([...ends.given, ...progresses.given]).toHaveLength(2))
    // After a failure it rests for a part of 1 s, of 2 s, of 4 s: none, none, and 3.6 s.
    const chance = vi.spyOn(Math, 'random').mockReturnValue(0)
    onTestFinished(() => void chance.mockRestore())
    for (const attempt of [1, 2, 3]) {
      await waitFor(() => expect(fails.given).toHaveLength(attempt))
      if (attempt === 3) chance.mockReturnValue(0.9)
      fails.send('task_ends', [{ ...fails.given.at(-1), term: 5, ms: 1, kind: 'threw', reason: 'so' }])
    }
    const rests = { kind: 'tried', id: 'fails', attempts: 3, lost: 0 }
    await waitFor(() => expect(journal.events).toContainEqual(rests))
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ waiting: 1, running: 2 }))
    const before = {
      events: [...journal.events],
      heard: [fails, ends, progresses].map(({ heard }) => [...heard]),
      queue: tasks.tables.queue.get('queue'),
      lines: lines().length,
    }

    ends.send('task_ends', [{ ...first(ends), term: 5, ms: 1, result: 1 }])
    progresses.send('task_progress', [{ ...first(progresses), term: 5, done: 0.5 }])
    const asked = [
      submit(dialogue, [{ name: 'add' }]),
      dialogue.ask('cancel_tasks', { answer: 'cancelled', about: { ids: ['fails'] } }),
    ].map((answer) => expect(answer).rejects.toThrow(/^Lost the connection/))
    freeze(3_800)
    lead.isHeld = false
    // And it was longer than that, by the clock: what it has handed out is far beyond its limit.
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000)
    onTestFinished(() => void clock.mockRestore())
    await Promise.all([...asked, closed(connection), closed(ends.connection), closed(progresses.connection)])
    const late = await come('pi-4')
    late.connection.socket.write('{"type":"worker","payload":{"tasks":{"add":1}}}\r')
    await closed(late.connection)
    await sleep(300) // what is shown is brought up to date four times a second

    expect(journal.events).toEqual(before.events)
    expect([fails, ends, progresses].map(({ heard }) => heard)).toEqual(before.heard)
    expect(tasks.tables.queue.get('queue')).toEqual(before.queue)
    expect(told).toEqual([])
    // Whoever is there beats now and then.
    const since = lines()
      .slice(before.lines)
      .filter((line) => /^(warn|error)/.test(line) && !/: beat, /.test(line))
    expect(since.length).toBeGreaterThan(0)
    for (const line of since) expect(line).toMatch(/Cut off .*: this node does not lead now\. /)
  })

  test('writes nothing down again that could not be written before', async () => {
    const journal = aJournal()
    const { come, aWorker, submit, waitFor, lead } = await aLeader({ journal })
    const { dialogue } = await come('desk')
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add' }])
    await waitFor(() => expect(worker.given).toHaveLength(1))
    await waitFor(() => expect(journal.events).toHaveLength(2))
    journal.fails = true
    const tries = journal.tries
    worker.send('task_ends', [{ ...first(worker), term: 5, ms: 1, result: 1 }])
    await waitFor(() => expect(journal.tries).toBeGreaterThan(tries))
    await new Promise(setImmediate)
    const written = journal.tries
    freeze(1_200)
    lead.isHeld = false
    journal.fails = false
    // Timers that are due at the same time go off in one turn.
    await sleep(1)
    await new Promise(setImmediate)
    expect(journal.tries).toBe(written)
  })

  test('says nothing of what was written while it was asleep', async () => {
    const journal = aJournal()
    const told: unknown[] = []
    const { come, aWorker, submit, waitFor, lead } = await aLeader({
      journal,
      ended: (end) => void told.push(end),
    })
    const { dialogue } = await come('desk', { task_results: (payload) => void told.push(payload) })
    const worker = await aWorker('pi-1')
    await submit(dialogue, [{ name: 'add' }], true)
    await waitFor(() => expect(worker.given).toHaveLength(1))
    await waitFor(() => expect(journal.events).toHaveLength(2))
    let open = () => {}
    journal.gate = new Promise((resolve) => (open = resolve))
    const { tries } = journal
    worker.send('task_ends', [{ ...first(worker), term: 5, ms: 1, result: 1 }])
    await waitFor(() => expect(journal.tries).toBe(tries + 1))
    const one = { name: 'add', id: 'later' }
    const submitted = [submit(dialogue, [one], true), submit(dialogue, [one, { name: 'add', id: 'last' }])]
    await waitFor(() => expect(journal.tries).toBe(tries + 2))
    lead.isHeld = false
    open()
    for (const answer of submitted) await expect(answer).rejects.toThrow(/^Lost the connection/)
    expect(journal.events.slice(2)).toMatchObject([{ kind: 'ended' }, { kind: 'submitted', id: 'later' }])
    expect([told, worker.given.length]).toEqual([[], 1])
  })

  test('loses a node in silence, and what was with it', async () => {
    const task = {
      kind: 'submitted',
      id: 'killer',
      name: 'add',
      input: '7',
      by: 'desk',
      at: Date.now(),
    } as const
    const journal = aJournal([task, { kind: 'tried', id: 'killer', attempts: 2, lost: 2 }])
    const { aWorker, waitFor, lead, lines, node } = await aLeader({ journal })
    const worker = await aWorker('pi-1')
    await waitFor(() => expect(worker.given).toHaveLength(1))
    lead.isHeld = false
    worker.lose()
    await waitFor(() => expect(node.roster.members).toEqual([]))
    expect(lines().join('\n')).not.toMatch(/is poison|is gone with/)
  })

  test('writes nothing more to who follows and has not read all', async () => {
    const { come, aWorker, submit, waitFor, lead, tasks } = await aLeader()
    let read = () => {}
    const reads = new Promise<void>((resolve) => (read = resolve))
    const told: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => {
        told.push(...(payload as unknown[]))
        return reads
      },
    })
    const worker = await aWorker('pi-1', { slots: 12, memory_mb: 100_000 })
    await submit(
      dialogue,
      Array.from({ length: 12 }, () => ({ name: 'add' })),
      true,
    )
    await waitFor(() => expect(worker.given).toHaveLength(12))
    for (const task of worker.given) {
      worker.send('task_ends', [{ ...task, term: 5, ms: 1, result: 'x'.repeat(1_000_000) }])
      await waitFor(() => expect(worker.connection.socket.writableLength).toBe(0))
    }
    await waitFor(() => expect(tasks.tables.queue.get('queue')).toMatchObject({ done: 12 }))
    lead.isHeld = false
    read()
    let before = -1
    while (before < told.length) {
      before = told.length
      await sleep(100)
    }
    expect(told.length).toBeLessThan(12)
  })

  test('writes nothing more to a node that has not read all', async () => {
    const { come, aWorker, submit, waitFor, tasks, lead } = await aLeader()
    const { dialogue } = await come('desk')
    let read = () => {}
    const reads = new Promise<void>((resolve) => (read = resolve))
    const slow = await aWorker('pi-1', { slots: 30, memory_mb: 100_000 }, reads)
    const input = 'x'.repeat(1_000_000)
    for (let count = 0; count < 30; count += 1) await submit(dialogue, [{ name: 'add', input }])
    await waitFor(() => expect(tasks.tables.workers.get('pi-1')?.inFlight ?? 0).toBeGreaterThan(1))
    const handedOut = tasks.tables.workers.get('pi-1')?.inFlight ?? 0
    lead.isHeld = false
    read()
    await waitFor(() => expect(slow.given.length).toBeGreaterThan(0))
    let before = -1
    while (before < slow.given.length) {
      before = slow.given.length
      await sleep(100)
    }
    expect(slow.given.length).toBeLessThan(handedOut)
  })
})
