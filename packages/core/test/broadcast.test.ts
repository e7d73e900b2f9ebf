import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { answerTo, Broadcast, RollCall, reportFrom } from '../src/broadcast.ts'
import type { Connection } from '../src/connection.ts'
import { Identities } from '../src/identity.ts'
import { LiveTable, Presence, Topics } from '../src/live.ts'
import { handleMessages, send } from '../src/messages.ts'
import { Roster } from '../src/roster.ts'
import { connectedPair, recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

interface Message {
  type: string
  payload: unknown
}

/** A pair whose far end takes down what comes. */
async function subscriber(options?: Parameters<typeof connectedPair>[0]) {
  const { master: peer, slave: far } = await connectedPair(options)
  const messages: Message[] = []
  const reads = () => {
    void handleMessages(far, {}, (type, payload) => void messages.push({ type, payload })).catch(() => {})
  }
  return { peer, far, messages, reads, payloads: () => messages.map(({ payload }) => payload) }
}

async function reader() {
  const one = await subscriber()
  one.reads()
  return one
}

/** Waits until what was sent to a peer before has been read there. */
async function settled({ peer, messages }: { peer: Connection; messages: Message[] }): Promise<void> {
  await send(peer, 'settled', messages.length)
  await vi.waitFor(() => expect(messages.some(({ type }) => type === 'settled')).toBe(true), PATIENCE)
  messages.splice(
    messages.findIndex(({ type }) => type === 'settled'),
    1,
  )
}

describe('what is published', () => {
  test('comes to all who have subscribed, in order, and to nobody else', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {}, weather: {} } })
    const [one, two, other] = await Promise.all([reader(), reader(), reader()])
    broadcast.subscribe('news', one.peer)
    broadcast.subscribe('news', two.peer)
    broadcast.subscribe('news', two.peer)
    broadcast.subscribe('weather', other.peer)
    for (const count of [1, 2, 3]) broadcast.publish('news', { count })
    broadcast.publish('weather', 'fär')
    const news = [1, 2, 3].map((count) => ({ type: 'news', payload: { count } }))
    for (const each of [one, two]) await vi.waitFor(() => expect(each.messages).toEqual(news), PATIENCE)
    await settled(other)
    expect(other.messages).toEqual([{ type: 'weather', payload: 'fär' }])
    expect(broadcast.subscribers('news')).toEqual([one.peer, two.peer])
  })

  test('is encoded once, and goes out behind what was sent before', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    const readers = await Promise.all([reader(), reader(), reader()])
    for (const { peer } of readers) {
      broadcast.subscribe('news', peer)
      void send(peer, 'before', 0)
    }
    let encodings = 0
    broadcast.publish('news', { toJSON: () => (encodings += 1) })
    for (const { messages } of readers)
      await vi.waitFor(
        () =>
          expect(messages).toEqual([
            { type: 'before', payload: 0 },
            { type: 'news', payload: 1 },
          ]),
        PATIENCE,
      )
    expect(encodings).toBe(1)
  })

  test('comes no more to one that has unsubscribed or has left', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    const [one, two] = await Promise.all([reader(), reader()])
    for (const { peer } of [one, two]) broadcast.subscribe('news', peer)
    broadcast.unsubscribe('news', one.peer)
    await two.far.close()
    await vi.waitFor(() => expect(broadcast.subscribers('news')).toEqual([]), PATIENCE)
    broadcast.publish('news', 1)
    await settled(one)
    expect(one.messages).toEqual([])
  })

  test('last is there for one that asks for it, once', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    const [early, late, hasty, plain] = await Promise.all([reader(), reader(), reader(), reader()])
    broadcast.subscribe({ topic: 'news', last: true }, early.peer)
    await settled(early)
    expect(early.messages, 'nothing was published yet').toEqual([])
    broadcast.publish('news', 1)
    broadcast.publish('news', 2)
    broadcast.subscribe({ topic: 'news', last: true }, hasty.peer) // in the same turn
    await vi.waitFor(() => expect(hasty.payloads()).toEqual([1, 2]), PATIENCE)
    broadcast.subscribe({ topic: 'news', last: true }, late.peer)
    broadcast.subscribe('news', plain.peer)
    await vi.waitFor(() => expect(late.payloads()).toEqual([2]), PATIENCE)
    await settled(plain)
    expect(plain.messages).toEqual([])
  })

  test('is a message of up to half a megabyte on a topic that there is', () => {
    const { log, records } = recordingLog()
    const broadcast = new Broadcast({ log, topics: { news: {} } })
    expect(() => broadcast.publish('wether', 1)).toThrow(RangeError)
    expect(() => broadcast.publish('news', undefined)).toThrow(TypeError)
    expect(() => broadcast.publish('news', 'x'.repeat(2 ** 19))).toThrow(/524288/)
    broadcast.publish('news', 'x'.repeat(2 ** 19 - 100))
    expect(records).toEqual([])
  })

  test('a topic of somebody else goes there as it came; what nobody has is told once', async () => {
    const { log, records } = recordingLog()
    const table = new LiveTable<string>()
    table.set('one', 'row')
    const others = new Topics({ log, tables: { roster: table } }).subscribe
    const broadcast = new Broadcast({ log, topics: { news: {} }, others })
    const { peer, messages } = await reader()
    for (const topic of ['roster', 'news', 'constructor']) broadcast.subscribe(topic, peer)
    broadcast.publish('news', 1)
    const came = () => messages.map(({ type }) => type).sort()
    await vi.waitFor(() => expect(came()).toEqual(['news', 'roster']), PATIENCE)
    expect(records.map(({ msg }) => msg)).toEqual([
      expect.stringContaining('subscribes to constructor, and there is no such topic'),
    ])
  })

  test('nobody subscribes to what there is not, and who does so a thousand times leaves no trace', async () => {
    const { log, records } = recordingLog()
    const broadcast = new Broadcast({ log, topics: { news: {} } })
    const { peer } = await reader()
    for (const topic of ['constructor', { topic: 7 }, null]) broadcast.subscribe(topic, peer)
    expect(records).toHaveLength(3)
    expect(records[0]?.msg).toContain('subscribes to constructor, and there is no such topic')
    const listeners = peer.socket.listenerCount('close')
    for (let count = 0; count < 1_000; count += 1) {
      broadcast.subscribe('news', peer)
      broadcast.unsubscribe('news', peer)
    }
    expect(peer.socket.listenerCount('close')).toBe(listeners + 1)
  })
})

/** Publishes messages of 1 KiB, a hundred in a turn, until a subscriber has lost some. */
async function overwhelm(broadcast: Broadcast, isOver: (count: number) => boolean): Promise<number> {
  let count = 0
  while (!isOver(count)) {
    for (const _ of Array(100)) {
      broadcast.publish('news', `${String(count).padStart(8)}${'x'.repeat(1_000)}`)
      count += 1
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return count
}

const numberOf = (payload: unknown) => Number(String(payload).slice(0, 8))

describe('a subscriber that does not read', () => {
  test('loses the oldest, is told how many, and has the newest; the others have all', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    const [slow, quick] = await Promise.all([subscriber(), reader()])
    for (const { peer } of [slow, quick]) broadcast.subscribe('news', peer)
    const count = await overwhelm(broadcast, (count) => count >= 20_000)
    await vi.waitFor(() => expect(quick.messages).toHaveLength(count), PATIENCE)
    expect(quick.payloads().map(numberOf)).toEqual([...Array(count).keys()])
    expect(slow.peer.socket.writableLength).toBeLessThan(512 * 1024)

    slow.reads()
    await vi.waitFor(() => expect(numberOf(slow.messages.at(-1)?.payload)).toBe(count - 1), PATIENCE)
    const missed = slow.messages.filter(({ type }) => type === 'missed')
    expect(missed).toEqual([{ type: 'missed', payload: { topic: 'news', count: expect.any(Number) } }])
    const got = slow.messages.filter(({ type }) => type === 'news').map(({ payload }) => numberOf(payload))
    const [{ payload }] = missed as [Message]
    const { count: lost } = payload as { count: number }
    expect(got.length + lost).toBe(count)
    // They are missing in one place, where that is told.
    const at = slow.messages.findIndex(({ type }) => type === 'missed')
    expect(got).toEqual([
      ...Array(at).keys(),
      ...Array.from({ length: count - at - lost }, (_, index) => at + lost + index),
    ])

    slow.messages.length = 0
    broadcast.publish('news', `${String(count).padStart(8)}`)
    await vi.waitFor(() => expect(slow.payloads().map(numberOf)).toEqual([count]), PATIENCE)
  })

  test('is cut off, where the topic says so, and told what for', async () => {
    const broadcast = new Broadcast({
      log: recordingLog().log,
      topics: { news: { lose: 'cut', mostWaitingBytes: 100_000 } },
    })
    const [slow, quick] = await Promise.all([subscriber(), reader()])
    for (const { peer } of [slow, quick]) broadcast.subscribe('news', peer)
    const closed = once(slow.peer.socket, 'close')
    const count = await overwhelm(broadcast, () => slow.peer.socket.destroyed)
    await closed
    expect(() => slow.peer.throwIfLost()).toThrow(
      /^Cut off .* it does not keep up with "news", and \d+ bytes wait for it\.$/,
    )
    await vi.waitFor(() => expect(quick.messages).toHaveLength(count), PATIENCE)
    expect(broadcast.subscribers('news')).toEqual([quick.peer])
  })
})

describe('a subscriber that does not read, and does worse', () => {
  /** One whose socket is full. */
  async function full() {
    const one = await subscriber()
    const { socket } = one.peer
    while (!socket.writableNeedDrain) {
      void send(one.peer, 'filling', 'x'.repeat(10_000))
      await new Promise((resolve) => setImmediate(resolve))
    }
    return one
  }

  test('is kept nothing for, when it has unsubscribed, however often it comes back', async () => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    const { peer, messages, reads } = await full()
    broadcast.publish('news', 1)
    await new Promise((resolve) => setImmediate(resolve))
    const listeners = peer.socket.listenerCount('drain')
    for (let count = 0; count < 100; count += 1) {
      broadcast.subscribe({ topic: 'news', last: true }, peer)
      broadcast.unsubscribe('news', peer)
    }
    expect(peer.socket.listenerCount('drain')).toBe(listeners)
    broadcast.subscribe({ topic: 'news', last: true }, peer)
    reads()
    await vi.waitFor(() => expect(messages.at(-1)?.type).toBe('news'), PATIENCE)
    expect(messages.filter(({ type }) => type !== 'filling')).toEqual([{ type: 'news', payload: 1 }])
  })

  test.each(['oldest', 'cut'] as const)('has the newest, however large it is (%s)', async (lose) => {
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: { lose } } })
    const { peer, messages, reads } = await full()
    broadcast.subscribe('news', peer)
    broadcast.publish('news', 'x'.repeat(400_000))
    await new Promise((resolve) => setImmediate(resolve))
    expect(peer.socket.destroyed).toBe(false)
    reads()
    await vi.waitFor(() => expect(messages.at(-1)?.type).toMatch(/news|missed/), PATIENCE)
    expect(String(messages.at(-1)?.payload)).toHaveLength(400_000)
  })
})

/** A listener's side with some nodes, which answer as they are told; one that says nothing is called, and does not answer. */
async function called(...says: (((command: string) => string) | undefined)[]) {
  const { log } = recordingLog()
  const { signal: stop } = stopAfterTest()
  const roster = new Roster({ log, stop })
  const presence = new Presence({ roster, identities: new Identities({ log }), stop })
  const broadcast = new Broadcast({ log, topics: { command: {} } })
  const calls = new RollCall({ broadcast, topic: 'command', roster, presence: presence.table, timeMs: 1_000 })
  const nodes = await Promise.all(
    says.map(async (obey, index) => {
      const { master: peer, slave: far } = await connectedPair()
      roster.add(peer)
      roster.introduce(peer, { hostname: `pi-${index + 1}` })
      broadcast.subscribe('command', peer)
      void handleMessages(peer, { answer: calls.take }, () => {}).catch(() => {})
      const command = async (payload: unknown) => {
        if (obey) await send(far, 'answer', await answerTo(payload, obey))
      }
      void handleMessages(far, { command }, () => {}).catch(() => {})
      return { peer, far }
    }),
  )
  return { calls, nodes, presence, broadcast, roster }
}

describe('a roll call', () => {
  test('says who has answered, what, and after how long; who is silent, and who has gone', async () => {
    const { calls, nodes, presence } = await called(
      (command) => `${command} one`,
      (command) => `${command} two`,
      undefined,
      () => 'gone',
    )
    await vi.waitFor(() => expect(presence.table.size).toBe(4), PATIENCE)
    await nodes[3]?.far.close()
    await vi.waitFor(() => expect(presence.table.get('pi-4')?.state).toBe('gone'), PATIENCE)
    const report = await calls.call('say')
    expect(report?.answered.map(({ name, says }) => [name, says]).sort()).toEqual([
      ['pi-1', 'say one'],
      ['pi-2', 'say two'],
    ])
    for (const { afterMs } of report?.answered ?? []) expect(afterMs).toBeGreaterThan(0)
    expect(report).toMatchObject({ silent: ['pi-3'], offline: ['pi-4'] })
    expect(reportFrom(JSON.parse(JSON.stringify(report)))).toEqual(report)
  })

  test('misses no program that does no commands, as a web server, when it has gone', async () => {
    const { calls, presence, roster } = await called()
    const { master: peer, slave: far } = await connectedPair()
    roster.add(peer)
    roster.introduce(peer, { hostname: 'web', program: 'webserver' })
    await vi.waitFor(() => expect(presence.table.get('web')?.state).toBe('here'), PATIENCE)
    await far.close()
    peer.socket.destroy()
    await vi.waitFor(() => expect(presence.table.get('web')?.state).toBe('gone'), PATIENCE)
    expect(await calls.call('say')).toEqual({ answered: [], silent: [], offline: [] })
  })

  test('is over when all have answered or left, and counts no answer twice or of another call', async () => {
    const { calls, nodes } = await called(() => 'here', undefined)
    const [first, second] = nodes
    const calling = calls.call('say')
    calls.take({ id: 99, says: 'of another' }, second?.peer as Connection)
    await vi.waitFor(() => expect(first?.far.socket.bytesWritten).toBeGreaterThan(0), PATIENCE)
    second?.far.socket.destroy()
    const report = await calling
    calls.take({ id: 1, says: 'late' }, second?.peer as Connection)
    expect(report).toMatchObject({
      answered: [{ name: 'pi-1', says: 'here' }],
      silent: [],
      offline: ['pi-2'],
    })
    const listeners = first?.peer.socket.listenerCount('close')
    await calls.call('say')
    expect(first?.peer.socket.listenerCount('close')).toBe(listeners)
  })

  test('of nobody is over at once; one too many, or of no text, is none', async () => {
    expect(await (await called()).calls.call('say')).toEqual({ answered: [], silent: [], offline: [] })
    const { calls } = await called(undefined)
    const open = Array.from({ length: 16 }, () => calls.call('say'))
    expect(await calls.call('say')).toBeUndefined()
    for (const one of open) expect(await one).toMatchObject({ silent: ['pi-1'] })
    expect(await calls.call({ no: 'text' })).toBeUndefined()
    expect(await calls.call('x'.repeat(201))).toBeUndefined()
    await expect(answerTo({ id: 1 }, () => '')).rejects.toThrow('What came is no call.')
    expect(() => reportFrom({})).toThrow('What came does not say who has answered.')
  })
})
