import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as openSocket, Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { OperationalError } from '../src/lifecycle.ts'
import { Connection, connect, type ListenOptions, listen } from '../src/sockets.ts'
import { connectedPair, portOf, recordingLog, stopAfterTest } from './support.ts'

const HOST = '127.0.0.1'

/** More than two systems keep between them for a connection that nobody reads. */
const BIG = Buffer.alloc(32 * 1024 * 1024)

describe('connect', () => {
  test('says so when nobody listens there', async () => {
    const port = await freePort()
    await expect(connectTo(port)).rejects.toThrow(
      new OperationalError(`Nobody listens on 127.0.0.1:${port}. Is the master running?`),
    )
  })

  test('says so when the name of the machine is not known', async () => {
    await expect(connectTo(4000, { host: 'no-such-machine.invalid' })).rejects.toThrow(
      new OperationalError(
        'No machine is known by the name in no-such-machine.invalid:4000. Is it spelled right? An IP address works without names.',
      ),
    )
  })

  test('writes an IPv6 address in brackets', async () => {
    await expect(connectTo(1, { host: '::1' })).rejects.toThrow('[::1]:1')
  })

  test('says so when it is reset at once', async () => {
    const server = createServer((socket) => socket.resetAndDestroy()).listen(0, HOST)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await expect(connectTo(port)).rejects.toThrow(
      new OperationalError(`Cannot connect to the master at 127.0.0.1:${port}: the other end reset it.`),
    )
  })

  test('still knows where it has connected to when the system has forgotten that', () => {
    const socket = new Socket()
    expect(new Connection(socket, 'the master').address).toBe('an address that is gone')
    expect(new Connection(socket, 'the master', undefined, '127.0.0.1:1').address).toBe('127.0.0.1:1')
  })

  // Elsewhere than on Linux a machine answers for a program that accepts no more.
  test.skipIf(process.platform !== 'linux')('says so when no answer comes in time', async () => {
    const port = await portThatDoesNotAnswer()
    await expect(connectTo(port, { timeoutMs: 50 })).rejects.toThrow(
      new OperationalError(
        `No answer from 127.0.0.1:${port}. Is the master's machine on, the address right, and the port open in its firewall?`,
      ),
    )
  })

  test.skipIf(process.platform !== 'linux')(
    'is given up when the stop signal comes while it waits',
    async () => {
      const stop = stopAfterTest()
      const connecting = connectTo(await portThatDoesNotAnswer(), { stop: stop.signal, timeoutMs: 60_000 })
      setImmediate(() => stop.abort())
      await expect(connecting).rejects.toMatchObject({ name: 'AbortError' })
    },
  )

  test('does not begin when the stop signal came before', async () => {
    const stop = stopAfterTest()
    stop.abort()
    await expect(connectTo(1, { stop: stop.signal })).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('listen', () => {
  test('says where it listens', async () => {
    const { listener } = await serving(async () => {})
    expect(listener.address).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  test('says so when the port is taken', async () => {
    const port = portOf((await serving(async () => {})).listener)
    await expect(serving(async () => {}, { port })).rejects.toThrow(
      new OperationalError(
        `Port ${port} is taken on 127.0.0.1: another program listens there, perhaps this one in another terminal. Stop it, or choose another port.`,
      ),
    )
  })

  test('says so when the address is not one of this machine', async () => {
    await expect(serving(async () => {}, { host: '192.0.2.1' })).rejects.toThrow(
      new OperationalError(
        'This machine has no address 192.0.2.1 to listen on. Use one of its own, 127.0.0.1 for this machine only, or 0.0.0.0 for all of them.',
      ),
    )
  })

  test('serves every peer that connects, all at the same time', async () => {
    const { port } = await serving(echo)
    const peers = await Promise.all([1, 2, 3].map(() => connectTo(port)))
    for (const [n, peer] of [...peers.entries()].reverse()) {
      await peer.write(`I am ${n}`)
      expect(await nextText(peer)).toBe(`I am ${n}`)
    }
  })

  test('knows who is connected, and forgets who has left', async () => {
    const { listener, port } = await serving(echo)
    const [first, second] = await Promise.all([connectTo(port), connectTo(port)])
    await vi.waitFor(() => expect(listener.connections.size).toBe(2))
    await first.close()
    await vi.waitFor(() => expect(listener.connections.size).toBe(1))
    const [left] = listener.connections
    expect(left?.address).toBe(`127.0.0.1:${second.socket.localPort}`)
    expect(left?.peer).toBe(`the slave at ${left?.address}`)
  })

  test('closes the connection of a peer when it has finished serving it', async () => {
    const { port } = await serving(async (peer) => void peer.write('Bye'))
    expect(await allText(await connectTo(port))).toBe('Bye')
  })

  test('survives a mistake in the serving of one peer: an error with its stack, and the others go on', async () => {
    const { port, records } = await serving(async (peer) => {
      for await (const text of peer) {
        if (text === 'break') throw new TypeError('x is not a function')
        await peer.write(text)
      }
    })
    const [bad, good] = await Promise.all([connectTo(port), connectTo(port)])
    const from = portAt(bad)
    await bad.write('break')
    expect(await allText(bad)).toBe('')
    await good.write('go on')
    expect(await nextText(good)).toBe('go on')
    expect(records).toMatchObject([
      {
        level: 'error',
        msg: expect.stringContaining(`127.0.0.1:${from}: TypeError: x is not a function`),
      },
      { level: 'debug', err: { stack: expect.stringContaining('sockets.test.ts') } },
    ])
  })

  test.runIf(process.platform === 'linux')(
    'serves who comes back from where a mistake was met a second later, and others at once',
    async () => {
      const { port } = await serving(async (peer) => {
        for await (const text of peer) {
          if (text === 'break') throw new TypeError('x is not a function')
          await peer.write(text)
        }
      })
      const bad = await connectTo(port)
      await bad.write('break')
      expect(await allText(bad)).toBe('')
      const since = performance.now()
      const again = await connectTo(port)
      await again.write('again')
      const answered: string[] = []
      const other = connectedFrom('127.0.0.2', port).once('data', (text) => answered.push(String(text)))
      other.write('other')
      await nextText(again).then((text) => answered.push(String(text)))
      expect(answered).toEqual(['other', 'again'])
      expect(performance.now() - since).toBeGreaterThan(800)
    },
  )

  test('survives what a peer does wrong: a warning for each problem, and the end of its connection', async () => {
    const { port, records } = await serving(async () => {
      throw new OperationalError(['It is late.', 'It is rude.'])
    })
    expect(await allText(await connectTo(port))).toBe('')
    expect(records).toMatchObject([
      { level: 'warn', msg: 'It is late. The connection is closed.' },
      { level: 'warn', msg: 'It is rude. The connection is closed.' },
    ])
  })

  test('names a peer that resets its connection', async () => {
    const { port, records } = await serving(echo)
    const peer = await connectTo(port)
    await peer.write('x')
    await nextText(peer)
    const from = portAt(peer)
    peer.socket.resetAndDestroy()
    await vi.waitFor(() =>
      expect(records).toMatchObject([
        {
          level: 'warn',
          msg: `Lost the connection to the slave at 127.0.0.1:${from}: the other end reset it.`,
        },
      ]),
    )
  })

  test('lets no peer keep the others waiting, however much it sends', async () => {
    const log: string[] = []
    const { port } = await serving(async (peer) => {
      for await (const text of peer) {
        const began = performance.now()
        while (performance.now() - began < 5); // a program that takes its time
        log.push(...text.replaceAll(/(.)\1*/g, '$1'))
      }
    })
    const [greedy, modest] = await Promise.all([connectTo(port), connectTo(port)])
    void greedy.write(Buffer.alloc(4 * 1024 * 1024, 'g'))
    await vi.waitFor(() => expect(log).toContain('g'), { interval: 1 })
    await modest.write('m')
    await vi.waitFor(() => expect(log).toContain('m'), { interval: 1 })
    expect(log.indexOf('m')).toBeLessThan(10)
  })

  test('serves nobody more when maxConnections are open, says so, and sends away who came five seconds later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { port, records } = await serving(echo, { maxConnections: 1 })
    const first = await connectTo(port)
    const second = await connectTo(port)
    const from = portAt(second)
    await second.write('not served')
    await first.write('still here')
    expect(await nextText(first)).toBe('still here')
    expect(records).toMatchObject([
      { level: 'warn', msg: `Turned away 127.0.0.1:${from}: the limit of open connections is 1` },
    ])
    vi.advanceTimersByTime(4_900)
    await first.write('still here')
    expect(await nextText(first)).toBe('still here')
    expect(second.socket.readableEnded).toBe(false)
    vi.advanceTimersByTime(100)
    expect(await allText(second)).toBe('')
  })

  test('serves the next one in place of who leaves, when maxConnections are open', async () => {
    const { listener, port } = await serving(echo, { maxConnections: 1 })
    const first = await connectTo(port)
    const waiting = await connectTo(port)
    await first.close()
    await vi.waitFor(() => expect(listener.connections.size).toBe(0))
    const next = await connectTo(port)
    await next.write('here')
    expect(await nextText(next)).toBe('here')
    await waiting.close()
  })

  test('when stopped, closes the connections of those that wait, too', async () => {
    const stop = stopAfterTest()
    const { port, records } = await serving(echo, { maxConnections: 1, stop: stop.signal })
    await connectTo(port)
    const waiting = await connectTo(port)
    await vi.waitFor(() => expect(records).toHaveLength(1))
    stop.abort()
    expect(await allText(waiting)).toBe('')
  })

  test('when stopped, closes every connection, and listens no more', async () => {
    const stop = stopAfterTest()
    const { listener, port, records } = await serving(echo, { stop: stop.signal })
    const peers = await Promise.all([connectTo(port), connectTo(port)])
    await vi.waitFor(() => expect(listener.connections.size).toBe(2))
    stop.abort()
    expect(await Promise.all(peers.map(allText))).toEqual(['', ''])
    await vi.waitFor(() => expect(listener.connections.size).toBe(0))
    await expect(connectTo(port)).rejects.toThrow('Nobody listens')
    expect(records).toEqual([])
  })
})

describe('a connection', () => {
  test('reads text in pieces, and never half a character', async () => {
    const { master, slave } = await connectedPair()
    const arrived: string[] = []
    const reading = (async () => {
      for await (const text of master) arrived.push(text)
    })()
    const bytes = Buffer.from('a€𝄞z')
    for (let sent = 0; sent < bytes.length; sent += 1) {
      await slave.write(bytes.subarray(sent, sent + 1))
      await vi.waitFor(() => expect(master.socket.bytesRead).toBe(sent + 1), { interval: 1 })
    }
    await slave.close()
    await reading
    expect(arrived).toEqual(['a', '€', '𝄞', 'z'])
  })

  test('may be followed by many parts of a program, of which none is a leak', async () => {
    const { master } = await connectedPair()
    const warned = vi.fn()
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    for (let part = 0; part < 20; part += 1) master.socket.once('close', () => {})
    await new Promise(setImmediate)
    expect(warned).not.toHaveBeenCalled()
  })

  test('hands over what was sent before the peer closed it, also when reading begins later', async () => {
    const { master, slave } = await connectedPair()
    await slave.write('last words')
    void slave.close()
    await vi.waitFor(() => expect(master.socket.bytesRead).toBe(10))
    expect(await allText(master)).toBe('last words')
  })

  test('notices its end though nobody reads it, and throws at the next write', async () => {
    const { master, slave } = await connectedPair()
    await slave.close()
    await vi.waitFor(() => expect(master.socket.writable).toBe(false))
    expect(() => master.write('hello?')).toThrow(
      new OperationalError(`Lost the connection to the slave at ${master.address}: the other end closed it.`),
    )
  })

  test('notices its end though nobody reads what has arrived, by its own writes', async () => {
    const { master, slave } = await connectedPair()
    await slave.write('unread')
    await vi.waitFor(() => expect(master.socket.bytesRead).toBe(6))
    slave.socket.destroy()
    await vi.waitFor(() =>
      expect(() => master.write('hello?')).toThrow(
        /^Lost the connection to the slave at .*: the other end (closed|reset) it\.$/,
      ),
    )
  })

  test('makes a peer wait while nobody reads', async () => {
    const { master, slave } = await connectedPair()
    const wait = slave.write(BIG)
    let waited = false
    void wait?.then(() => (waited = true))
    await vi.waitFor(() => expect(master.socket.bytesRead).toBeGreaterThan(0))
    expect(master.socket.bytesRead).toBeLessThan(1024 * 1024)
    expect(waited).toBe(false)

    for await (const _ of master.chunks()) if (master.socket.bytesRead === BIG.length) break
    await wait
    expect(slave.socket.writableLength).toBe(0)
    expect(slave.write('more')).toBe(undefined)
  })

  test('rejects the wait for a peer that is lost meanwhile, and hurts nobody who does not wait', async () => {
    const { master, slave } = await connectedPair({ maxWaitingBytes: 2 * BIG.length })
    const wait = slave.write(BIG)
    expect(slave.write('a second one waits for the same')).toBe(wait)
    master.socket.destroy()
    await new Promise((resolve) => slave.socket.once('close', resolve)) // an unhandled rejection fails the run
    await expect(wait).rejects.toThrow(/^Lost the connection to the master at /)
  })

  test('cuts off a peer that does not read, when maxWaitingBytes wait for it', async () => {
    const { master, slave } = await connectedPair({ maxWaitingBytes: 100_000 })
    const cutOff = new RegExp(
      `^Cut off the master at ${slave.address}: it does not read, and (\\d+) bytes wait for it\\.$`,
    )
    const piece = Buffer.alloc(10_000)
    let most = 0
    expect(() => {
      for (let pieces = 0; pieces < 1000; pieces += 1) {
        slave.write(piece)
        most = Math.max(most, slave.socket.writableLength)
      }
    }).toThrow(cutOff)
    expect(most).toBeGreaterThan(90_000)
    expect(most).toBeLessThanOrEqual(100_000)
    expect(() => slave.write('again')).toThrow(cutOff)
    await allText(master) // which ends
  })

  test('sends what is larger than maxWaitingBytes by itself, when nothing else waits', async () => {
    const { master, slave } = await connectedPair({ maxWaitingBytes: 100 })
    const received = allText(master)
    await slave.write('x'.repeat(10_000_000))
    await slave.close()
    expect((await received).length).toBe(10_000_000)
  })

  test('sends what waits to be sent before it closes', async () => {
    const { master, slave } = await connectedPair()
    const received = allText(master)
    void slave.write('x'.repeat(1_000_000))
    await slave.close()
    expect((await received).length).toBe(1_000_000)
  })

  test('closes at once though what arrived was not read', async () => {
    const { master, slave } = await connectedPair()
    await master.write('x'.repeat(100_000))
    await vi.waitFor(() => expect(slave.socket.readableLength).toBeGreaterThan(0))
    const reading = allText(master)
    await slave.close()
    expect(await reading).toBe('')
    expect(slave.socket.readableEnded).toBe(true) // and not given up after half a second
  })

  test('closes though the peer does not close its side', async () => {
    const { port } = await listeningSocket((socket) => socket.write('x'), { allowHalfOpen: true })
    const peer = await connectTo(port)
    const reading = allText(peer)
    await peer.close()
    expect(peer.socket.destroyed).toBe(true)
    await reading // which is no error
    await peer.close()
  })

  test('that this end closed ends the reading, and refuses writes, with the reason of the stop signal if that was it', async () => {
    const stop = stopAfterTest()
    const { port } = await serving(echo)
    const peer = await connectTo(port)
    const stopped = await connectTo(port, { stop: stop.signal })
    const reading = Promise.all([allText(peer), allText(stopped)])
    await peer.close()
    stop.abort()
    expect(await reading).toEqual(['', ''])
    expect(() => peer.write('x')).toThrow(
      new OperationalError(`This end closed the connection to ${peer.peer}.`),
    )
    expect(() => stopped.write('x')).toThrow(stop.signal.reason)
  })

  test('that failed gives its error to who reads and who writes', async () => {
    const { master } = await connectedPair()
    const reading = allText(master)
    const error = new OperationalError('It broke the protocol.')
    master.fail(error)
    await expect(reading).rejects.toBe(error)
    expect(() => master.write('x')).toThrow(error)
  })

  test('can be read by one after the other', async () => {
    const { master, slave } = await connectedPair()
    for (const text of ['one', 'two', 'three']) {
      await slave.write(text)
      expect(await nextText(master)).toBe(text)
    }
    expect(master.socket.listenerCount('readable')).toBe(0)
  })
})

describe('forEachChunk', () => {
  test('gives each chunk as soon as it arrives, until the peer closes the connection', async () => {
    const { master, slave } = await connectedPair()
    const texts: string[] = []
    const reading = master.forEachChunk((chunk) => void texts.push(String(chunk)))
    for (const text of ['one', 'two']) {
      await slave.write(text)
      await vi.waitFor(() => expect(texts).toContain(text))
    }
    await slave.close()
    await reading
    expect(texts).toEqual(['one', 'two'])
  })

  test('gives what arrived before it was called, and after somebody else read', async () => {
    const { master, slave } = await connectedPair()
    await slave.write('one')
    expect(await nextText(master)).toBe('one')
    await slave.write('two')
    void slave.close()
    await vi.waitFor(() => expect(master.socket.bytesRead).toBe(6))
    const texts: string[] = []
    await master.forEachChunk((chunk) => void texts.push(String(chunk)))
    expect(texts).toEqual(['two'])
  })

  test('makes the peer wait while a chunk is being worked on', async () => {
    const { master, slave } = await connectedPair()
    void slave.write(BIG)
    let bytes = 0
    let busy = 0
    await master.forEachChunk(async (chunk) => {
      busy += 1
      expect(busy).toBe(1)
      if (bytes === 0) {
        await vi.waitFor(() => expect(master.socket.readableLength).toBeGreaterThan(0))
        expect(master.socket.bytesRead).toBeLessThan(1024 * 1024)
      }
      bytes += chunk.length
      busy -= 1
      if (bytes === BIG.length) void master.close()
    })
    expect(bytes).toBe(BIG.length)
  })

  test('gives what had arrived when the connection is lost during the work, and then throws', async () => {
    const { master, slave } = await connectedPair()
    const texts: string[] = []
    const reading = master.forEachChunk(async (chunk) => {
      texts.push(String(chunk))
      if (texts.length > 1) return
      await slave.write('two')
      await vi.waitFor(() => expect(master.socket.bytesRead).toBe(6))
      slave.socket.resetAndDestroy()
      await new Promise((resolve) => master.socket.once('close', resolve))
    })
    await slave.write('one')
    await expect(reading).rejects.toThrow(
      /^Lost the connection to the slave at .*: the other end reset it\.$/,
    )
    expect(texts).toEqual(['one', 'two'])
  })

  test('lets the others have their turn between chunks that take long', async () => {
    const { master, slave } = await connectedPair()
    void slave.write(BIG)
    let [chunks, inThisTurn, mostInATurn] = [0, 0, 0]
    const others = setInterval(() => (inThisTurn = 0), 1)
    await master.forEachChunk(() => {
      chunks += 1
      if (chunks < 200) return // until the system holds many chunks for this end
      inThisTurn += 1
      mostInATurn = Math.max(mostInATurn, inThisTurn)
      const began = performance.now()
      while (performance.now() - began < 5);
      if (chunks === 300) void master.close()
    })
    clearInterval(others)
    expect(mostInATurn).toBeLessThan(6)
  })

  test('throws what the work throws, and leaves the rest to be read', async () => {
    const { master, slave } = await connectedPair()
    const mistake = new RangeError('mine')
    await slave.write('one')
    const reading = master.forEachChunk(() => {
      throw mistake
    })
    await expect(reading).rejects.toBe(mistake)
    await slave.write('two')
    expect(await nextText(master)).toBe('two')
  })

  test('ends when this end closes the connection, and gives nothing after that', async () => {
    const { master, slave } = await connectedPair()
    let chunks = 0
    const reading = master.forEachChunk(() => {
      chunks += 1
    })
    const closing = master.close()
    void slave.write('too late')
    await Promise.all([reading, closing])
    expect(chunks).toBe(0)
  })
})

function connectTo(port: number, options: Partial<Parameters<typeof connect>[0]> = {}) {
  return connect({ peer: 'master', host: HOST, port, stop: stopAfterTest().signal, ...options })
}

/** A peer with another address. Linux has many for itself. */
function connectedFrom(localAddress: string, port: number): Socket {
  const socket = openSocket({ host: HOST, port, localAddress })
  onTestFinished(() => void socket.destroy())
  return socket
}

async function serving(
  serve: (connection: Connection) => Promise<void>,
  options: Partial<ListenOptions> = {},
) {
  const { log, records } = recordingLog()
  const { signal: stop } = stopAfterTest()
  const listener = await listen({ peer: 'slave', host: HOST, port: 0, stop, log, ...options }, serve)
  return { listener, port: portOf(listener), records }
}

async function echo(connection: Connection): Promise<void> {
  for await (const text of connection) await connection.write(text)
}

async function nextText(connection: Connection): Promise<string | undefined> {
  for await (const text of connection) return text
  return undefined
}

async function allText(connection: Connection): Promise<string> {
  let all = ''
  for await (const text of connection) all += text
  return all
}

/** This end's port: how the other end knows it. */
function portAt(connection: Connection): number | undefined {
  return connection.socket.localPort
}

async function listeningSocket(accept: (socket: Socket) => void, options: { allowHalfOpen?: boolean } = {}) {
  const server = createServer(options, accept).listen(0, HOST)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

async function freePort(): Promise<number> {
  const { server, port } = await listeningSocket(() => {})
  server.close()
  await once(server, 'close')
  return port
}

/** The port of a program that listens and is too busy to accept, with as many waiting already as may wait. */
async function portThatDoesNotAnswer(): Promise<number> {
  const busy = spawn(process.execPath, [
    '--eval',
    `const server = require('node:net').createServer().listen({ port: 0, host: '${HOST}', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`,
  ])
  onTestFinished(() => void busy.kill('SIGKILL'))
  const port = Number(await once(busy.stdout, 'data'))
  for (let waiting = 0; waiting < 2; waiting += 1) {
    const socket = openSocket({ port, host: HOST }).on('error', () => {})
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
  }
  return port
}

test.each([undefined, '80', 1.5, -1, 65_536, Number.NaN])('%s is no port', async (port) => {
  const options = {
    peer: 'slave',
    host: '127.0.0.1',
    port: port as number,
    stop: new AbortController().signal,
  }
  const what = `A port is a whole number from 0 to 65535, and this one is ${port}.`
  await expect(listen({ ...options, log: recordingLog().log }, async () => {})).rejects.toEqual(
    new TypeError(what),
  )
  await expect(connect(options)).rejects.toEqual(new TypeError(what.replace('from 0', 'from 1')))
})
