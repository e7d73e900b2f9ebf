import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import fc from 'fast-check'
import { test as base, describe, expect, vi } from 'vitest'
import type { LinkConnection } from '../src/faults/connection.ts'
import type { Direction, EndedBy, Fault, Faults, Side } from '../src/faults/fault.ts'
import { Link } from '../src/faults/link.ts'
import { ChapterCopy } from '../src/harness/chapter-copy.ts'
import { freePort } from '../src/run/environment.ts'

/** Long enough for whatever must come, on a busy machine. */
const PATIENCE = { timeout: 60_000, interval: 5 }

/** Longer than any test lasts. */
const AN_HOUR_MS = 3_600_000

/** More than systems and links keep for somebody who does not read. */
const LARGE = 64 * 1024 * 1024

/** One end of a connection, and all that it is told. */
class End {
  readonly socket: Socket
  readonly pieces: { bytes: Buffer; at: number }[] = []
  /** What it is told besides bytes: `end`, or the code of an error. */
  readonly told: string[] = []
  toldAt = 0

  constructor(socket: Socket, { reads = true } = {}) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => this.#hear(error.code ?? error.message))
    if (reads) this.read()
  }

  read(): void {
    this.socket.on('data', (bytes) => this.pieces.push({ bytes, at: performance.now() }))
    if (this.socket.readableEnded) this.#hear('end')
    else this.socket.on('end', () => this.#hear('end'))
  }

  get text(): string {
    return this.bytes.toString()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces.map(({ bytes }) => bytes))
  }

  get length(): number {
    return this.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  async hears(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.text).toBe(text), PATIENCE)
  }

  async isTold(what: string): Promise<void> {
    await vi.waitFor(() => expect(this.told).toContain(what), PATIENCE)
  }

  /** Waits until it is told that the connection is over, and returns how. */
  async ends(): Promise<string[]> {
    await vi.waitFor(() => expect(this.told).not.toEqual([]), PATIENCE)
    return this.told
  }

  #hear(what: string): void {
    this.told.push(what)
    this.toldAt = performance.now()
  }
}

/** Two ends of one connection through the link. */
interface Pair {
  client: End
  server: End
  connection: LinkConnection
}

/** A server, and a link that leads to it. */
class Bench {
  readonly #server: Server = createServer({ allowHalfOpen: true, noDelay: true })
  readonly #sockets: Socket[] = []
  readonly #answering: Server = createServer((socket) => socket.pipe(socket).on('error', () => {}))
  #echo: End | undefined
  /** What the server has been connected to, by whomever. */
  readonly accepted: Socket[] = []
  link!: Link

  async open(): Promise<void> {
    this.#server.on('connection', (socket) => {
      this.#sockets.push(socket)
      this.accepted.push(socket)
      socket.on('error', () => {})
    })
    for (const server of [this.#server, this.#answering]) {
      server.listen({ host: '127.0.0.1', port: 0 })
      await once(server, 'listening')
    }
    this.link = await Link.open({ port: this.port })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connects to the link. Whether the server hears of it is another matter. */
  client(): End {
    const socket = connect({ host: '127.0.0.1', port: this.link.port, allowHalfOpen: true, noDelay: true })
    this.#sockets.push(socket)
    return new End(socket)
  }

  /** A connection through the link. */
  async pair({ reads = true } = {}): Promise<Pair> {
    const accepted = once(this.#server, 'connection')
    const client = this.client()
    const [socket] = await accepted
    const server = new End(socket, { reads })
    // The link hears that it is connected a moment later than the server. Then it passes on.
    client.socket.write('?')
    await once(socket, 'readable')
    if (reads) await server.hears('?')
    else socket.read()
    server.pieces.length = 0
    const connection = this.link.connections.at(-1)
    if (!connection) throw new Error('The link has no connection')
    return { client, server, connection }
  }

  /**
   * Says something to and fro beside the link, a few times. What was on its way through the link before, and was not held
   * there, has arrived then: it all happens in this process, one thing after the other.
   */
  async elsewhere(): Promise<void> {
    this.#echo ??= this.#connectElsewhere()
    for (let turn = 0; turn < 5; turn += 1) {
      const before = this.#echo.length
      this.#echo.socket.write('x')
      await vi.waitFor(() => expect(this.#echo?.length).toBeGreaterThan(before), PATIENCE)
    }
  }

  #connectElsewhere(): End {
    const { port } = this.#answering.address() as AddressInfo
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#sockets.push(socket)
    return new End(socket)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    this.#answering.close()
    await this.link.close()
  }
}

const test = base.extend<{ bench: Bench; link: Link }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants the fixtures that this one uses
  bench: async ({}, use) => {
    const bench = new Bench()
    await bench.open()
    await use(bench)
    await bench.close()
  },
  link: async ({ bench }, use) => use(bench.link),
})

const DIRECTIONS = ['toServer', 'toClient'] as const

/** Who sends in a direction, and who receives. */
function alongside(direction: Direction, { client, server }: Pair): [sender: End, receiver: End] {
  return direction === 'toServer' ? [client, server] : [server, client]
}

const other = (direction: Direction): Direction => (direction === 'toServer' ? 'toClient' : 'toServer')

/** Waits until a number stays as it is for a while, and returns it. */
async function standsStill(value: () => number): Promise<number> {
  let [before, times] = [Number.NaN, 0]
  while (times < 10) {
    times = value() === before ? times + 1 : 0
    before = value()
    await sleep(20)
  }
  return before
}

/** Sends so much that somebody has to wait, and ends. Returns how much of it the system has taken. */
function flood({ socket }: End): () => number {
  const piece = Buffer.alloc(LARGE / 1024)
  let taken = 0
  const more = () => {
    taken += piece.length
    if (taken < LARGE) socket.write(piece, more)
    else socket.end()
  }
  socket.write(piece, more)
  return () => taken
}

const faults: fc.Arbitrary<Faults> = fc.record(
  Object.fromEntries(
    DIRECTIONS.map((direction) => [
      direction,
      fc.record<Fault>(
        {
          delayMs: fc.integer({ min: 0, max: 30 }),
          bytesPerSecond: fc.integer({ min: 1, max: 10_000_000 }),
          blackHole: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    ]),
  ),
  { requiredKeys: [] },
)

/** A step of a conversation: either side says something, or faults change. */
const step = fc.oneof(
  fc.record({ by: fc.constantFrom('client', 'server'), length: fc.integer({ min: 1, max: 200_000 }) }),
  fc.record({ faults }),
  fc.constant({ heal: true }),
)

test('whatever faults come and go, a healed link has lost nothing and reordered nothing', async ({
  bench,
  link,
}) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(255), async (steps, seed) => {
      const pair = await bench.pair()
      const said: Record<Side, Buffer[]> = { client: [], server: [] }
      let next = seed
      for (const step of steps) {
        if ('faults' in step) link.set(step.faults)
        else if ('heal' in step) link.heal()
        else {
          const by = step.by as Side
          const bytes = Buffer.from(Uint8Array.from({ length: step.length }, () => (next += 7)))
          said[by].push(bytes)
          pair[by].socket.write(bytes)
        }
        await new Promise(setImmediate)
      }
      pair.client.socket.end()
      pair.server.socket.end()
      link.heal()
      await Promise.all([pair.client.isTold('end'), pair.server.isTold('end')])
      expect(pair.server.bytes.equals(Buffer.concat(said.client))).toBe(true)
      expect(pair.client.bytes.equals(Buffer.concat(said.server))).toBe(true)
      expect([pair.client.told, pair.server.told]).toEqual([['end'], ['end']])
      await vi.waitFor(() => expect(link.connections).toEqual([]), PATIENCE)
    }),
    { numRuns: 25 },
  )
})

describe.for(DIRECTIONS)('%s', (direction) => {
  test('delay: each byte arrives so much later, and the end too', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    link.set({ [direction]: { delayMs: 150 } })
    const sentAt: number[] = []
    for (const text of ['a', 'b', 'c']) {
      sentAt.push(performance.now())
      sender.socket.write(text)
      await sleep(10)
    }
    const endedAt = performance.now()
    sender.socket.end()
    await receiver.isTold('end')
    expect(receiver.text).toBe('abc')
    expect(receiver.pieces[0]?.at).toBeGreaterThanOrEqual((sentAt[0] ?? 0) + 150)
    expect(receiver.pieces.at(-1)?.at).toBeGreaterThanOrEqual((sentAt.at(-1) ?? 0) + 150)
    expect(receiver.toldAt).toBeGreaterThanOrEqual(endedAt + 150)
  })

  test('delay: a reset arrives so much later, behind the bytes', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    link.set({ [direction]: { delayMs: 100 } })
    sender.socket.write('last words')
    await bench.elsewhere() // the link has them: the reset would take them along
    const resetAt = performance.now()
    sender.socket.resetAndDestroy()
    expect(await receiver.ends()).toEqual(['ECONNRESET'])
    expect(receiver.text).toBe('last words')
    expect(receiver.toldAt).toBeGreaterThanOrEqual(resetAt + 100)
  })

  test('delay: the other direction has none, and when it is over all arrives', async ({ bench, link }) => {
    const pair = await bench.pair()
    const [sender, receiver] = alongside(direction, pair)
    link.set({ [direction]: { delayMs: AN_HOUR_MS } })
    sender.socket.end('much later')
    receiver.socket.write('at once')
    await sender.hears('at once')
    await bench.elsewhere()
    expect(receiver.text).toBe('')
    link.set({ [other(direction)]: { delayMs: 1 } })
    await bench.elsewhere()
    expect(receiver.text).toBe('')
    link.set({ [direction]: { delayMs: 1 } })
    await receiver.isTold('end')
    expect(receiver.text).toBe('much later')
  })

  test('trickle: there are never more bytes than their time allows', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    const bytesPerSecond = 2_000
    link.set({ [direction]: { bytesPerSecond } })
    const began = performance.now()
    sender.socket.write('x'.repeat(500))
    sender.socket.end('y'.repeat(300))
    await receiver.isTold('end')
    expect(receiver.text).toBe('x'.repeat(500) + 'y'.repeat(300))
    let arrived = 0
    for (const { bytes, at } of receiver.pieces) {
      arrived += bytes.length
      expect(arrived).toBeLessThanOrEqual(((at - began) / 1000) * bytesPerSecond)
    }
    expect(receiver.pieces.length).toBeGreaterThan(3)
  })

  test('trickle: an idle line saves nothing up', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    const bytesPerSecond = 1_000
    link.set({ [direction]: { bytesPerSecond } })
    await sleep(300)
    const began = performance.now()
    sender.socket.write('x'.repeat(100))
    await receiver.hears('x'.repeat(100))
    expect(receiver.pieces.at(-1)?.at).toBeGreaterThanOrEqual(began + 100)
  })

  test('trickle: slower, faster and over, while a message is under way', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    link.set({ [direction]: { bytesPerSecond: 10 } })
    const message = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => index))
    sender.socket.end(message)
    await vi.waitFor(() => expect(receiver.length).toBeGreaterThan(0), PATIENCE)
    link.set({ [direction]: { bytesPerSecond: 100_000 } })
    await vi.waitFor(() => expect(receiver.length).toBeGreaterThan(20_000), PATIENCE)
    expect(receiver.length).toBeLessThan(message.length)
    link.heal()
    await receiver.isTold('end')
    expect(receiver.bytes.equals(message)).toBe(true)
  })

  test('black hole: nothing arrives, nobody is told, and it all arrives when it is over', async ({
    bench,
    link,
  }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    sender.socket.write('before, ')
    await receiver.hears('before, ')
    link.set({ [direction]: { blackHole: true } })
    sender.socket.write('during, ')
    receiver.socket.write('the other way')
    await sender.hears('the other way')
    await bench.elsewhere()
    sender.socket.end('and the end')
    await bench.elsewhere()
    expect([receiver.text, receiver.told]).toEqual(['before, ', []])
    link.set({ [direction]: {} })
    await receiver.isTold('end')
    expect(receiver.text).toBe('before, during, and the end')
  })

  test('black hole: what is under way already is held as well', async ({ bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    const text = 'abcdefghij'.repeat(10)
    link.set({ [direction]: { bytesPerSecond: 10 } })
    sender.socket.write(text)
    await vi.waitFor(() => expect(receiver.length).toBeGreaterThan(0), PATIENCE)
    link.set({ [direction]: { bytesPerSecond: 1_000, blackHole: true } })
    await bench.elsewhere()
    const held = receiver.text
    await sleep(100) // all of it would have come
    expect(receiver.text).toBe(held)
    expect(held.length).toBeLessThan(text.length)
    link.heal()
    await receiver.hears(text)
  })

  test.for(['end', 'reset'] as const)(
    'black hole: the death of the sender (%s) is told when it is over',
    async (by, { bench, link }) => {
      const [sender, receiver] = alongside(direction, await bench.pair())
      link.set({ [direction]: { blackHole: true } })
      if (by === 'end') sender.socket.destroy()
      else sender.socket.resetAndDestroy()
      // What is said to it is answered by a reset, and that goes into the black hole, too.
      receiver.socket.write('are you there?')
      await bench.elsewhere()
      receiver.socket.write('are you?')
      await bench.elsewhere()
      expect(receiver.told).toEqual([])
      link.heal()
      expect(await receiver.ends()).toEqual([expect.stringMatching(/^end$|^ECONNRESET$/)])
    },
  )

  test('black hole: who connects waits, and the server hears of it when it is over', async ({
    bench,
    link,
  }) => {
    link.set({ [direction]: { blackHole: true } })
    const client = bench.client()
    client.socket.write('hello')
    await once(client.socket, 'connect')
    await bench.elsewhere()
    expect([bench.accepted.length, client.text, client.told]).toEqual([0, '', []])
    link.set({ [other(direction)]: { blackHole: true } })
    link.set({ [direction]: {} })
    await bench.elsewhere()
    expect([bench.accepted.length, client.told]).toEqual([0, []])
    link.heal()
    await vi.waitFor(() => expect(bench.accepted).toHaveLength(1), PATIENCE)
    const [socket] = bench.accepted
    if (socket) await new End(socket).hears('hello')
  })

  test('black hole: who connects, says nothing and ends is announced when it is over', async ({
    bench,
    link,
  }) => {
    link.set({ [direction]: { blackHole: true } })
    bench.client().socket.end()
    await vi.waitFor(() => expect(link.connections).toHaveLength(1), PATIENCE)
    await bench.elsewhere()
    link.heal()
    await vi.waitFor(() => expect(bench.accepted).toHaveLength(1), PATIENCE)
    const [socket] = bench.accepted
    if (socket) expect(await new End(socket).ends()).toEqual(['end'])
  })

  test.for<[string, Fault]>([
    ['a black hole', { blackHole: true }],
    ['a long delay', { delayMs: AN_HOUR_MS }],
    ['a trickle', { bytesPerSecond: 1 }],
  ])('%s makes a sender wait: the link keeps little', async ([, fault], { bench, link }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    link.set({ [direction]: fault })
    const taken = flood(sender)
    await vi.waitFor(() => expect(taken()).toBeGreaterThan(0), PATIENCE)
    expect(await standsStill(taken)).toBeLessThan(LARGE / 2)
    link.heal()
    await receiver.isTold('end')
    expect(receiver.length).toBe(LARGE)
  })

  test('the reset of either side arrives as one', async ({ bench }) => {
    const [sender, receiver] = alongside(direction, await bench.pair())
    sender.socket.resetAndDestroy()
    expect(await receiver.ends()).toEqual(['ECONNRESET'])
  })
})

test.for(DIRECTIONS)('a slow reader makes a sender wait (%s)', async (direction, { bench }) => {
  const pair = await bench.pair({ reads: false })
  const [sender, receiver] = alongside(direction, pair)
  receiver.socket.pause()
  const taken = flood(sender)
  await vi.waitFor(() => expect(taken()).toBeGreaterThan(0), PATIENCE)
  expect(await standsStill(taken)).toBeLessThan(LARGE / 2)
  if (direction === 'toServer') receiver.read()
  receiver.socket.resume()
  await receiver.isTold('end')
  expect(receiver.length).toBe(LARGE)
})

describe.for<[EndedBy, string]>([
  ['reset', 'ECONNRESET'],
  ['end', 'end'],
])('cut by %s', ([by, told]) => {
  test('both sides are told at once, and what is under way is lost', async ({ bench, link }) => {
    const { client, server } = await bench.pair()
    link.set({ toServer: { delayMs: AN_HOUR_MS }, toClient: { blackHole: true } })
    client.socket.write('lost')
    server.socket.write('lost')
    await bench.elsewhere()
    link.cut(by)
    expect(await client.ends()).toEqual([told])
    expect(await server.ends()).toEqual([told])
    for (const { socket } of [client, server]) socket.end()
    await vi.waitFor(() => expect(link.connections).toEqual([]), PATIENCE)
    expect([client.text, server.text]).toEqual(['', ''])
  })

  test('who connects meanwhile is ended too, and the server does not hear of it; later all is well', async ({
    bench,
    link,
  }) => {
    link.cut(by)
    const client = bench.client()
    expect(await client.ends()).toEqual([told])
    await bench.elsewhere()
    expect(bench.accepted).toEqual([])
    link.heal()
    await bench.elsewhere()
    expect(bench.accepted).toEqual([]) // what was cut stays so
    const pair = await bench.pair()
    pair.server.socket.write('welcome')
    await pair.client.hears('welcome')
  })

  test('who waits to be connected is ended, and never is', async ({ bench, link }) => {
    link.set({ toClient: { blackHole: true } })
    const client = bench.client()
    await vi.waitFor(() => expect(link.connections).toHaveLength(1), PATIENCE)
    link.cut(by)
    expect(await client.ends()).toEqual([told])
    link.heal()
    await bench.elsewhere()
    expect(bench.accepted).toEqual([])
  })

  test('one connection alone: the others live', async ({ bench, link }) => {
    const one = await bench.pair()
    const two = await bench.pair()
    one.connection.cut(by)
    expect(await one.client.ends()).toEqual([told])
    expect(await one.server.ends()).toEqual([told])
    two.client.socket.write('still here')
    await two.server.hears('still here')
    const three = await bench.pair()
    expect(link.connections).toContain(three.connection)
    expect([two.client.told, two.server.told]).toEqual([[], []])
  })
})

test('an end that is cut in order and goes on talking is not reset for it', async ({ bench, link }) => {
  const { client, server } = await bench.pair()
  link.cut('end')
  await client.ends()
  const sent = new Promise((resolve) => client.socket.write(Buffer.alloc(LARGE), resolve))
  await sent
  client.socket.end()
  server.socket.end()
  await vi.waitFor(() => expect(link.connections).toEqual([]), PATIENCE)
  expect([client.told, server.told, server.text]).toEqual([['end'], ['end'], ''])
})

describe.for<[gone: Side, left: Side]>([
  ['client', 'server'],
  ['server', 'client'],
])('half-open: the %s is gone', ([goneSide, leftSide]) => {
  test('it is reset, and the other is told nothing, until it speaks on a healed link', async ({
    bench,
    link,
  }) => {
    const { [goneSide]: gone, [leftSide]: left } = await bench.pair()
    link.halfOpen(goneSide)
    expect(await gone.ends()).toEqual(['ECONNRESET'])
    await new Promise((resolve) => left.socket.write('are you there?', resolve))
    await bench.elsewhere()
    link.set({ toServer: { delayMs: 1 }, toClient: { delayMs: 1 } })
    await bench.elsewhere()
    expect([left.text, left.told, left.socket.destroyed]).toEqual(['', [], false])
    link.heal()
    expect(await left.ends()).toEqual(['ECONNRESET'])
    expect([gone.text, bench.accepted.length]).toEqual(['', 1])
    await vi.waitFor(() => expect(link.connections).toEqual([]), PATIENCE)
  })

  test('the other may say nothing, and then end: it is reset on a healed link', async ({ bench, link }) => {
    const { [goneSide]: gone, [leftSide]: left } = await bench.pair()
    link.halfOpen(goneSide)
    await gone.ends()
    link.heal()
    await bench.elsewhere()
    expect(left.told).toEqual([])
    left.socket.end()
    expect(await left.ends()).toEqual(['ECONNRESET'])
  })

  test('the other may have ended before that', async ({ bench, link }) => {
    const { [goneSide]: gone, [leftSide]: left } = await bench.pair()
    link.halfOpen(goneSide)
    await gone.ends()
    left.socket.end()
    await bench.elsewhere()
    expect(left.told).toEqual([])
    link.heal()
    expect(await left.ends()).toEqual(['ECONNRESET'])
  })

  test('the other waits without end when it speaks much, and others connect', async ({ bench, link }) => {
    const { [goneSide]: gone, [leftSide]: left } = await bench.pair()
    link.halfOpen(goneSide)
    await gone.ends()
    const taken = flood(left)
    const again = await bench.pair()
    again.client.socket.write('back again')
    await again.server.hears('back again')
    expect(await standsStill(taken)).toBeLessThan(LARGE / 2)
    expect(left.told).toEqual([])
    link.cut()
    expect(await left.ends()).toEqual(['ECONNRESET'])
  })
})

test('one connection has faults of its own, until its link is told of others', async ({ bench, link }) => {
  const one = await bench.pair()
  const two = await bench.pair()
  one.connection.set({ toServer: { blackHole: true } })
  one.client.socket.write('1')
  two.client.socket.write('2')
  await two.server.hears('2')
  await bench.elsewhere()
  expect(one.server.text).toBe('')
  two.connection.halfOpen('client')
  await two.client.ends()
  link.set({ toServer: {} })
  await one.server.hears('1')
  expect(two.server.told).toEqual([])
})

test('a connection that comes has the faults of its link', async ({ bench, link }) => {
  link.set({ toServer: { delayMs: AN_HOUR_MS } })
  const client = bench.client()
  client.socket.write('hello')
  await vi.waitFor(() => expect(bench.accepted).toHaveLength(1), PATIENCE)
  const [socket] = bench.accepted
  if (!socket) throw new Error('nobody')
  const server = new End(socket)
  server.socket.write('welcome')
  await client.hears('welcome')
  await bench.elsewhere()
  expect(server.text).toBe('')
  link.heal()
  await server.hears('hello')
})

test('who connects to nobody is reset', async () => {
  const link = await Link.open({ port: await freePort() })
  const client = new End(connect({ host: '127.0.0.1', port: link.port }))
  expect(await client.ends()).toEqual(['ECONNRESET'])
  await vi.waitFor(() => expect(link.connections).toEqual([]), PATIENCE)
  await link.close()
})

test('many small pieces under way make a sender wait as well', async ({ bench, link }) => {
  let came = 0
  const bytes = () => {
    came += 1
  }
  const watched = await Link.open({ port: bench.port, watch: () => ({ bytes }) })
  watched.set({ toServer: { delayMs: AN_HOUR_MS } })
  const socket = connect({ host: '127.0.0.1', port: watched.port, noDelay: true })
  let sent = 0
  const say = async () => {
    socket.write('x')
    sent += 1
    await new Promise(setImmediate)
  }
  while (came < 9_900) await say()
  for (let more = 0; more < 5_000; more += 1) await say()
  expect(came).toBe(10_000)
  watched.heal()
  const [server] = bench.accepted
  const end = new End(server as Socket)
  await vi.waitFor(() => expect(end.length).toBe(sent), PATIENCE)
  socket.destroy()
  await watched.close()
  expect(link.connections).toEqual([])
})

test('a watcher is told of what comes when the link takes it, however late it arrives', async ({ bench }) => {
  const told: string[] = []
  const link = await Link.open({
    port: bench.port,
    watch: () => ({
      opened: (address) => told.push(address.replace(/:\d+$/, '')),
      bytes: (from, bytes) => told.push(`${from}: ${bytes}`),
      ended: (from, by) => told.push(`${from} ${by}`),
    }),
  })
  link.set({ toServer: { delayMs: AN_HOUR_MS } })
  const socket = connect({ host: '127.0.0.1', port: link.port })
  socket.write('hello')
  await vi.waitFor(() => expect(told).toEqual(['127.0.0.1', 'client: hello']), PATIENCE)
  link.set({ toServer: { delayMs: AN_HOUR_MS, blackHole: true } })
  socket.end('is held')
  await bench.elsewhere()
  expect(told).toHaveLength(2)
  link.set({ toServer: { delayMs: AN_HOUR_MS } })
  await vi.waitFor(() => expect(told.slice(2)).toEqual(['client: is held', 'client end']), PATIENCE)
  await link.close()
  socket.destroy()
})

test('close ends every connection, whatever its state, and the port', async ({ bench, link }) => {
  const pairs = [await bench.pair(), await bench.pair(), await bench.pair(), await bench.pair()]
  const [, slow, halfOpen, cut] = pairs
  slow?.connection.set({ toServer: { delayMs: AN_HOUR_MS }, toClient: { blackHole: true } })
  slow?.client.socket.write('never')
  halfOpen?.connection.halfOpen('client')
  cut?.connection.cut('end')
  await bench.elsewhere()
  await Promise.all([link.close(), link.close(), link.drain()])
  for (const { client, server } of pairs) {
    await client.ends()
    await server.ends()
  }
  expect(link.connections).toEqual([])
  const late = new End(connect({ host: '127.0.0.1', port: link.port }))
  expect(await late.ends()).toEqual(['ECONNREFUSED'])
})

test('nothing of a link keeps its process alive when it is closed, or its connections are over', async () => {
  const program = `
    const { once } = await import('node:events')
    const { connect, createServer } = await import('node:net')
    const { Link } = await import(${JSON.stringify(new URL('../src/faults/link.ts', import.meta.url).href)})
    for (const closes of [true, false]) {
      const server = createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const link = await Link.open({ port: server.address().port })
      link.set({ toServer: { delayMs: ${AN_HOUR_MS} }, toClient: { bytesPerSecond: 1 } })
      const client = connect(link.port, '127.0.0.1').on('error', () => {})
      const [socket] = await once(server, 'connection')
      socket.on('error', () => {}).write('x'.repeat(1_000))
      client.write('late')
      await once(client, 'data')
      if (closes) await link.close()
      else {
        client.resetAndDestroy()
        socket.resetAndDestroy()
        await link.drain()
      }
      client.destroy()
      socket.destroy()
      server.close()
    }
    console.log('closed')
  `
  const { stdout } = await execa(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    {
      cwd: new URL('..', import.meta.url),
      timeout: 60_000,
    },
  )
  expect(stdout).toBe('closed')
})

test('a chapter whose port stands in its code is put behind a link in a line as well', async () => {
  const chapter = await ChapterCopy.make('03-sockets')
  try {
    await chapter.run('master')
    const link = await chapter.link()
    const slave = await chapter.run('slave', { through: link })
    await slave.says(/Connected to/)
    await vi.waitFor(() => expect(link.connections).toHaveLength(1), PATIENCE)
    link.cut('reset')
    await slave.ends()
    expect(slave.messages.at(-1)).toMatch(/^Lost the connection .* the other end reset it\.$/)
  } finally {
    await chapter.remove()
  }
})

describe('what cannot be', () => {
  test.for<[string, unknown, string]>([
    ['no object', null, 'TypeError: The faults must be an object, and not null.'],
    ['a direction', { up: {} }, 'TypeError: A link has the directions toServer and toClient, and no up.'],
    ['a fault', { toServer: 5 }, 'TypeError: toServer must be an object, and not 5.'],
    [
      'a name',
      { toClient: { delay: 5 } },
      'TypeError: A direction has the faults delayMs, bytesPerSecond and blackHole, and no delay (toClient).',
    ],
    ['a text', { toServer: { delayMs: '5' } }, "TypeError: toServer.delayMs must be a number, and not '5'."],
    [
      'a time',
      { toServer: { delayMs: -1 } },
      'RangeError: toServer.delayMs must be 0 to 2147483647 ms, and not -1.',
    ],
    [
      'no time',
      { toServer: { delayMs: Number.NaN } },
      'RangeError: toServer.delayMs must be 0 to 2147483647 ms, and not NaN.',
    ],
    [
      'a long time',
      { toServer: { delayMs: 2 ** 31 } },
      'RangeError: toServer.delayMs must be 0 to 2147483647 ms, and not 2147483648.',
    ],
    [
      'no rate',
      { toServer: { bytesPerSecond: undefined } },
      'TypeError: toServer.bytesPerSecond must be a number, and not undefined.',
    ],
    [
      'a rate',
      { toClient: { bytesPerSecond: 0.5 } },
      'RangeError: toClient.bytesPerSecond must be a whole number, 1 or more, and not 0.5.',
    ],
    [
      'a hole',
      { toServer: { blackHole: 1 } },
      'TypeError: toServer.blackHole must be true or false, and not 1.',
    ],
  ])('%s is refused, and nothing changes', async ([, wrong, message], { bench, link }) => {
    const { client, server, connection } = await bench.pair()
    for (const target of [link, connection]) {
      let error: unknown
      try {
        target.set({ toClient: { blackHole: true }, ...(wrong as Faults) })
        if (wrong === null) target.set(wrong as unknown as Faults)
      } catch (thrown) {
        error = thrown
      }
      expect(String(error)).toBe(message)
      if (wrong === null) target.heal()
    }
    server.socket.write('as before')
    await client.hears('as before')
  })

  test('nor another way to end, or another side', async ({ bench, link }) => {
    const { connection } = await bench.pair()
    for (const target of [link, connection]) {
      expect(() => target.cut('hard' as EndedBy)).toThrow(
        new TypeError("A connection is cut by 'reset' or by 'end', and not by 'hard'."),
      )
      expect(() => target.halfOpen('both' as Side)).toThrow(
        new TypeError("The sides of a connection are 'client' and 'server', and not 'both'."),
      )
    }
  })

  test.for([0, 65_536, 1.5, Number.NaN])('nor port %s', async (port) => {
    await expect(Link.open({ port })).rejects.toThrow(
      new RangeError(`A link leads to a port from 1 to 65535, and not to ${port}.`),
    )
  })
})
