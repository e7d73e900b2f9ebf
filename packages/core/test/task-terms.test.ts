/** A node that does tasks for whoever leads, and the whole way: leaders that come, go and come again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Connection } from '../src/connection.ts'
import { openKey, openKeys } from '../src/key-files.ts'
import { ConnectingNode as Asking, ListeningNode as Leading } from '../src/node.ts'
import { encryptedBy, encryptedWith } from '../src/secure-sockets.ts'
import type { openTaskStore as openFromSource } from '../src/task-store.ts'
import { TaskClient, type TaskState, Tasks } from '../src/tasks.ts'
import type { TaskWorkerOptions } from '../src/worker.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { HOST } from './secure-support.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'
import { ConnectingNode, file, ListeningNode, PATIENCE, send, TaskWorker, tasks } from './task-support.ts'

const { openTaskStore }: { openTaskStore: typeof openFromSource } = await import(
  join(BUILT_FIXTURES, 'task-store.js')
)

interface Leader {
  name: string
  term: number
}

interface Said {
  id: string
  lease: number
  term?: number
  kind?: string
  result?: unknown
}

interface Introduction {
  term: number
  desk: string
  slots: number
  memory_mb: number
  holds: [string, number, number][]
}

/** Somebody who hands out tasks by hand, and notes to the letter what is said. */
async function aDesk(name: string) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const said: { type: string; payload: unknown }[] = []
  let peer: Connection | undefined
  const node = new ListeningNode({ peer: 'node', host: HOST, port: 0, stop, log })
  for (const type of ['worker', 'task_ends', 'task_progress', 'task_returns'])
    node.handlers[type] = (payload, from) => {
      said.push({ type, payload })
      peer = from
    }
  void node.run()
  const port = () => Number(/Listening on .*:(\d+)$/m.exec(records.map(({ msg }) => msg).join('\n'))?.[1])
  await vi.waitFor(() => expect(port()).toBeGreaterThan(0), PATIENCE)
  const payloads = <Payload>(type: string) =>
    said.filter((message) => message.type === type).map(({ payload }) => payload as Payload)
  return {
    name,
    port: port(),
    said,
    connections: () => node.roster.members.length,
    introductions: () => payloads<Introduction>('worker'),
    ends: () => payloads<Said[]>('task_ends').flat(),
    returned: () => payloads<Said[]>('task_returns').flat(),
    introduced: (times = 1) => vi.waitFor(() => expect(payloads('worker')).toHaveLength(times), PATIENCE),
    ended: (...ids: string[]) =>
      vi.waitFor(
        () => expect(payloads<Said[]>('task_ends').flatMap((ends) => ends.map(({ id }) => id))).toEqual(ids),
        PATIENCE,
      ),
    say: (type: string, payload: unknown) => send(peer as Connection, type, payload),
    tasks: (term: number, ...list: unknown[]) =>
      send(peer as Connection, 'tasks', { term, desk: name, tasks: list }),
    cancel: (term: number, ...ids: string[]) =>
      send(peer as Connection, 'task_cancel', { term, desk: name, tasks: ids }),
  }
}

/** A node that does tasks for whoever leads: a connection for each of them, and what it does goes over the newest. */
async function aFollower(options: Partial<TaskWorkerOptions> = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  let leader: Leader | undefined
  let newest: InstanceType<typeof ConnectingNode> | undefined
  let isFree = Promise.resolve()
  const node = {
    get over() {
      return newest?.over ?? AbortSignal.abort()
    },
    send: async (type: string, payload: unknown) => {
      const to = newest
      await isFree
      await to?.send(type, payload)
    },
  }
  const worker = new TaskWorker({ node, desk: () => leader, file, tasks, slots: 2, log, stop, ...options })
  return {
    worker,
    lines: () => records.map(({ level, msg }) => `${level} ${msg}`),
    /** Sends nothing before that. */
    waitFor: (free: Promise<void>) => {
      isFree = free
    },
    /** What its election says. */
    hears: (now: Leader | undefined) => {
      leader = now
    },
    /** Turns to a leader. The connection to the one before ends when the test says so. */
    follow: ({ name, port }: { name: string; port: number }, term: number, secure = {}) => {
      leader = { name, term }
      const over = new AbortController()
      stop.addEventListener('abort', () => over.abort(stop.reason))
      class Node extends ConnectingNode {
        override async greet() {
          newest = this
          await worker.introduce()
        }
      }
      const connecting = new Node({ peer: name, host: HOST, port, stop: over.signal, log, ...secure })
      connecting.handlers = { ...worker.handlers }
      connecting.run().catch(() => {})
      return () => over.abort()
    },
  }
}

/** A task, as it is handed to a node. */
function aTask(id: string, lease: number, name: string, input: unknown = null) {
  return { id, lease, name, input, attempt: 1 }
}

/** The input of a task that ends when the test says so, and how often it was begun. */
function aGate() {
  const path = join(tempFolder(), 'gate')
  return {
    input: { file: path },
    open: () => writeFileSync(path, ''),
    begun: () => readFileSync(`${path}-1`, 'utf8').length,
  }
}

describe('a node that does tasks for whoever leads', () => {
  test('names its leader and the term, and says of each task in which it was lent', async () => {
    const desk = await aDesk('node-1')
    const { follow, worker } = await aFollower({ slots: 1 })
    follow(desk, 5)
    await desk.introduced()
    expect(desk.introductions()).toMatchObject([{ term: 5, desk: 'node-1', slots: 1, holds: [] }])
    await desk.tasks(5, aTask('a', 1, 'echo', 'x'), aTask('b', 2, 'busy', 1_500), aTask('c', 3, 'echo'))
    const progress = () => desk.said.find(({ type }) => type === 'task_progress')?.payload
    await vi.waitFor(
      () => expect(progress()).toEqual([{ id: 'b', lease: 2, term: 5, done: expect.any(Number) }]),
      PATIENCE,
    )
    await worker.drain()
    await desk.ended('a', 'b')
    expect(desk.ends()).toMatchObject([
      { id: 'a', lease: 1, term: 5, result: 'x' },
      { id: 'b', lease: 2, term: 5, result: 'worked' },
    ])
    expect(desk.returned()).toEqual([{ id: 'c', lease: 3, term: 5 }])
  })

  test('keeps what it has of one leader while another one leads, and tells it when the first leads again', async () => {
    const [one, two] = [await aDesk('node-1'), await aDesk('node-2')]
    const { follow, worker, lines } = await aFollower({ slots: 3, memoryMb: 600 })
    const leave = follow(one, 3)
    await one.introduced()
    const gates = [aGate(), aGate()] as const
    await one.tasks(
      3,
      aTask('same', 1, 'attempts', gates[0].input),
      aTask('b', 2, 'attempts', gates[1].input),
    )
    await vi.waitFor(() => expect(worker.running).toHaveLength(2), PATIENCE)

    // The first one is not known to be gone yet.
    const leaveTwo = follow(two, 4)
    await two.introduced()
    expect(two.introductions()).toMatchObject([{ term: 4, desk: 'node-2', slots: 1, holds: [] }])
    await two.cancel(4, 'b')
    await two.tasks(4, aTask('same', 1, 'echo', 'of two'))
    await two.ended('same')
    gates[0].open()
    await two.introduced(2)
    leave()
    gates[1].open()
    await two.introduced(3)
    await two.tasks(4, aTask('last', 2, 'echo'))
    await two.ended('same', 'last')
    expect(two.ends()).toMatchObject([{ result: 'of two', term: 4 }, { term: 4 }])
    expect(two.introductions().map(({ slots, memory_mb, holds }) => [slots, memory_mb, holds])).toEqual([
      [1, 600 - 2 * 128, []],
      [2, 600 - 128, []],
      [3, 600, []],
    ])
    leaveTwo()

    const before = one.introductions().length
    follow(one, 5)
    await one.introduced(before + 1)
    await vi.waitFor(() => expect(one.ends()).toHaveLength(2), PATIENCE)
    expect(one.introductions().at(-1)).toMatchObject({
      term: 5,
      holds: [
        ['same', 1, 3],
        ['b', 2, 3],
      ],
    })
    expect(one.ends()).toMatchObject([
      { id: 'same', lease: 1, term: 3, result: 1 },
      { id: 'b', lease: 2, term: 3, result: 1 },
    ])
    expect(one.said.filter(({ type }) => type === 'task_progress')).toEqual([])
    expect(lines().filter((line) => /^(warn|error)/.test(line))).toEqual([])
  })

  test('tells a leader nothing of what ends while it introduces itself to the next one', async () => {
    const [one, two] = [await aDesk('node-1'), await aDesk('node-2')]
    const { follow, worker, waitFor } = await aFollower({ slots: 1 })
    const leave = follow(one, 3)
    await one.introduced()
    const { input, open } = aGate()
    await one.tasks(3, aTask('a', 1, 'attempts', input))
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    let free = () => {}
    waitFor(new Promise((resolve) => (free = resolve)))
    const from = two.connections()
    follow(two, 4)
    await vi.waitFor(() => expect(two.connections()).toBeGreaterThan(from), PATIENCE)
    open()
    await vi.waitFor(() => expect(worker.running).toEqual([]), PATIENCE)
    free()
    await two.introduced()
    await two.tasks(4, aTask('b', 1, 'echo'))
    await vi.waitFor(() => expect(two.ends().map(({ id }) => id)).toContain('b'), PATIENCE)
    expect(two.ends().map(({ id }) => id)).toEqual(['b'])
    leave()
    follow(one, 5)
    await vi.waitFor(() => expect(one.ends().map(({ id }) => id)).toEqual(['a']), PATIENCE)
  })

  test('tells a leader that it is full of what another one gave it, and does what comes then in its turn', async () => {
    const [one, two] = [await aDesk('node-1'), await aDesk('node-2')]
    const { follow, worker } = await aFollower({ slots: 1, memoryMb: 100 })
    const leave = follow(one, 3)
    await one.introduced()
    await one.tasks(3, aTask('a', 1, 'busy', 1_500))
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    leave()
    follow(two, 4)
    await two.introduced()
    expect(two.introductions()).toMatchObject([{ slots: 1, memory_mb: 100 }])
    await two.tasks(4, aTask('b', 1, 'echo'))
    await two.ended('b')
    expect(two.said.map(({ type }) => type)).toEqual(['worker', 'task_ends'])
  })

  test('takes nothing of a lower term, and leaves nothing alone for it, and says so once', async () => {
    const [one, two] = [await aDesk('node-1'), await aDesk('node-2')]
    const { follow, hears, lines, worker } = await aFollower()
    follow(one, 3)
    await one.introduced()
    const { input, open } = aGate()
    await one.tasks(3, aTask('a', 1, 'attempts', input))
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    // Its election has heard of another one: the connection is still there.
    hears({ name: 'node-2', term: 4 })
    await one.tasks(3, aTask('late', 2, 'echo'))
    await one.cancel(3, 'a')
    const passedOver = () => lines().filter((line) => /hands out tasks in term/.test(line))
    await vi.waitFor(() => expect(passedOver()).toHaveLength(1), PATIENCE)
    follow(two, 4)
    await two.introduced()
    await two.tasks(4, aTask('b', 1, 'echo'))
    await two.ended('b')
    await one.tasks(2, aTask('later', 2, 'echo'))
    await vi.waitFor(() => expect(passedOver()).toHaveLength(2), PATIENCE)
    expect(passedOver()).toEqual([
      'warn node-1 hands out tasks in term 3, and somebody leads in term 4: it is not listened to',
      'warn node-1 hands out tasks in term 2, and somebody leads in term 4: it is not listened to',
    ])
    open()
    follow(one, 5)
    await vi.waitFor(() => expect(one.ends()).toHaveLength(1), PATIENCE)
    expect(one.ends()).toMatchObject([{ id: 'a', result: 1 }])
  })

  test('a higher term counts as soon as a message says so', async () => {
    const desk = await aDesk('node-1')
    const { follow, lines } = await aFollower()
    follow(desk, 3)
    await desk.introduced()
    await desk.tasks(6, aTask('a', 1, 'echo'))
    await desk.ended('a')
    await desk.tasks(3, aTask('b', 2, 'echo'))
    await vi.waitFor(() => expect(lines().join('\n')).toContain('somebody leads in term 6'), PATIENCE)
    await desk.tasks(6, aTask('c', 3, 'echo'))
    await desk.ended('a', 'c')
  })

  test('drains without waiting for what cannot be told any more', async () => {
    const [one, two] = [await aDesk('node-1'), await aDesk('node-2')]
    const { follow, worker } = await aFollower()
    const leave = follow(one, 3)
    await one.introduced()
    await one.tasks(3, aTask('a', 1, 'loop'))
    await vi.waitFor(() => expect(worker.running).toHaveLength(1), PATIENCE)
    leave()
    follow(two, 4)
    await two.introduced()
    await worker.drain()
    expect(worker.running).toMatchObject([{ id: 'a' }])
  })

  test('does not introduce itself while nobody leads, and cannot read what says not whose it is', async () => {
    const desk = await aDesk('node-1')
    const { follow, hears, lines } = await aFollower()
    follow(desk, 3)
    hears(undefined)
    await vi.waitFor(
      () => expect(lines()).toContain('warn greet: Nobody is known to lead now, so there are no tasks.'),
      PATIENCE,
    )
    const other = await aDesk('node-2')
    follow(other, 4)
    await other.introduced()
    await other.say('tasks', [aTask('a', 1, 'echo')])
    await other.say('task_cancel', ['a'])
    await vi.waitFor(
      () =>
        expect(lines().join('\n')).toMatch(
          /Tasks that cannot be read were passed over.*What is to be cancelled cannot be read/s,
        ),
      PATIENCE,
    )
    expect(desk.introductions()).toEqual([])
  })
})

test('what one leader gave and another one did not end is done once, though the first was away, and its clock is wrong now', async () => {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const folder = tempFolder()
  const nodes = ['desk', 'pi-1', 'node-1', 'node-2']
  const keys = await openKeys({ folder: join(folder, 'keys'), nodes, log, stop })
  const secureAs = async (name: string) =>
    encryptedBy(await openKey({ file: join(folder, 'keys', `${name}.key`), log, stop }))
  const says = (line: RegExp, from = 0) =>
    vi.waitFor(() => {
      const found = records
        .slice(from)
        .map(({ msg }) => line.exec(msg))
        .find((match) => match !== null)
      expect(found, `${line}`).toBeDefined()
      return found?.[1] ?? ''
    }, PATIENCE)

  /** A member, for as long as it leads. Its store is its own. */
  const reign = async (name: string, term: number) => {
    const over = new AbortController()
    const store = await openTaskStore({ name, folder, log, stop: over.signal })
    const node = new Leading({
      ...{ peer: 'node', host: HOST, port: 0, secure: encryptedWith(keys, { stop: over.signal, log }) },
      ...{ stop: over.signal, log },
    })
    const desk = new Tasks({
      ...{ node, tasks, submitters: () => ['desk'], journal: store, desk: name, log, stop: over.signal },
      term: { number: term, isHeld: () => !over.signal.aborted },
    })
    node.handlers = { ...desk.handlers }
    node.answers = { ...desk.answers }
    const from = records.length
    void node.run()
    const port = Number(await says(/Listening on .*:(\d+)$/, from))
    class Submitter extends Asking {
      readonly tasks = new TaskClient(this)
      override handlers = this.tasks.handlers
    }
    const submitter = new Submitter({
      peer: name,
      host: HOST,
      port,
      secure: await secureAs('desk'),
      stop: over.signal,
      log,
    })
    submitter.run().catch(() => {})
    const { tasks: client } = submitter
    return {
      name,
      port,
      client,
      becomes: (id: string, state: Partial<TaskState>) =>
        vi.waitFor(async () => expect(await client.states({ ids: [id] })).toMatchObject([state]), PATIENCE),
      die: async () => {
        over.abort()
        await store.close()
      },
    }
  }

  const { follow, worker } = await aFollower({ slots: 2 })
  const secure = { secure: await secureAs('pi-1') }
  const one = await reign('node-1', 1)
  const leave = follow(one, 1, secure)
  const [ends, lasts] = [aGate(), aGate()]
  await one.client.submit([
    { id: 'ends', name: 'attempts', input: ends.input },
    { id: 'lasts', name: 'attempts', input: lasts.input },
  ])
  await vi.waitFor(() => expect(worker.running).toHaveLength(2), PATIENCE)
  await one.die()
  leave()

  const two = await reign('node-2', 2)
  const leaveTwo = follow(two, 2, secure)
  await two.client.submit([{ id: 'of-two', name: 'echo', input: 2 }])
  ends.open()
  await two.becomes('of-two', { state: 'done', result: 2, node: 'pi-1' })
  await vi.waitFor(() => expect(worker.running.map(({ id }) => id)).toEqual(['lasts']), PATIENCE)
  await two.die()
  leaveTwo()

  const wrong = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000)
  const again = await reign('node-1', 3)
  wrong.mockRestore()
  follow(again, 3, secure)
  await again.becomes('ends', { state: 'done', node: 'pi-1', attempts: 1, lost: 0, result: 1 })
  await again.becomes('lasts', { state: 'running', node: 'pi-1', attempts: 1, lost: 0 })
  lasts.open()
  await again.becomes('lasts', { state: 'done', node: 'pi-1', attempts: 1, lost: 0, result: 1 })
  expect([ends.begun(), lasts.begun()]).toEqual([1, 1])
})
