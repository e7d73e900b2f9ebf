import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { test as base, expect } from 'vitest'
import { openTap } from '../src/record/tap.ts'
import { bytesOf, shortened, type WireEvent, WireLog } from '../src/record/wire.ts'
import { freePort } from '../src/run/environment.ts'

/** A tap before a master of the test's own, and what it takes down. */
class TappedMaster {
  readonly log = new WireLog(['master', 'slave 1', 'slave 2'], () => performance.now() / 1000)
  readonly #server: Server = createServer({ allowHalfOpen: true, noDelay: true })
  readonly #sockets = new Set<Socket>()
  readonly #taps: { close(): Promise<void> }[] = []

  async listen(): Promise<void> {
    this.#server.on('connection', (socket) => this.#keep(socket))
    this.#server.listen({ host: '127.0.0.1', port: 0 })
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get events(): WireEvent[] {
    return this.log.recording('test').events
  }

  /** The events, without their times. */
  get story(): string[] {
    return this.events.map((event) =>
      event.type === 'bytes'
        ? `${event.from}: ${JSON.stringify(event.text)}`
        : `${event.from} ${event.type}${event.type === 'ended' && event.reset ? ', by a reset' : ''}`,
    )
  }

  async tapFor(lane: string, port = this.port): Promise<number> {
    const tap = await openTap({ lane, to: 'master', port, log: this.log })
    this.#taps.push(tap)
    return tap.port
  }

  /** A connection through a tap: both of its ends. */
  async connection(tap: number): Promise<[slave: Socket, master: Socket]> {
    const accepted = once(this.#server, 'connection')
    const slave = this.#keep(connect({ host: '127.0.0.1', port: tap, allowHalfOpen: true, noDelay: true }))
    const [master] = await accepted
    return [slave, master]
  }

  /** What the master does with each connection. */
  onConnection(serve: (socket: Socket) => void): void {
    this.#server.on('connection', serve)
  }

  /** Ends everything. Fails when a connection through the tap outlives its ends. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await Promise.all(this.#taps.map((tap) => tap.close()))
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on('error', () => {})
  }
}

const test = base.extend<{ master: TappedMaster; tap: number }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants the fixtures that this one uses
  master: async ({}, use) => {
    const master = new TappedMaster()
    await master.listen()
    await use(master)
    await master.close()
  },
  tap: async ({ master }, use) => use(await master.tapFor('slave 1')),
})

/** All that arrives until the other end says that it sends nothing more. */
async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Writes pieces, each for itself, and ends this direction. */
async function sendAll(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve))
  socket.end()
}

const pieces = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text)),
    fc.constantFrom('\r', '\r\r', 'a\rb', '{"msg":"x"}\r').map((text) => Buffer.from(text)),
    fc.integer({ min: 1, max: 100_000 }).map((length) => Buffer.alloc(length, 'what is long é\r')),
  ),
  { maxLength: 8 },
)

test('whatever passes in both directions at once arrives unchanged, and is taken down', async ({
  master,
  tap,
}) => {
  await fc.assert(
    fc.asyncProperty(pieces, pieces, async (up, down) => {
      const before = master.events.length
      const [slaveEnd, masterEnd] = await master.connection(tap)
      const [atMaster, atSlave] = await Promise.all([
        received(masterEnd),
        received(slaveEnd),
        sendAll(slaveEnd, up),
        sendAll(masterEnd, down),
      ])
      expect(atMaster.equals(Buffer.concat(up))).toBe(true)
      expect(atSlave.equals(Buffer.concat(down))).toBe(true)
      const bytes = master.events.slice(before).filter((event) => event.type === 'bytes')
      for (const [from, arrived] of [
        ['slave 1', atMaster],
        ['master', atSlave],
      ] as const) {
        const seen = bytes.filter((event) => event.from === from).map(bytesOf)
        expect(Buffer.concat(seen).equals(arrived)).toBe(true)
      }
    }),
    { numRuns: 20 },
  )
})

test('each entry ends at a separator, and entries that came in one piece have the same number', async ({
  master,
  tap,
}) => {
  const [slave, end] = await master.connection(tap)
  slave.write('{"msg":"a"}\r{"msg":"b"}\r{"ms')
  await once(end, 'data')
  slave.end(Buffer.concat([Buffer.from('g":"c"}\r'), Buffer.from([0xc3])]))
  await received(end)
  const bytes = master.events.filter((event) => event.type === 'bytes')
  expect(bytes.map(({ chunk, text, base64 }) => [chunk, text ?? { base64 }])).toEqual([
    [0, '{"msg":"a"}\r'],
    [0, '{"msg":"b"}\r'],
    [0, '{"ms'],
    [1, 'g":"c"}\r'],
    [1, { base64: 'ww==' }],
  ])
})

test('what is encrypted has no separators, on its connection alone', () => {
  const log = new WireLog(['master', 'slave 1', 'slave 2'], () => 0)
  const opened = (lane: string) => log.opened({ at: 0, lane, to: 'master', address: '127.0.0.1:1' })
  const [encrypted, plain] = [opened('slave 1'), opened('slave 2')]
  const pieces = [Buffer.from([0x16, 0x03, 0x01, 0x0d, 0xff]), Buffer.from([0x0d, 0xff, 0x0d, 0xff])]
  for (const piece of pieces) encrypted.bytes('lane', piece)
  plain.bytes('lane', Buffer.from('1\r2\r'))
  const lengths = log
    .recording('test')
    .events.flatMap((event) => (event.type === 'bytes' ? `${event.from}: ${bytesOf(event).length}` : []))
  expect(lengths).toEqual(['slave 1: 5', 'slave 1: 4', 'slave 2: 2', 'slave 2: 2'])
})

test('who ends its direction can still be answered', async ({ master, tap }) => {
  const [slave, end] = await master.connection(tap)
  slave.end('question')
  await received(end)
  end.end('answer')
  expect((await received(slave)).toString()).toBe('answer')
  expect(master.story).toEqual([
    'slave 1 opened',
    'slave 1: "question"',
    'slave 1 ended',
    'master: "answer"',
    'master ended',
  ])
})

test.for(['slave 1', 'master'])('a reset by %s is passed on as a reset', async (by, { master, tap }) => {
  const [slave, end] = await master.connection(tap)
  slave.write('hello')
  await once(end, 'data')
  const [breaks, suffers] = by === 'master' ? [end, slave] : [slave, end]
  const suffered = once(suffers, 'error')
  breaks.resetAndDestroy()
  // once() is rejected by an error of its emitter, unless the error is what it waits for.
  expect(await suffered).toMatchObject([{ code: 'ECONNRESET' }])
  expect(master.story).toEqual(['slave 1 opened', 'slave 1: "hello"', `${by} ended, by a reset`])
})

test('slaves that connect at the same time are told apart', async ({ master }) => {
  const lanes = ['slave 1', 'slave 2']
  const taps = await Promise.all(lanes.map((lane) => master.tapFor(lane)))
  const slaves = Array.from({ length: 10 }, (_, index) => {
    const lane = lanes[index % 2] ?? ''
    const socket = connect({ host: '127.0.0.1', port: taps[index % 2] ?? 0 })
    socket.end(`I am ${lane}, with connection ${index}`)
    return { lane, socket, index }
  })
  master.onConnection((socket) => {
    void received(socket).then((text) =>
      socket.end(`${socket.remoteAddress}:${socket.remotePort} says ${text}`),
    )
  })
  const answers = await Promise.all(slaves.map(async ({ socket }) => (await received(socket)).toString()))

  const { connections, events } = master.log.recording('test')
  for (const [index, { lane }] of slaves.entries()) {
    const [, address, said] = /^(\S+) says (.*)$/.exec(answers[index] ?? '') ?? []
    const connection = connections.findIndex((connection) => connection.address === address)
    expect(connections[connection]?.lane).toBe(lane)
    const own = events.filter((event) => event.connection === connection)
    expect(own.flatMap((event) => (event.type === 'bytes' ? event.text : []))).toEqual([
      `I am ${lane}, with connection ${index}`,
      answers[index],
    ])
    expect(said).toBe(`I am ${lane}, with connection ${index}`)
    expect(own[0]?.type).toBe('opened')
  }
})

test('a master that does not read makes its slave wait', async ({ master, tap }) => {
  const [slave, end] = await master.connection(tap)
  const total = 64 * 1024 * 1024
  slave.end(Buffer.alloc(total))
  const seen = () =>
    master.events.reduce((sum, event) => sum + (event.type === 'bytes' ? bytesOf(event).length : 0), 0)
  // The systems' buffers fill up, and then nothing goes on.
  let before = -1
  while (before !== seen() || before === 0) {
    before = seen()
    await sleep(100)
  }
  expect(before).toBeLessThan(total / 2)
  expect((await received(end)).length).toBe(total)
  expect(seen()).toBe(total)
})

test('without a master there is no connection', async ({ master }) => {
  const tap = await master.tapFor('slave 1', await freePort())
  const slave = connect({ host: '127.0.0.1', port: tap })
  expect(await once(slave, 'error')).toMatchObject([{ code: 'ECONNRESET' }])
  expect(master.events).toEqual([])
})

test('a connection is open before whoever is connected to can know of it', async ({ master, tap }) => {
  const accepted: number[] = []
  master.onConnection(() => accepted.push(master.log.now()))
  for (let count = 1; count <= 20; count += 1) await master.connection(tap)
  const opened = () => master.events.filter(({ type }) => type === 'opened')
  await expect.poll(() => opened().length, { timeout: 20_000 }).toBe(20)
  const tooLate = opened().filter(({ at }, index) => at > (accepted[index] ?? 0))
  expect(tooLate).toEqual([])
  const times = master.events.map(({ at }) => at)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('a recording of very many bytes has those with which each connection begins, and says how many it lacks', () => {
  let now = 0
  const log = new WireLog(['master', 'slave 1', 'slave 2'], () => now)
  const said = (text: string) => expect.objectContaining({ text })
  const connections = ['slave 1', 'slave 2'].map((lane) =>
    log.opened({ at: 0, lane, to: 'master', address: lane }),
  )
  for (let count = 1; count <= 400; count += 1) {
    now = count
    connections[0]?.bytes('lane', Buffer.from(`one ${count}`))
    if (count <= 3) connections[1]?.bytes('lane', Buffer.from(`two ${count}`))
  }
  for (const each of connections) each.ended('lane')
  const { events, leftOut } = shortened(log.recording('03-sockets'))
  expect(events.filter(({ type }) => type !== 'bytes')).toHaveLength(4)
  expect(events).toEqual(expect.arrayContaining(['one 1', 'one 198', 'two 1', 'two 3'].map(said)))
  expect(events).not.toContainEqual(said('one 199'))
  expect(leftOut).toBe(202)
  expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => at).toSorted((one, other) => one - other))
})
