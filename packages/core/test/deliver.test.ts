import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deliver } from '../src/deliver.ts'
import { openStore } from '../src/store.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** An outbox on a disk, and a place that takes what comes, or throws. */
async function post({ folder = tempFolder(), batch = 500, timeoutMs = 60_000 } = {}) {
  const { log, records } = recordingLog()
  const stop = stopAfterTest()
  const store = await openStore({ name: 'post', folder, log, stop: stop.signal, commitMs: 1 })
  const outbox = store.outbox('there')
  const arrived: string[][] = []
  const place: { trouble: Error | undefined } = { trouble: undefined }
  const send = vi.fn(async (texts: string[], _signal: AbortSignal) => {
    if (place.trouble) throw place.trouble
    arrived.push(texts)
  })
  const begin = () => deliver({ to: 'There', outbox, send, log, stop: stop.signal, batch, timeoutMs })
  return {
    folder,
    store,
    outbox,
    arrived,
    place,
    send,
    begin,
    stop,
    told: () => records.map(({ msg }) => msg),
  }
}

describe('what waits in an outbox', () => {
  test('goes in order, some at a time, and once', async () => {
    const { outbox, arrived, begin, told } = await post({ batch: 2 })
    for (const text of ['a', 'b', 'c', 'd', 'e']) outbox.add(text)
    await vi.waitFor(async () => expect(await outbox.oldest(9)).toHaveLength(5), PATIENCE)
    void begin()
    await vi.waitFor(async () => expect(await outbox.oldest(9)).toHaveLength(0), PATIENCE)
    expect(arrived).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(told()).toEqual([])
  })

  test('waits while nobody takes it, which is told once, and goes when somebody does', async () => {
    const { outbox, arrived, place, send, begin, told } = await post()
    place.trouble = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    outbox.add('a')
    await vi.waitFor(async () => expect(await outbox.oldest(9)).toHaveLength(1), PATIENCE)
    void begin()
    await vi.waitFor(() => expect(send).toHaveBeenCalledTimes(2), PATIENCE)
    expect(told()).toEqual(['There does not take what is sent, so it waits: connect ECONNREFUSED'])
    place.trouble = undefined
    await vi.waitFor(() => expect(told()).toHaveLength(2), PATIENCE)
    expect(told()[1]).toBe('There takes it again')
    outbox.add('b')
    await vi.waitFor(() => expect(arrived).toEqual([['a'], ['b']]), PATIENCE)
    await vi.waitFor(async () => expect(await outbox.oldest(9)).toEqual([]), PATIENCE)
    expect(told()).toHaveLength(2)
  })

  test('waits there for the next process, too', async () => {
    const first = await post()
    first.outbox.add('a')
    await first.store.close()
    const second = await post({ folder: first.folder })
    void second.begin()
    await vi.waitFor(() => expect(second.arrived).toEqual([['a']]), PATIENCE)
  })

  test('goes again where somebody has accepted it and never answered, though all garbage was collected', async () => {
    const { outbox, begin, send, told } = await post({ timeoutMs: 300 })
    const server = createServer((_, response) => {
      if (send.mock.calls.length > 1) response.end()
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close().closeAllConnections())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    send.mockImplementation(async (texts, signal) => {
      const url = `http://127.0.0.1:${port}/`
      await fetch(url, { method: 'POST', body: texts.join(), signal })
    })
    setFlagsFromString('--expose-gc')
    const collecting = setInterval(runInNewContext('gc'), 20)
    onTestFinished(() => clearInterval(collecting))
    outbox.add('a')
    void begin()
    await vi.waitFor(
      () =>
        expect(told()).toEqual([
          'There does not take what is sent, so it waits: It took more than 300 ms.',
          'There takes it again',
        ]),
      PATIENCE,
    )
  })

  test('is sent no more by a program that is stopped', async () => {
    const { outbox, begin, send, stop, told, place } = await post()
    outbox.add('a')
    await vi.waitFor(async () => expect(await outbox.oldest(9)).toHaveLength(1), PATIENCE)
    place.trouble = new Error('away')
    const done = begin()
    await vi.waitFor(() => expect(told()).toHaveLength(1), PATIENCE)
    stop.abort()
    await done
    expect(send).toHaveBeenCalled()
    expect(told()).toHaveLength(1)
  })
})
