import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, test, vi } from 'vitest'
import { eventsOf, serveEvents } from '../src/event-stream.ts'
import { Identities, newIdentity } from '../src/identity.ts'
import { type Changes, LiveTable, Mirror, nodeRow, Presence, Topics } from '../src/live.ts'
import { handleMessages, send } from '../src/messages.ts'
import { Roster } from '../src/roster.ts'
import { createSite, serveSite } from '../src/web.ts'
import { connectedPair, recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** Follows a table, and keeps one like it; `pause` is how long each step takes it, in ms. */
function follower<Row>(table: LiveTable<Row>, { since, pause = 0 }: { since?: string; pause?: number } = {}) {
  const own = new LiveTable<Row>()
  const steps: Changes<Row>[] = []
  const { signal } = stopAfterTest()
  void (async () => {
    for await (const changes of table.follow(signal, since)) {
      steps.push(changes)
      own.apply(changes)
      if (pause > 0) await sleep(pause)
    }
  })()
  return { own, steps }
}

const sorted = <Row>(table: LiveTable<Row>) => table.entries().sort(([a], [b]) => (a < b ? -1 : 1))

describe('a table that is followed', () => {
  test('tells all rows first, and then what changes, a tenth of a second together', async () => {
    const table = new LiveTable<number>()
    table.set('a', 1)
    const { steps } = follower(table)
    await vi.waitFor(() => expect(steps).toHaveLength(1), PATIENCE)
    expect(steps[0]).toMatchObject({ all: true, rows: { a: 1 }, removed: [] })
    const { version } = table.changesSince()
    table.set('a', 1)
    expect(table.changesSince().version, 'the same row is no change').toBe(version)
    table.set('b', 2)
    table.set('b', 3)
    table.delete('a')
    await vi.waitFor(() => expect(steps).toHaveLength(2), PATIENCE)
    expect(steps[1]).toMatchObject({ all: false, rows: { b: 3 }, removed: ['a'] })
  })

  test('keeps nothing for one that is slow: it gets what has changed meanwhile, merged', async () => {
    const table = new LiveTable<number>()
    table.set('a', 0)
    const { own, steps } = follower(table, { pause: 300 })
    for (let count = 1; count <= 100; count += 1) {
      table.set('a', count)
      await sleep(5)
    }
    await vi.waitFor(() => expect(own.get('a')).toBe(100), PATIENCE)
    expect(steps.length).toBeLessThan(20)
  })

  test('tells who comes back what it has missed, and all when that is not known any more', async () => {
    const table = new LiveTable<number>()
    for (const id of ['a', 'b', 'c']) table.set(id, 1)
    const { version } = table.changesSince()
    table.delete('a')
    table.set('b', 2)
    expect(table.changesSince(version)).toMatchObject({ all: false, rows: { b: 2 }, removed: ['a'] })
    for (const none of ['', 'x', '-1', `${version}x`, `${version}9`, 'other-3', version.replace(/\d+$/, '')])
      expect(table.changesSince(none)).toMatchObject({ all: true, rows: { b: 2, c: 1 }, removed: [] })
    expect(new LiveTable().changesSince(version).all).toBe(true)
    for (let count = 0; count < 1_001; count += 1) {
      table.set(`x${count}`, count)
      table.delete(`x${count}`)
    }
    expect(table.changesSince(version).all).toBe(true)
    const { removed } = table.changesSince(table.changesSince().version)
    expect(removed).toEqual([])
  })

  test('gives who asks for the same the same object, so that it is encoded once', () => {
    const table = new LiveTable<number>()
    table.set('a', 1)
    expect(table.changesSince()).toBe(table.changesSince())
  })

  test('is what its followers have, whatever is done, and whenever they come', async () => {
    const id = fc.constantFrom('a', 'b', 'c', 'constructor', '__proto__', '7')
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), id, row: fc.nat(3) }),
      fc.record({ do: fc.constant('delete' as const), id }),
      fc.record({ do: fc.constant('look' as const), who: fc.nat(2) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new LiveTable<number>()
        const followers = [0, 1, 2].map(() => ({
          own: new LiveTable<number>(),
          version: undefined as string | undefined,
        }))
        const look = (one: (typeof followers)[number]) => {
          const changes = table.changesSince(one.version)
          one.own.apply(JSON.parse(JSON.stringify(changes)))
          one.version = changes.version
        }
        for (const one of steps) {
          if (one.do === 'set') table.set(one.id, one.row)
          else if (one.do === 'delete') table.delete(one.id)
          else look(followers[one.who] as (typeof followers)[number])
        }
        for (const one of followers) {
          look(one)
          expect(sorted(one.own)).toEqual(sorted(table))
        }
      }),
    )
  })
})

/** A table that one end of a connection has, and the other one follows. */
async function overAConnection<Row>(table: LiveTable<Row>, row: v.GenericSchema<unknown, Row>) {
  const { master, slave } = await connectedPair()
  const { log, records } = recordingLog()
  const topics = new Topics({ log, tables: { roster: table as LiveTable<unknown> } })
  const mirror = new Mirror(row)
  const messages: string[] = []
  void handleMessages(master, { subscribe: topics.subscribe }, () => {}).catch(() => {})
  const takes = (payload: unknown) => {
    messages.push(JSON.stringify(payload))
    mirror.take(payload)
  }
  void handleMessages(slave, { roster: takes }, (type) => void messages.push(type)).catch(() => {})
  return { master, slave, mirror, messages, records }
}

describe('over a connection', () => {
  test('what is still to be sent when this end closes it, as whoever leads no more does, is no mistake', async () => {
    const table = new LiveTable<unknown>()
    const { master, slave } = await connectedPair()
    const topics = new Topics({ log: recordingLog().log, tables: { roster: table } })
    void handleMessages(master, { subscribe: topics.subscribe }, () => {}).catch(() => {})
    const rejected = vi.fn()
    process.on('unhandledRejection', rejected)
    try {
      await send(slave, 'subscribe', 'roster')
      // It reads nothing, so the rows wait as soon as the system takes no more.
      let rows = 0
      await vi.waitFor(() => {
        rows += 1
        table.set('a', `${rows}${'x'.repeat(500_000)}`)
        expect(master.socket.writableLength).toBeGreaterThan(0)
      }, PATIENCE)
      await master.close(new DOMException('Its term is over.', 'AbortError'))
      await sleep(10) // Node tells of it in a later turn
      expect(rejected).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', rejected)
    }
  })

  test('nothing comes to who has not subscribed; then all rows, and what changes', async () => {
    const table = new LiveTable<number>()
    table.set('a', 1)
    const { slave, mirror, messages } = await overAConnection(table, v.number())
    table.set('b', 2)
    await sleep(300)
    expect(messages).toEqual([])
    await send(slave, 'subscribe', 'roster')
    await send(slave, 'subscribe', 'roster')
    await vi.waitFor(() => expect(mirror.isLive).toBe(true), PATIENCE)
    table.set('c', 3)
    table.delete('a')
    await vi.waitFor(() => expect(sorted(mirror.table)).toEqual(sorted(table)), PATIENCE)
    expect(messages).toHaveLength(2)
  })

  test('a topic that there is not is told here, and costs nobody a connection', async () => {
    const { slave, mirror, records } = await overAConnection(new LiveTable<number>(), v.number())
    for (const topic of ['weather', '__proto__', 7, null]) await send(slave, 'subscribe', topic)
    await send(slave, 'subscribe', 'roster')
    await vi.waitFor(() => expect(mirror.isLive).toBe(true), PATIENCE)
    expect(records.map(({ msg }) => msg)).toEqual(
      ['weather', '__proto__', '7', 'null'].map((topic) =>
        expect.stringContaining(` subscribes to ${topic}, and there is no such topic`),
      ),
    )
  })

  test('a large table comes in pieces, and is there as a whole', async () => {
    const table = new LiveTable<string>()
    for (let count = 0; count < 1_000; count += 1) table.set(`id ${count}`, 'x'.repeat(3_000))
    const { slave, mirror, messages } = await overAConnection(table, v.string())
    mirror.table.set('old', 'x')
    const sizes: number[] = []
    void (async () => {
      for await (const _ of mirror.table.follow(stopAfterTest().signal)) sizes.push(mirror.table.size)
    })()
    await send(slave, 'subscribe', 'roster')
    await vi.waitFor(() => expect(mirror.isLive).toBe(true), PATIENCE)
    expect(sorted(mirror.table)).toEqual(sorted(table))
    expect(messages).toHaveLength(5)
    await vi.waitFor(() => expect(sizes).toEqual([1, 1_000]), PATIENCE)
  })

  test('one that does not read costs no memory, and nobody else anything', async () => {
    const table = new LiveTable<string>()
    const { slave } = await overAConnection(table, v.string())
    const { slave: other, mirror, master } = await overAConnection(table, v.string())
    await send(slave, 'subscribe', 'roster')
    slave.socket.pause()
    await send(other, 'subscribe', 'roster')
    for (let count = 0; count < 200; count += 1) {
      table.set('a', `${count} ${'x'.repeat(100_000)}`)
      await sleep(5)
    }
    await vi.waitFor(() => expect(mirror.table.get('a')).toContain('199 '), PATIENCE)
    expect(master.socket.destroyed).toBe(false)
  })

  test('rows that are none are left out, and what is no change is refused', () => {
    const mirror = new Mirror(nodeRow)
    const row = { name: 'pi', address: '1.2.3.4:5' }
    mirror.take({ version: 'x-1', all: true, rows: { a: row, b: 7, c: { name: 'x' } }, removed: [] })
    expect(mirror.table.entries()).toEqual([['a', { ...row, state: 'here' }]])
    for (const none of [null, 7, {}, { all: true }, { all: true, rows: [], removed: 'x' }])
      expect(() => mirror.take(none)).toThrow('What came is no change of a table.')
    mirror.takeAll({ x: { uuid: 'x', address: '1.2.3.4:6' } })
    expect(mirror.table.entries()).toEqual([
      ['x', { name: '(no name told)', address: '1.2.3.4:6', state: 'here', uuid: 'x' }],
    ])
  })
})

/** A listener's roster as a table. */
function aPresence(options: { goneMs?: number } = {}) {
  const { log } = recordingLog()
  const { signal: stop } = stopAfterTest()
  const roster = new Roster({ log, stop })
  const identities = new Identities({ log })
  const presence = new Presence({ roster, identities, stop, silentMs: 1_000, ...options })
  const comes = async (details?: object) => {
    const { master, slave } = await connectedPair()
    void handleMessages(master, { x: () => {} }, () => {}).catch(() => {})
    roster.add(master)
    identities.introduce(master, details)
    roster.introduce(master, details)
    return { master, slave }
  }
  const rows = () => presence.table.entries().map(([, { name, state }]) => `${name} ${state}`)
  return { presence, comes, rows }
}

describe('who is here', () => {
  test('is here, silent, here again, gone, and back in the same row', async () => {
    const { presence, comes, rows } = aPresence()
    const details = { hostname: 'pi', client: 1, uuid: newIdentity(), cpu_cores: 4 }
    const { master, slave } = await comes(details)
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 here']), PATIENCE)
    expect(presence.table.get(details.uuid)).toEqual({
      name: 'pi #1',
      address: master.address,
      state: 'here',
      since: expect.any(String),
      uuid: details.uuid,
      details: { hostname: 'pi', client: 1, cpu_cores: 4 },
    })
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 silent']), PATIENCE)
    expect(Date.parse(presence.table.get(details.uuid)?.seen ?? '')).toBeLessThanOrEqual(Date.now() - 900)
    await send(slave, 'x', 1)
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 here']), PATIENCE)
    expect(presence.table.get(details.uuid)?.seen).toBeUndefined()
    await slave.close()
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 gone']), PATIENCE)
    await comes({ ...details, client: 2 })
    await vi.waitFor(() => expect(rows()).toEqual(['pi #2 here']), PATIENCE)
  })

  test('and has gone for long is forgotten; who has come back is not', async () => {
    const { presence, comes, rows } = aPresence({ goneMs: 1_500 })
    const { steps } = follower(presence.table)
    const details = { hostname: 'pi', client: 1, uuid: newIdentity() }
    const { slave } = await comes(details)
    const { slave: other } = await comes({ ...details, client: 3, uuid: newIdentity() })
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 here', 'pi #3 here']), PATIENCE)
    await Promise.all([slave.close(), other.close()])
    await vi.waitFor(() => expect(rows()).toEqual(['pi #1 gone', 'pi #3 gone']), PATIENCE)
    await comes({ ...details, client: 2 })
    await vi.waitFor(() => expect(rows()).toHaveLength(1), PATIENCE)
    await sleep(1_000) // its own time would be over as well
    expect(rows()).toEqual([expect.stringMatching(/^pi #2 /)])
    expect(steps.flatMap(({ removed }) => removed)).not.toContain(details.uuid)
  })

  test('without an identity goes by its name, and without a name by its address', async () => {
    const { presence, comes, rows } = aPresence()
    const { master, slave } = await comes()
    await vi.waitFor(() => expect(rows()).toEqual([`${master.address} here`]), PATIENCE)
    await comes({ hostname: 'pi' })
    await comes({ hostname: 'pi' })
    await vi.waitFor(() => expect(rows().slice(1)).toEqual(['pi here', 'pi (2) here']), PATIENCE)
    await slave.close()
    await vi.waitFor(() => expect(presence.table.size).toBe(2), PATIENCE)
  })

  test('twice, as a copy, has two rows', async () => {
    const { presence, comes } = aPresence()
    const uuid = newIdentity()
    const speakers = [
      await comes({ hostname: 'pi', client: 1, uuid }),
      await comes({ hostname: 'pi', client: 2, uuid }),
    ]
    const beat = setInterval(() => {
      for (const { slave } of speakers) slave.socket.write('{"type":"x","payload":1}\r')
    }, 200)
    stopAfterTest().signal.addEventListener('abort', () => clearInterval(beat))
    await vi.waitFor(
      () => expect(presence.table.entries().map(([, { copy }]) => copy)).toEqual([true, true]),
      PATIENCE,
    )
  })
})

/** A site whose every page follows a table, and a way to open one. */
async function pagesOf(table: LiveTable<unknown>) {
  const stop = stopAfterTest()
  const { log } = recordingLog()
  const site = createSite({ log })
  serveEvents(site, '/events', table)
  const { address } = await serveSite(site, { host: '127.0.0.1', port: 0, stop: stop.signal, log })
  const open = async (since = '', headers = {}) => {
    const request = get(`${address}events?since=${since}`, { agent: false, headers })
    request.on('error', () => {})
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.on('error', () => {})
    return { text: '', response, close: () => request.destroy() }
  }
  const read = async (since?: string, headers?: object) => {
    const page = await open(since, headers)
    page.response.setEncoding('utf8').on('data', (text) => {
      page.text += text
    })
    return page
  }
  return { open, read, stop }
}

describe('to a page', () => {
  test('goes all, then what changes; who comes back with an id gets what it has missed', async () => {
    const table = new LiveTable<string>()
    table.set('a', 'one\ntwo')
    const { read } = await pagesOf(table)
    const page = await read()
    const { version } = table.changesSince()
    const first = `retry: 2000\n\nid: ${version}\ndata: {"all":true,"rows":{"a":"one\\ntwo"},"removed":[]}\n\n`
    await vi.waitFor(() => expect(page.text).toBe(first), PATIENCE)
    expect(page.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    table.set('b', 'x')
    const second = `id: ${table.changesSince().version}\ndata: {"all":false,"rows":{"b":"x"},"removed":[]}\n\n`
    await vi.waitFor(() => expect(page.text).toBe(first + second), PATIENCE)
    const again = await read(version)
    await vi.waitFor(() => expect(again.text).toBe(`retry: 2000\n\n${second}`), PATIENCE)
    // What the browser says by itself when it comes back is newer than the address, which stays that of the first time.
    for (const since of ['', version.replace(/-.*/, '-0'), '0123456789ab-1']) {
      const returned = await read(since, { 'Last-Event-ID': version })
      await vi.waitFor(() => expect(returned.text).toBe(`retry: 2000\n\n${second}`), PATIENCE)
    }
    const other = await read('0123456789ab-1')
    await vi.waitFor(() => expect(other.text).toContain('"all":true'), PATIENCE)
  })

  test('goes a beat when nothing changes', async () => {
    const reader = eventsOf(new LiveTable(), { beatMs: 50 }).getReader()
    const texts: string[] = []
    while (texts.length < 4) texts.push(String(Buffer.from((await reader.read()).value ?? [])))
    const beat = ': nothing has changed\nevent: beat\ndata:\n\n'
    expect(texts).toEqual([
      'retry: 2000\n\n',
      expect.stringMatching(/^id: \w+-0\ndata: \{"all":true,/),
      beat,
      beat,
    ])
    await reader.cancel()
  })

  test('goes the end when the program stops', async () => {
    const { read, stop } = await pagesOf(new LiveTable())
    const page = await read()
    await vi.waitFor(() => expect(page.text).toContain('id: '), PATIENCE)
    const closed = new Promise((resolve) => page.response.once('close', resolve))
    stop.abort()
    await closed
  })

  test('goes nothing that piles up when it does not read', async () => {
    const table = new LiveTable<string>()
    const { open, read } = await pagesOf(table)
    await open() // nobody reads it
    const reader = await read()
    const { arrayBuffers } = process.memoryUsage()
    for (let count = 0; count < 50; count += 1) {
      table.set('a', `${count} ${'x'.repeat(2_000_000)}`)
      await vi.waitFor(() => expect(reader.text).toContain(`"${count} x`), PATIENCE)
      reader.text = ''
    }
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(50_000_000)
  })
})
