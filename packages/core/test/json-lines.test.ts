import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, test, vi } from 'vitest'
import {
  asciiJson,
  DEFAULT_MAX_FRAME_BYTES,
  Decoder,
  encode,
  FrameError,
  type FrameOptions,
  forEachMessage,
  JsonText,
  type ReceiveOptions,
  receive,
  send,
  sendJson,
} from '../src/json-lines.ts'
import { OperationalError } from '../src/lifecycle.ts'
import type { Connection } from '../src/sockets.ts'
import { connectedPair } from './support.ts'

/** Any value, as JSON has it: without -0. */
const jsonValue = fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.parse(JSON.stringify(value)))

/** Bytes as a hostile peer may send them: many separators, pieces of JSON, and anything at all. */
const streams = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)) },
      fc.json({ stringUnit: 'binary' }).map((json) => Buffer.from(json)),
      { weight: 3, arbitrary: fc.json().map((json) => Buffer.from(`${json}\r`)) },
      fc.constant(Buffer.from('\r')),
    ),
  )
  .map((pieces) => Buffer.concat(pieces))

/** Where to cut a stream into chunks. */
const cuts = fc.array(fc.nat(200), { maxLength: 50 })

describe('encode', () => {
  test('gives JSON and a carriage return', () => {
    expect(encode({ msg: 'a\rb', n: [1, null] })).toBe('{"msg":"a\\rb","n":[1,null]}\r')
  })

  test('gives ASCII only, whatever the text', () => {
    expect(encode('ü€𝄞\x7f')).toBe('"\\u00fc\\u20ac\\ud834\\udd1e\\u007f"\r')
  })

  test('gives printable ASCII and one carriage return at its end, for any JSON value', () => {
    fc.assert(fc.property(jsonValue, (value) => void expect(encode(value)).toMatch(/^[\x20-\x7e]+\r$/)))
  })

  test.each([undefined, () => {}, Symbol('s'), 1n])('refuses what has no JSON form: %s', (value) => {
    expect(() => encode(value)).toThrow(TypeError)
  })

  test('refuses a circle', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    expect(() => encode(circle)).toThrow(TypeError)
  })
})

describe('asciiJson', () => {
  const control = String.fromCharCode(...Array(32).keys())
  test.each(['', 'plain ~', 'a "quoted" word', 'back\\slash', control, '\x7f', 'ü', '\ud800'])(
    'gives what JSON gives for the text %j, in ASCII',
    (text) => {
      expect(JSON.parse(asciiJson(text))).toBe(text)
      expect(asciiJson(text)).toMatch(/^[\x20-\x7e]*$/)
      expect(asciiJson([text])).toBe(`[${asciiJson(text)}]`)
    },
  )

  test('is the JSON of JSON.stringify where that is ASCII', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value)
        fc.pre(/^[\x20-\x7e]*$/.test(json))
        expect(asciiJson(value)).toBe(json)
      }),
    )
  })
})

describe('a JsonText', () => {
  test('is sent as it is, ASCII and in one frame', () => {
    expect(asciiJson(new JsonText('{"a": 1500.0, "b":\r1e3}'))).toBe('{"a": 1500.0, "b": 1e3}')
    expect(asciiJson(new JsonText('"küche"'))).toBe('"k\\u00fcche"')
    expect(String(new JsonText('0.0'))).toBe('0.0')
  })

  test('is JSON, and no part of another value', () => {
    expect(() => new JsonText('{a: 1}')).toThrow(SyntaxError)
    const part = new JsonText('1.0')
    for (const value of [{ part }, [part]]) expect(() => asciiJson(value)).toThrow(TypeError)
  })
})

describe('the decoder', () => {
  test('gives back any values that were encoded, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(jsonValue), cuts, (values, at) => {
        const { messages, error } = decode(cut(Buffer.from(values.map(encode).join('')), at))
        expect(error).toBe(undefined)
        expect(messages).toEqual(values)
      }),
    )
  })

  test('takes UTF-8 too, cut inside its characters', () => {
    fc.assert(
      fc.property(fc.array(jsonValue), cuts, (values, at) => {
        const stream = Buffer.from(values.map((value) => `${JSON.stringify(value)}\r`).join(''))
        expect(decode(cut(stream, at)).messages).toEqual(values)
      }),
    )
  })

  test('finds the same in any bytes however they are cut, and throws nothing but FrameError', () => {
    fc.assert(
      fc.property(streams, cuts, fc.integer({ min: 1, max: 40 }), (stream, at, maxFrameBytes) => {
        const { messages, error, mostHeld } = decode(cut(stream, at), { maxFrameBytes })
        const right = frameByFrame(stream, maxFrameBytes)
        expect(messages).toEqual(right.messages)
        expect(error?.kind).toBe(right.kind)
        expect(mostHeld).toBeLessThanOrEqual(maxFrameBytes)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['not UTF-8', '"\xff"', 'it has 3 bytes and begins "\\"\ufffd\\""'],
    ['not JSON', '{"a":1', 'it has 6 bytes and begins "{\\"a\\":1"'],
    ['not JSON', '\xef\xbb\xbf1', 'it has 4 bytes and begins "\ufeff1"'],
    ['not JSON', ' ', 'it has 1 bytes and begins " "'],
    ['not JSON', '1 2', 'it has 3 bytes and begins "1 2"'],
    ['not JSON', 'x'.repeat(1000), `it has 1000 bytes and begins "${'x'.repeat(40)}"`],
    ['empty', '', 'nothing stands before its carriage return'],
    ['too large', `"${'x'.repeat(1023)}"`, '1025 bytes or more, the limit is 1024'],
  ])('says what is wrong with a frame that is %s: %j', (kind, frame, detail) => {
    const { messages, error } = decode([Buffer.from(`1\r${frame}\r2\r`, 'latin1')], { maxFrameBytes: 1024 })
    expect(error).toMatchObject({ name: 'FrameError', kind, message: `A frame is ${kind}: ${detail}.` })
    expect(error).toBeInstanceOf(OperationalError)
    expect(messages).toEqual([1])
  })

  test.each([
    ['one', [], '"plain"\r', ['plain'], undefined],
    ['one that is not ASCII', [], '"\xc3\xbc"\r', ['ü'], undefined],
    ['the end of one', ['"be'], 'gun"\r', ['begun'], undefined],
    ['the end of one, and another', ['"be'], 'gun"\r1\r', ['begun', 1], undefined],
    ['only the separator of one', ['1'], '\r', [1], undefined],
    ['one without its separator', [], '1', [], 'unfinished'],
    ['an empty one', [], '\r', [], 'empty'],
    ['one that is not JSON', [], '{"a":1\r', [], 'not JSON'],
    ['one that is not UTF-8', [], '"\xff"\r', [], 'not UTF-8'],
    ['one that is too large', [], '"12345678901234567890"\r', [], 'too large'],
  ])('takes %s in a chunk', (_what, before, chunk, messages, kind) => {
    const chunks = [...before, chunk].map((text) => Buffer.from(text, 'latin1'))
    const found = decode(chunks, { maxFrameBytes: 20 })
    expect([found.messages, found.error?.kind]).toEqual([messages, kind])
  })

  test('joins pieces of any size as they came, and copies none that it may keep', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: 500 })), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 3 }), fc.boolean(), (frames, ownsChunks) => {
        const decoder = new Decoder({ ownsChunks })
        const got: unknown[] = []
        const take = (message: unknown) => got.push(message)
        for (const pieces of frames) {
          decoder.push(Buffer.from('"'), take)
          for (const [n, size] of pieces.entries()) {
            const piece = Buffer.alloc(size, 97 + n)
            decoder.push(piece, take)
            if (!ownsChunks) piece.fill('?') // whoever gave it may use it again
          }
          decoder.push(Buffer.from('"\r'), take)
        }
        const right = frames.map((sizes) =>
          sizes.map((size, n) => String.fromCharCode(97 + n).repeat(size)).join(''),
        )
        expect(got.map((message, n) => message === right[n])).toEqual(right.map(() => true))
        expect(decoder.allocatedBytes).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  test('mixes no two large frames of different streams, though it uses the room of one again', () => {
    const [a, b] = [new Decoder(), new Decoder()]
    const got: unknown[] = []
    const push = (decoder: Decoder, text: string) =>
      decoder.push(Buffer.from(text), (message) => got.push(message))
    const large = (character: string, length: number) => character.repeat(length)
    push(a, `"${large('a', 300_000)}`)
    push(a, '"\r')
    push(a, `"${large('b', 100_000)}`) // in the room of the first, which is larger
    push(b, `"${large('c', 200_000)}`)
    push(a, '"\r')
    push(b, `"\r"${large('d', 70_000)}`)
    push(b, '"\r')
    const right = [large('a', 300_000), large('b', 100_000), large('c', 200_000), large('d', 70_000)]
    expect(got.map((message) => message === right.shift())).toEqual([true, true, true, true])
  })

  test('says that the stream ended in the middle of a frame, and never hands over its beginning', () => {
    const { messages, error } = decode([Buffer.from('1\r2')])
    expect(messages).toEqual([1])
    expect(error).toEqual(
      new FrameError('unfinished', 'the stream ended after 1 bytes of it, which were dropped'),
    )
  })

  test('takes white space around a message, as JSON does', () => {
    expect(decode([Buffer.from('\n {"a":1}\t\r\n2\r')]).messages).toEqual([{ a: 1 }, 2])
  })

  test('takes nothing more after an error: every call throws it again', () => {
    const decoder = new Decoder({ from: 'the slave' })
    const push = (text: string) => decoder.push(Buffer.from(text), () => expect.unreachable())
    expect(() => push('x\r1\r')).toThrow('A frame from the slave is not JSON')
    expect(() => push('1\r')).toThrow('A frame from the slave is not JSON')
    expect(() => decoder.end()).toThrow('A frame from the slave is not JSON')
    expect(decoder.heldBytes).toBe(0)
  })

  test.each([1, 7, 1000])(
    'takes a frame of exactly the limit, and not of a byte more, in chunks of %d',
    (size) => {
      const maxFrameBytes = 100
      const largest = `"${'x'.repeat(98)}"`
      const chunks = (text: string) =>
        text.match(new RegExp(`[^]{1,${size}}`, 'g'))?.map((part) => Buffer.from(part)) ?? []
      expect(decode(chunks(`${largest}\r`), { maxFrameBytes })).toMatchObject({
        messages: ['x'.repeat(98)],
        error: undefined,
      })
      expect(decode(chunks(`${largest} \r`), { maxFrameBytes })).toMatchObject({
        messages: [],
        error: { kind: 'too large' },
      })
      expect(decode(chunks(`${largest} `), { maxFrameBytes }).error?.kind).toBe('too large')
    },
  )

  test('gives up a stream of 64 MiB without a separator at the limit of 1 MiB', () => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const { error, mostHeld, pushed } = decode(Array<Buffer>(1024).fill(chunk))
    expect(error?.kind).toBe('too large')
    expect(pushed).toBe(17)
    expect(mostHeld).toBe(DEFAULT_MAX_FRAME_BYTES)
  })

  test('keeps no chunk alive for the few bytes of it that begin a frame', () => {
    const decoder = new Decoder()
    const chunk = Buffer.from('1\r"begun')
    decoder.push(chunk, () => {})
    chunk.fill('?') // whoever gave it may use it again
    const messages: unknown[] = []
    decoder.push(Buffer.from('"\r'), (message) => messages.push(message))
    expect(messages).toEqual(['begun'])
  })

  test('takes a frame of 1 MiB a byte at a time, at a cost in proportion to its length', () => {
    const quarter = Math.min(costByteByByte(256 * 1024), costByteByByte(256 * 1024))
    const whole = costByteByByte(1024 * 1024)
    expect(whole / quarter).toBeLessThan(9) // 4, where a cost that grows with the square would be 16

    function costByteByByte(length: number): number {
      const decoder = new Decoder()
      const bytes = Buffer.from(`"${'x'.repeat(length - 2)}"\r`)
      let messages = 0
      const began = process.cpuUsage() // which a busy machine disturbs less than the clock
      for (let at = 0; at <= length; at += 1) decoder.push(bytes.subarray(at, at + 1), () => (messages += 1))
      expect(messages).toBe(1)
      const { user, system } = process.cpuUsage(began)
      return user + system
    }
  })
})

describe('send', () => {
  test('writes what is sent in one turn of the event loop at once, in order', async () => {
    const { master, slave } = await connectedPair()
    const writes = vi.spyOn(slave.socket, 'write')
    const numbers = [...Array(100).keys()]
    for (const n of numbers) await send(slave, n) // to await is no turn, unless there is something to wait for
    expect(await take(master, 100)).toEqual(numbers)
    expect(writes).toHaveBeenCalledTimes(1)

    await send(slave, 'alone')
    expect(await take(master, 1)).toEqual(['alone'])
    expect(writes).toHaveBeenCalledTimes(2)
  })

  test('joins up to 16 KiB, and writes a larger message as it is, at once, in its order', async () => {
    const { master, slave } = await connectedPair()
    const written = vi.spyOn(slave.socket, 'write')
    const sizes = () => written.mock.calls.map(([data]) => String(data).length)
    for (const n of Array(20).keys()) void send(slave, `${n}`.padEnd(1021)) // 1 KiB on the wire
    expect(sizes()).toEqual([16 * 1024])
    void send(slave, 'large'.padEnd(100_000))
    expect(sizes()).toEqual([16 * 1024, 4 * 1024, 100_003])
    void send(slave, 'last')
    const texts = (await take(master, 22)).map((text) => String(text).trim())
    expect(texts).toEqual([...[...Array(20).keys()].map(String), 'large', 'last'])
  })

  test('refuses a message that is larger than the limit, and sends the next', async () => {
    const { master, slave } = await connectedPair()
    expect(() => send(slave, 'x'.repeat(99), { maxFrameBytes: 100 })).toThrow(
      new FrameError('too large', '101 bytes to send, the limit is 100'),
    )
    expect(() => send(slave, 'x'.repeat(DEFAULT_MAX_FRAME_BYTES))).toThrow(FrameError)
    void send(slave, 'x'.repeat(98), { maxFrameBytes: 100 })
    expect(await take(master, 1)).toEqual(['x'.repeat(98)])
  })

  test('gives something to wait for while the peer does not read, and nothing when it has caught up', async () => {
    const { master, slave } = await connectedPair({ maxWaitingBytes: 64 * 1024 * 1024 })
    const message = 'x'.repeat(1000)
    let sent = 0
    let wait: Promise<void> | undefined
    for (; !wait || slave.socket.writableLength < 100_000; sent += 1) {
      wait = send(slave, message)
      if (sent % 100 === 0) await nextTurn()
    }
    let waited = false
    void wait.then(() => (waited = true))
    expect(send(slave, message)).toBe(wait)
    expect(waited).toBe(false)
    expect(await take(master, sent + 1)).toHaveLength(sent + 1)
    await wait
    expect(send(slave, message)).toBe(undefined)
  })

  test('throws when the peer that does not read was cut off, also to who never waits', async () => {
    const { slave } = await connectedPair({ maxWaitingBytes: 100_000 })
    await expect(sendForEver(slave, 'x'.repeat(1000))).rejects.toThrow(
      /^Cut off the master at .*: it does not read, and \d+ bytes wait/,
    )
    await expect(sendForEver(slave, 'x')).rejects.toThrow('Cut off the master')
  })

  test('throws when the peer is gone', async () => {
    const { master, slave } = await connectedPair()
    master.socket.resetAndDestroy()
    await expect(sendForEver(slave, 'x')).rejects.toThrow(/^Lost the connection to the master at /)
    expect(() => send(slave, 'x')).toThrow(OperationalError)
  })

  test('sends what is JSON already as it is, under the same limit', async () => {
    const { master, slave } = await connectedPair()
    void sendJson(slave, '{"a": 1}')
    expect(() => sendJson(slave, '"123456789"', { maxFrameBytes: 10 })).toThrow(FrameError)
    void send(slave, 2)
    for await (const text of master) {
      expect(text).toBe('{"a": 1}\r2\r')
      break
    }
  })

  test('sends before a connection closes what was sent before, and then refuses', async () => {
    const { master, slave } = await connectedPair()
    void send(slave, 1)
    await send(slave, 2)
    await slave.close()
    expect(() => send(slave, 3)).toThrow('This end closed the connection')
    expect(await take(master, 3)).toEqual([1, 2])
  })
})

/** The two ways to receive, each as: give every message to `take`, and wait for what it returns. */
const ways = {
  async receive<Schema extends v.GenericSchema>(
    connection: Connection,
    options: ReceiveOptions<Schema>,
    take: (message: v.InferOutput<Schema>) => void | Promise<void>,
  ) {
    for await (const message of receive(connection, options)) await take(message)
  },
  forEachMessage,
}

describe.each(Object.entries(ways))('%s', (_name, receiving) => {
  const schema = v.object({ msg: v.string() })

  test('gives the messages that the schema takes', async () => {
    const { master, slave } = await connectedPair()
    for (const msg of ['one', 'two']) await send(slave, { msg, more: 1 })
    void slave.close()
    const got: unknown[] = []
    await receiving(master, { schema }, (message) => void got.push(message))
    expect(got).toEqual([{ msg: 'one' }, { msg: 'two' }])
  })

  test('takes what passes the cheaper test as it is, and asks the schema about the rest only', async () => {
    const { master, slave } = await connectedPair()
    const more = { msg: 'one', more: 1 }
    for (const message of [more, { msg: 'two', more: 2 }, { more: 3 }]) await send(slave, message)
    const got: unknown[] = []
    const accepts = (message: unknown): message is { msg: string } => (message as { more: number }).more === 1
    await expect(receiving(master, { schema, accepts }, (message) => void got.push(message))).rejects.toThrow(
      'it has no "msg"',
    )
    expect(got).toEqual([more, { msg: 'two' }])
  })

  test.each([
    ['1\r', 'of the wrong shape', 'it is 1, where Object is expected'],
    ['{"msg":2}\r', 'of the wrong shape', 'its "msg" is 2, where string is expected'],
    ['{}\r', 'of the wrong shape', 'it has no "msg"'],
    ['x\r', 'not JSON', 'it has 1 bytes and begins "x"'],
    ['\r', 'empty', 'nothing stands before its carriage return'],
    [`"${'x'.repeat(99)}"\r`, 'too large', '101 bytes or more, the limit is 100'],
    ['{"msg":', 'unfinished', 'the stream ended after 7 bytes of it, which were dropped'],
  ] as const)(
    'after the messages before it, names the peer of a bad frame, and what is wrong: %j',
    async (bad, kind, detail) => {
      for (const work of [undefined, () => nextTurn()]) {
        const { master, slave } = await connectedPair()
        const got: unknown[] = []
        await slave.write(`{"msg":"one"}\r{"msg":"two"}\r${bad}`)
        void slave.close()
        const done = receiving(master, { schema, maxFrameBytes: 100 }, ({ msg }) => {
          got.push(msg)
          return work?.()
        })
        await expect(done).rejects.toThrow(
          new FrameError(kind, detail, { from: `the slave at ${master.address}` }),
        )
        expect(got).toEqual(['one', 'two'])
      }
    },
  )

  test('gives one message at a time, in order, whether there is something to wait for or not', async () => {
    const { master, slave } = await connectedPair()
    for (const n of Array(20).keys()) void send(slave, n)
    void slave.close()
    const happened: string[] = []
    await receiving(master, { schema: v.number() }, (n) => {
      happened.push(`${n} begins`)
      if (n % 3 > 0) return void happened.push(`${n} ends`)
      return nextTurn().then(() => void happened.push(`${n} ends`))
    })
    expect(happened).toEqual([...Array(20).keys()].flatMap((n) => [`${n} begins`, `${n} ends`]))
  })

  test('makes a fast peer wait while a message is being worked on', async () => {
    const { master, slave } = await connectedPair({ maxWaitingBytes: 64 * 1024 * 1024 })
    void slave.write(`${encode({ msg: 'x'.repeat(1000) }).repeat(32_000)}`)
    let messages = 0
    await receiving(master, { schema }, async () => {
      messages += 1
      if (messages === 32_000) void master.close()
      if (messages > 1) return
      await vi.waitFor(() => expect(master.socket.readableLength).toBeGreaterThan(0))
      await nextTurn()
      expect(master.socket.bytesRead).toBeLessThan(1024 * 1024)
    })
    expect(messages).toBe(32_000)
  })

  test('lets the others have their turn in the middle of a chunk that takes long', async () => {
    const { master, slave } = await connectedPair()
    void slave.write('1\r'.repeat(300))
    void slave.close()
    await vi.waitFor(() => expect(slave.socket.bytesWritten).toBe(600))
    let [inThisTurn, mostInATurn] = [0, 0]
    const others = setInterval(() => (inThisTurn = 0), 1)
    await receiving(master, { schema: v.number() }, () => {
      inThisTurn += 1
      mostInATurn = Math.max(mostInATurn, inThisTurn)
      const began = performance.now()
      while (performance.now() - began < 1);
    })
    clearInterval(others)
    expect(mostInATurn).toBeGreaterThan(5) // it is no turn for every message
    expect(mostInATurn).toBeLessThan(100)
  })

  test('ends without an error when this end closes the connection in the middle of a frame', async () => {
    const { master, slave } = await connectedPair()
    await slave.write('1\r{"beg')
    await receiving(master, { schema: v.unknown() }, (message) => {
      expect(message).toBe(1)
      void master.close()
    })
    expect(master.closedHere).toBe(true)
  })

  test('throws when the connection is lost', async () => {
    const { master, slave } = await connectedPair()
    const lost = receiving(master, { schema }, () => {})
    slave.socket.resetAndDestroy()
    await expect(lost).rejects.toThrow(
      `Lost the connection to the slave at ${master.address}: the other end reset it.`,
    )
  })

  test('throws what the work on a message throws, and gives no more', async () => {
    const mistake = new RangeError('mine')
    for (const fail of [
      () => {
        throw mistake
      },
      () => Promise.reject(mistake),
    ]) {
      const { master, slave } = await connectedPair()
      const got: unknown[] = []
      for (const n of [1, 2, 3]) void send(slave, n)
      const done = receiving(master, { schema: v.unknown() }, (n) => {
        got.push(n)
        return n === 2 ? fail() : undefined
      })
      await expect(done).rejects.toBe(mistake)
      expect(got).toEqual([1, 2])
    }
  })
})

/** What a decoder makes of a stream, that comes in these chunks and then ends. */
function decode(chunks: Iterable<Buffer>, options?: FrameOptions) {
  const decoder = new Decoder(options)
  const messages: unknown[] = []
  let [pushed, mostHeld] = [0, 0]
  let error: FrameError | undefined
  try {
    for (const chunk of chunks) {
      pushed += 1
      decoder.push(chunk, (message) => messages.push(message))
      mostHeld = Math.max(mostHeld, decoder.heldBytes)
    }
    decoder.end()
  } catch (thrown) {
    if (!(thrown instanceof FrameError)) throw thrown
    error = thrown
  }
  return { messages, error, pushed, mostHeld }
}

function cut(stream: Buffer, at: number[]): Buffer[] {
  const places = [
    0,
    ...at.map((place) => Math.min(place, stream.length)).sort((a, b) => a - b),
    stream.length,
  ]
  return places.slice(1).map((end, index) => stream.subarray(places[index], end))
}

/** What is right, in the simplest way there is: the whole stream, split, a frame at a time. */
function frameByFrame(
  stream: Buffer,
  maxFrameBytes: number,
): { messages: unknown[]; kind: string | undefined } {
  const frames = stream.toString('latin1').split('\r')
  const tail = frames.pop() ?? ''
  const messages: unknown[] = []
  for (const frame of frames) {
    if (frame.length > maxFrameBytes) return { messages, kind: 'too large' }
    if (frame === '') return { messages, kind: 'empty' }
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(frame, 'latin1'))
    } catch {
      return { messages, kind: 'not UTF-8' }
    }
    try {
      messages.push(JSON.parse(text))
    } catch {
      return { messages, kind: 'not JSON' }
    }
  }
  if (tail.length > maxFrameBytes) return { messages, kind: 'too large' }
  return { messages, kind: tail === '' ? undefined : 'unfinished' }
}

/** Up to `count` messages that arrive. */
async function take(
  connection: Connection,
  count: number,
  { schema }: { schema: v.GenericSchema } = { schema: v.unknown() },
) {
  const messages: unknown[] = []
  for await (const message of receive(connection, { schema })) {
    messages.push(message)
    if (messages.length === count) break
  }
  return messages
}

/** Sends a message again and again, a few in a turn, and never waits for what `send` gives. */
async function sendForEver(connection: Connection, message: unknown): Promise<never> {
  for (;;) {
    for (let n = 0; n < 10; n += 1) void send(connection, message)
    await nextTurn()
  }
}

test.each(['1603010200010001fc0303', '160301010d010001090303'])(
  'who speaks TLS is told at once, and not waited for (%s)',
  (hello) => {
    const decoder = new Decoder({ from: 'a node' })
    expect(() => decoder.push(Buffer.from(hello, 'hex'), () => {})).toThrow(
      'A frame from a node is not JSON: its sender encrypts (it begins as TLS does), and this port is for who does not.',
    )
  },
)
