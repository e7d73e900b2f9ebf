import { once } from 'node:events'
import { connect as openSocket, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Handshakes, type HandshakesOptions } from '../src/handshakes.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { sameAddress, sourceOf } from '../src/network-addresses.ts'
import { listen } from '../src/sockets.ts'
import { portOf, recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }
// Only on Linux every address from 127.0.0.2 on is this machine, too: elsewhere nobody could come from a second one.
const others = describe.runIf(process.platform === 'linux')

/** A listener to which a newcomer proves itself by the letter x. */
async function aDoor(options: HandshakesOptions = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const handshakes = new Handshakes(options)
  const entered: string[] = []
  const begun: Socket[] = []
  let mostAtWork = 0
  const secure = (socket: Socket) =>
    handshakes.run(socket, async () => {
      begun.push(socket)
      mostAtWork = Math.max(mostAtWork, handshakes.atWork)
      await saysX(socket, handshakes)
      return { socket }
    })
  const listener = await listen(
    { peer: 'node', host: '127.0.0.1', port: 0, stop, log, secure },
    async (peer) => {
      entered.push(peer.address)
      await once(peer.socket, 'close')
    },
  )
  const arrives = async (from = '127.0.0.1') => {
    const socket = openSocket({ host: '127.0.0.1', port: portOf(listener), localAddress: from })
    socket.on('error', () => {}).resume()
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const tells = (text: string | RegExp) =>
    vi.waitFor(
      () => expect(records.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(text)),
      PATIENCE,
    )
  return { handshakes, entered, begun, arrives, tells, mostAtWork: () => mostAtWork }
}

function saysX(socket: Socket, handshakes: Handshakes): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        const chunk: Buffer | null = socket.read()
        handshakes.check(socket)
        if (!chunk?.includes('x')) return
        socket.off('readable', look)
        resolve()
      } catch (error) {
        reject(error)
      }
    }
    socket.on('readable', look).once('close', () => reject(new OperationalError('gone')))
  })
}

test('who says too much is sent away, also where the handshake itself does not look', async () => {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const handshakes = new Handshakes({ maxBytes: 1_000 })
  const secure = (socket: Socket) =>
    handshakes.run(socket, async () => {
      await once(socket.resume(), 'close')
      throw new OperationalError('gone')
    })
  const to = { peer: 'node', host: '127.0.0.1', port: 0, stop, log, secure }
  const port = portOf(await listen(to, async () => {}))
  const socket = openSocket({ host: '127.0.0.1', port })
  onTestFinished(() => void socket.on('error', () => {}).destroy())
  socket.on('error', () => {}).write('y'.repeat(10_000))
  await vi.waitFor(
    () =>
      expect(records.map(({ msg }) => msg)).toEqual([
        expect.stringMatching(/ has said more than 1000 bytes /),
      ]),
    PATIENCE,
  )
})

test('a crowd of good newcomers from one address all get in, and few are at work at once', async () => {
  const { arrives, entered, mostAtWork, handshakes } = await aDoor()
  const crowd = await Promise.all(Array.from({ length: 60 }, () => arrives()))
  await vi.waitFor(() => expect([handshakes.atWork, handshakes.waiting]).toEqual([8, 52]), PATIENCE)
  for (const socket of crowd) socket.write('x')
  await vi.waitFor(() => expect(entered).toHaveLength(60), PATIENCE)
  expect(mostAtWork()).toBe(8)
  expect([handshakes.atWork, handshakes.waiting]).toEqual([0, 0])
})

test('nothing is read of who waits for its turn', async () => {
  const { arrives, begun, entered, handshakes } = await aDoor({ perSource: 1 })
  const first = await arrives()
  await vi.waitFor(() => expect(begun).toHaveLength(1), PATIENCE)
  const second = await arrives()
  second.write(`${'.'.repeat(10_000)}x`)
  await vi.waitFor(() => expect(handshakes.waiting).toBe(1), PATIENCE)
  expect(begun).toHaveLength(1)
  first.write('x')
  await vi.waitFor(() => expect(entered).toHaveLength(2), PATIENCE)
  expect(begun[1]?.bytesRead).toBe(10_001)
})

test('who says too much before it has proven who it is, is closed', async () => {
  const { arrives, tells, entered, handshakes } = await aDoor()
  const socket = await arrives()
  const closed = once(socket, 'close')
  socket.write('.'.repeat(16 * 1024 + 1))
  await tells(
    /^127\.0\.0\.1:\d+ has said more than 16384 bytes before it has proven who it is, and was closed\.$/,
  )
  await closed
  expect(entered).toEqual([])
  expect(handshakes.atWork).toBe(0)
})

test('who takes too long is closed, whether it was its turn or not', async () => {
  const { arrives, tells, handshakes } = await aDoor({ timeoutMs: 300, perSource: 1 })
  const both = [await arrives(), await arrives()].map((socket) => once(socket, 'close'))
  await tells(/^127\.0\.0\.1:\d+ has not proven within 0\.3 s who it is, and was closed\.$/)
  await Promise.all(both)
  await vi.waitFor(() => expect([handshakes.atWork, handshakes.waiting]).toEqual([0, 0]), PATIENCE)
})

test('who leaves while it waits is forgotten when its turn comes, and the next one comes in', async () => {
  const { arrives, entered, handshakes } = await aDoor({ perSource: 1 })
  const first = await arrives()
  await vi.waitFor(() => expect(handshakes.atWork).toBe(1), PATIENCE)
  const second = await arrives()
  await vi.waitFor(() => expect(handshakes.waiting).toBe(1), PATIENCE)
  const third = await arrives()
  third.write('x')
  await vi.waitFor(() => expect(handshakes.waiting).toBe(2), PATIENCE)
  second.destroy()
  first.write('x')
  await vi.waitFor(() => expect(entered).toHaveLength(2), PATIENCE)
})

others('who floods from one address', () => {
  test('keeps nobody of another address out', async () => {
    const { arrives, entered, handshakes } = await aDoor()
    await Promise.all(Array.from({ length: 200 }, () => arrives('127.0.0.2')))
    await vi.waitFor(() => expect(handshakes.waiting).toBe(192), PATIENCE)
    const good = await arrives()
    good.write('x')
    await vi.waitFor(() => expect(entered).toHaveLength(1), PATIENCE)
    expect(handshakes.waiting).toBe(192) // and nobody had to give up for it
  })

  test('loses its own places when there are no more', async () => {
    const { arrives, entered, handshakes, tells } = await aDoor({
      waiting: 20,
      perSource: 2,
      timeoutMs: 60_000,
    })
    const flood = await Promise.all(Array.from({ length: 22 }, () => arrives('127.0.0.2')))
    await vi.waitFor(() => expect(handshakes.waiting).toBe(20), PATIENCE)
    const good = await Promise.all(Array.from({ length: 6 }, () => arrives()))
    await tells(/^127\.0\.0\.2:\d+ was sent away: 20 newcomers wait already\.$/)
    for (const socket of good) socket.write('x')
    await vi.waitFor(() => expect(entered).toHaveLength(6), PATIENCE)
    expect(flood.filter(({ destroyed }) => !destroyed).length).toBeGreaterThanOrEqual(18)
  })

  test('waits for those of others in turn, when all places are taken', async () => {
    const { arrives, begun, handshakes } = await aDoor({ atWork: 2, perSource: 2 })
    const first = await Promise.all(['127.0.0.2', '127.0.0.2'].map((from) => arrives(from)))
    await vi.waitFor(() => expect(handshakes.atWork).toBe(2), PATIENCE)
    for (const from of ['127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.3']) {
      const { waiting } = handshakes
      await arrives(from)
      await vi.waitFor(() => expect(handshakes.waiting).toBe(waiting + 1), PATIENCE)
    }
    for (const socket of first) socket.write('x')
    await vi.waitFor(() => expect(begun).toHaveLength(4), PATIENCE)
    expect(new Set(begun.slice(2).map(({ remoteAddress }) => remoteAddress)).size).toBe(2)
  })
})

test.each([
  ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['::ffff:192.168.1.20', '192.168.1.20', '192.168.1.20'],
  ['2001:DB8:0:1::5', '2001:db8:0:1::5', '2001:db8:0:1::/64'],
  ['2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
  ['fe80::1%eth0', 'fe80::1', 'fe80:0:0:0::/64'],
  ['::1', '::1', '0:0:0:0::/64'],
  ['pi.local', undefined, 'unknown'],
  ['1.2.3', undefined, 'unknown'],
  ['', undefined, 'unknown'],
])('the address %j', (text, same, source) => {
  expect(sameAddress(text)).toBe(same)
  expect(sourceOf(text)).toBe(source)
})
