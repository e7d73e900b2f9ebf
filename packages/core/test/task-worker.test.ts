import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Connection } from '../src/connection.ts'
import type { TaskWorkerOptions } from '../src/worker.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'
import { ConnectingNode, file, ListeningNode, PATIENCE, send, TaskWorker, tasks } from './task-support.ts'

interface End {
  id: string
  lease: number
  ms: number
  result?: unknown
  kind?: string
  reason?: string
}

interface Introduction {
  draining: boolean
  holds: [string, number][]
}

/** Somebody who hands out tasks by hand. */
async function aPrimary() {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const said: { type: string; payload: unknown }[] = []
  const peers: Connection[] = []
  const node = new ListeningNode({ peer: 'node', host: '127.0.0.1', port: 0, stop, log })
  for (const type of ['worker', 'task_ends', 'task_progress', 'task_returns'])
    node.handlers[type] = (payload, peer) => {
      said.push({ type, payload })
      if (peers.at(-1) !== peer) peers.push(peer)
    }
  void node.run()
  const listening = () =>
    records
      .find(({ msg }) => msg.startsWith('Listening on'))
      ?.msg.split(':')
      .at(-1)
  await vi.waitFor(() => expect(listening()).toBeDefined(), PATIENCE)
  const payloads = <Payload>(type: string) =>
    said.filter((message) => message.type === type).map(({ payload }) => payload as Payload)
  return {
    node,
    peers,
    port: Number(listening()),
    payloads,
    introductions: () => payloads<Introduction>('worker'),
    ends: () => payloads<End[]>('task_ends').flat(),
    say: (type: string, payload: unknown) => send(peers.at(-1) as Connection, type, payload),
    /** Once the node has introduced itself so often. */
    introduced: (times = 1) => vi.waitFor(() => expect(payloads('worker')).toHaveLength(times), PATIENCE),
    ended: (...ids: string[]) =>
      vi.waitFor(
        () =>
          expect(
            payloads<End[]>('task_ends')
              .flat()
              .map(({ id }) => id),
          ).toEqual(expect.arrayContaining(ids)),
        PATIENCE,
      ),
  }
}

/** A node that does tasks, connected to somebody who hands them out. */
async function aWorker(
  options: Partial<TaskWorkerOptions> = {},
  { longestPauseMs }: { longestPauseMs?: number } = {},
) {
  const primary = await aPrimary()
  const stopping = stopAfterTest()
  const { signal: stop } = stopping
  const { log, records } = recordingLog()
  class Node extends ConnectingNode {
    readonly worker = new TaskWorker({ node: this, file, tasks, slots: 1, log, stop, ...options })

    constructor() {
      super({ peer: 'primary', host: '127.0.0.1', port: primary.port, longestPauseMs, stop, log })
      this.handlers = { ...this.worker.handlers }
      this.answers = { how: () => ({ type: 'so', payload: this.worker.running }) }
    }

    override async greet() {
      await this.worker.introduce()
    }
  }
  const node = new Node()
  node.run().catch(() => {})
  await primary.introduced()
  const lines = () => records.map(({ level, msg }) => `${level} ${msg}`)
  return { ...primary, connecting: node, worker: node.worker, lines, stopping }
}

/** A task, as it is handed to a node. */
function aTask(id: string, lease: number, name: string, input: unknown = null) {
  return { id, lease, name, input, attempt: 1 }
}

describe('a node that does tasks', () => {
  test('says what it can do, and what came of what it was handed', async () => {
    const { say, introductions, ended, ends, payloads } = await aWorker({
      slots: 2,
      memoryMb: 512,
      has: ['camera'],
    })
    expect(introductions()).toEqual([
      {
        tasks: Object.fromEntries(Object.keys(tasks).map((name) => [name, 1])),
        slots: 2,
        memory_mb: 512,
        has: ['camera', /64/.test(process.arch) ? '64-bit' : '32-bit', process.platform],
        draining: false,
        holds: [],
      },
    ])
    await say('tasks', [
      aTask('a', 1, 'echo', { text: 'Grüße', list: [1, null] }),
      aTask('b', 2, 'throws', 'an error'),
      aTask('c', 3, 'none'),
      aTask('d', 4, 'busy', 700),
      aTask('e', 5, 'ends', 'exit'),
    ])
    await ended('a', 'b', 'c', 'd', 'e')
    expect(ends().toSorted((one, other) => one.lease - other.lease)).toEqual([
      { id: 'a', lease: 1, ms: expect.any(Number), result: { text: 'Grüße', list: [1, null] } },
      {
        id: 'b',
        lease: 2,
        ms: expect.any(Number),
        kind: 'threw',
        reason: expect.stringContaining('it does not work'),
      },
      { id: 'c', lease: 3, ms: 0, kind: 'unknown', reason: 'There is no task "none" here.' },
      { id: 'd', lease: 4, ms: expect.any(Number), result: 'worked' },
      {
        id: 'e',
        lease: 5,
        ms: expect.any(Number),
        kind: 'exited',
        reason: expect.stringContaining('exit code 7'),
      },
    ])
    expect(ends().find(({ id }) => id === 'd')?.ms).toBeGreaterThanOrEqual(699)
    const progress = payloads<{ id: string; lease: number; done: number }[]>('task_progress').flat()
    expect(progress.length).toBeGreaterThan(0)
    for (const { id, lease, done } of progress)
      expect([id, lease, done > 0 && done <= 1]).toEqual(['d', 4, true])
  })

  test('does no more at once than it has slots, whatever it is handed, and answers meanwhile', async () => {
    const { say, ended, worker, node, peers } = await aWorker({ slots: 2 })
    const loops = Array.from({ length: 6 }, (_, index) => aTask(`t${index}`, index, 'busy', 400))
    await say('tasks', loops)
    await vi.waitFor(() => expect(worker.running).toHaveLength(2), PATIENCE)
    const seen: number[] = []
    let answers = 0
    while (worker.running.length > 0) {
      seen.push(((await node.ask(peers[0] as Connection, 'how', { answer: 'so' })) as unknown[]).length)
      answers += 1
      await sleep(20)
    }
    await ended(...loops.map(({ id }) => id))
    expect(Math.max(...seen)).toBe(2)
    expect(answers).toBeGreaterThan(10)
  })

  test('says what came of many short tasks in a few messages, none larger than a frame', async () => {
    const { say, ends, payloads } = await aWorker()
    const many = Array.from({ length: 2_000 }, (_, index) =>
      aTask(`t${index}`, index, 'echo', 'x'.repeat(300)),
    )
    await say('tasks', many.slice(0, 1_000))
    await say('tasks', many.slice(1_000))
    await vi.waitFor(() => expect(ends()).toHaveLength(2_000), PATIENCE)
    expect(payloads('task_ends').length).toBeLessThan(500)
    expect(new Set(ends().map(({ id }) => id)).size).toBe(2_000)
    const large = Array.from({ length: 3 }, (_, index) =>
      aTask(`l${index}`, index, 'echo', 'x'.repeat(1_044_000)),
    )
    for (const task of large) await say('tasks', [task])
    await vi.waitFor(() => expect(ends()).toHaveLength(2_003), PATIENCE)
  })

  test('tells of what cannot be read, and goes on', async () => {
    const { say, lines, ended, ends, peers } = await aWorker()
    const unreadable: [type: string, payload: unknown, problem: string][] = [
      ['tasks', 'no list', 'Tasks that cannot be read were passed over: all of it'],
      ['tasks', [aTask('a', 1, 'echo'), { id: 'b' }], 'Tasks that cannot be read were passed over: 1.lease'],
      ['tasks', [aTask('x'.repeat(101), 1, 'echo')], 'Tasks that cannot be read were passed over: 0.id'],
      ['tasks', [aTask('a', 0.5, 'echo')], 'Tasks that cannot be read were passed over: 0.lease'],
      ['task_cancel', { a: 1 }, 'What is to be cancelled cannot be read'],
    ]
    for (const [type, payload, problem] of unreadable) {
      await say(type, payload)
      await vi.waitFor(() => expect(lines().join('\n')).toContain(problem), PATIENCE)
    }
    await say('tasks', [aTask('after', 9, 'echo')])
    await ended('after')
    expect([ends().length, peers.length]).toEqual([1, 1])
  })
})

describe('a task that a node holds', () => {
  test('is not done twice when it comes again, and is answered under its last lease', async () => {
    const { say, ended, ends } = await aWorker()
    const path = join(tempFolder(), 'notes')
    const note = (lease: number) => aTask('a', lease, 'notes', { file: path, text: 'done' })
    await say('tasks', [aTask('first', 1, 'sleep', 300), note(2), note(2)])
    await say('tasks', [note(3)])
    await say('tasks', [note(3)])
    await ended('first', 'a')
    expect(ends().map(({ id, lease }) => [id, lease])).toEqual([
      ['first', 1],
      ['a', 3],
    ])
    expect(readFileSync(path, 'utf8')).toBe('done\n')
  })

  test('is ended when it is cancelled, and one that is not known is passed over', async () => {
    const { say, ended, ends, worker } = await aWorker()
    await say('tasks', [aTask('a', 1, 'loop'), aTask('b', 2, 'echo'), aTask('c', 3, 'echo')])
    await vi.waitFor(() => expect(worker.running).toEqual([{ id: 'a', name: 'loop' }]), PATIENCE)
    await say('task_cancel', ['none', 'b', 'a'])
    await ended('a', 'b', 'c')
    expect(Object.fromEntries(ends().map(({ id, kind }) => [id, kind]))).toEqual({
      a: 'cancelled',
      b: 'cancelled',
      c: undefined,
    })
  })

  test('goes on while the connection is away, and its end is sent over the next one, once that is introduced', async () => {
    const { say, peers, introduced, introductions, ended, ends, worker } = await aWorker()
    await say('tasks', [aTask('a', 1, 'sleep', 400), aTask('b', 2, 'sleep', 1)])
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    peers[0]?.socket.destroy()
    await introduced(2)
    await ended('a', 'b')
    // In the order in which they began, or ended: on a busy machine both have ended when it is introduced.
    expect(introductions()[1]?.holds.toSorted()).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    expect(ends().map(({ id, lease, result }) => [id, lease, result])).toEqual([
      ['a', 1, 'slept'],
      ['b', 2, 'slept'],
    ])
  })

  test('that has ended just before the connection is lost is told once more, until nobody wants to hear of it', async () => {
    const { say, peers, introduced, introductions, ended, ends } = await aWorker()
    await say('tasks', [aTask('a', 1, 'echo', 1), aTask('b', 2, 'echo', 2)])
    await ended('a', 'b')
    peers[0]?.socket.destroy()
    await introduced(2)
    expect(introductions()[1]?.holds.toSorted()).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    await vi.waitFor(() => expect(ends()).toHaveLength(4), PATIENCE)
    expect(ends()[2]).toEqual(ends()[0])
  })
})

describe('a node that drains', () => {
  test('gives back what has not begun, takes no more, and says what came of the rest', async () => {
    const { say, worker, introduced, introductions, payloads, ends } = await aWorker()
    await say('tasks', [aTask('a', 1, 'sleep', 500), aTask('b', 2, 'sleep', 1), aTask('c', 3, 'sleep', 1)])
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    const drained = worker.drain()
    await introduced(2)
    expect(introductions()[1]).toMatchObject({ draining: true })
    await say('tasks', [aTask('d', 4, 'echo')])
    await drained
    const returned = () => payloads<{ id: string; lease: number }[]>('task_returns').flat()
    await vi.waitFor(() => expect(returned()).toHaveLength(3), PATIENCE)
    expect(returned()).toEqual([
      { id: 'b', lease: 2 },
      { id: 'c', lease: 3 },
      { id: 'd', lease: 4 },
    ])
    await vi.waitFor(() => expect(ends()).toHaveLength(1), PATIENCE)
    expect(ends()[0]).toMatchObject({ id: 'a', lease: 1, result: 'slept' })
  })

  test('says what came of the rest over the next connection, if there is one soon', async () => {
    const { say, worker, peers, introduced, introductions, ends } = await aWorker({}, { longestPauseMs: 100 })
    await say('tasks', [aTask('a', 1, 'sleep', 500)])
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    const drained = worker.drain()
    await introduced(2)
    peers[0]?.socket.destroy()
    await drained
    expect(introductions()[2]).toMatchObject({ draining: true, holds: [['a', 1]] })
    await vi.waitFor(() => expect(ends()).toMatchObject([{ id: 'a', lease: 1, result: 'slept' }]), PATIENCE)
  })

  test('with nothing to do is done at once, also without a connection', async () => {
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    const node = new ConnectingNode({ peer: 'primary', host: '127.0.0.1', port: 1, stop, log })
    await new TaskWorker({ node, file, tasks, slots: 1, log, stop }).drain()
  })
})
