import { expect, test } from 'vitest'
import { DEFAULT_MAX_FRAME_BYTES, FrameError, send as sendJson } from '../src/json-lines.ts'
import { handleMessages, send, textOf } from '../src/messages.ts'
import { connectedPair } from './support.ts'

test('each payload comes to the handler of its type, in order', async () => {
  const { master, slave } = await connectedPair()
  const got: unknown[] = []
  const handling = handleMessages(
    master,
    { a: (payload) => void got.push(['a', payload]), b: (payload) => void got.push(['b', payload]) },
    () => {},
  )
  await send(slave, 'a', 1)
  await send(slave, 'b', { deep: [null, 'text'] })
  await send(slave, 'a', null)
  await slave.close()
  await handling
  expect(got).toEqual([
    ['a', 1],
    ['b', { deep: [null, 'text'] }],
    ['a', null],
  ])
})

test('what goes over the wire is {type, payload} and a carriage return', async () => {
  const { master, slave } = await connectedPair()
  await send(slave, 'message', 'ü')
  for await (const text of master) {
    expect(text).toBe('{"type":"message","payload":"\\u00fc"}\r')
    break
  }
})

test('a message has to have a payload', async () => {
  const { slave } = await connectedPair()
  for (const payload of [undefined, () => {}, 1n])
    expect(() => send(slave, 'message', payload)).toThrow(TypeError)
})

test('any type and any payload arrive as they were sent', async () => {
  const { master, slave } = await connectedPair()
  const sent = ['a', 'b', 'a', '', '"\\', 'ü\r', '__proto__'].flatMap((type) =>
    ['text', '"\\\r\n', 'ü', '', 0, null, [1], { type: 'x' }].map((payload) => [type, payload]),
  )
  for (const [type, payload] of sent) void send(slave, String(type), payload)
  void slave.close()
  const got: unknown[] = []
  await handleMessages(master, {}, (type, payload) => void got.push([type, payload]))
  expect(got).toEqual(sent)
})

test('large texts arrive as they were sent, between small ones, in order', async () => {
  const { master, slave } = await connectedPair({ maxWaitingBytes: 64 * 1024 * 1024 })
  const plain = 'x'.repeat(300_000)
  const payloads = ['first', plain, 'second', `${plain}\r`, `${plain}"ü`, 'last']
  for (const payload of payloads) void send(slave, 'message', payload)
  void slave.close()
  const got: unknown[] = []
  await handleMessages(master, { message: (payload) => void got.push(payload) }, () => {})
  expect(got.map((payload, n) => payload === payloads[n])).toEqual(payloads.map(() => true))
})

test('a large text is held against both limits, and nothing of it is sent when it is refused', async () => {
  const { master, slave } = await connectedPair({ maxWaitingBytes: 400_000 })
  const around = '{"type":"message","payload":""}'.length
  const large = 'x'.repeat(300_000)
  const sendLarge = (maxFrameBytes: number) => send(slave, 'message', large, { maxFrameBytes })
  expect(() => sendLarge(300_000 + around - 1)).toThrow(
    new FrameError('too large', '300031 bytes to send, the limit is 300030'),
  )
  expect(slave.socket.bytesWritten).toBe(0)
  void sendLarge(300_000 + around)
  expect(slave.socket.bytesWritten).toBe(300_000 + around + 1)
  master.socket.pause()
  expect(() => {
    for (let n = 0; n < 100; n += 1) void sendLarge(DEFAULT_MAX_FRAME_BYTES)
  }).toThrow(/^Cut off the master at .*: it does not read, and \d+ bytes wait for it\.$/)
  expect(slave.socket.bytesWritten % (300_000 + around + 1)).toBe(0)
})

test.each([
  ['a text', `"${'x'.repeat(300_000)}"`],
  ['a text with escapes', `"${'x'.repeat(300_000)}\\n"`],
  ['two texts', `"${'x'.repeat(300_000)}","more":"x"`],
  ['a list', `["${'x'.repeat(300_000)}"]`],
  ['a text with a control character', `"${'x'.repeat(300_000)}\x01"`],
  ['a text that does not begin', `${'x'.repeat(300_000)}"`],
  ['a text that does not end', `"${'x'.repeat(300_000)}`],
  ['a text with a quote too much', `"${'x'.repeat(300_000)}""`],
])('a large payload is read as JSON.parse would: %s', async (_what, payload) => {
  const { master, slave } = await connectedPair({ maxWaitingBytes: 64 * 1024 * 1024 })
  const frame = `{"type":"a","payload":${payload}}`
  void slave.write(`{"type":"a","payload":1}\r${frame}\r`)
  void slave.close()
  const got: unknown[] = []
  const handling = handleMessages(master, { a: (found) => void got.push(found) }, () => {})
  const right = [1, ...payloadOf(frame)]
  if (right.length === 2) await handling
  else await expect(handling).rejects.toMatchObject({ kind: 'not JSON' })
  expect(got.length).toBe(right.length)
  expect(got.every((found, n) => JSON.stringify(found) === JSON.stringify(right[n]))).toBe(true)

  function payloadOf(json: string): unknown[] {
    try {
      return [JSON.parse(json).payload]
    } catch {
      return []
    }
  }
})

test.each([
  // Each comes after a message of the type "a", so that its beginning is known.
  ['{"type":"a","payload":1,"type":"b"}', ['b', 1]],
  ['{"type":"a","payload":1,"payload":2}', ['a', 2]],
  ['{"type":"a","payload":1,"more":{}}', ['a', 1]],
  ['{"type":"a","payload": [1] }', ['a', [1]]],
  ['{"type":"a","payload":{"a":1}}', ['a', { a: 1 }]],
  ['{ "payload":1, "type":"a" }', ['a', 1]],
])('a message is what JSON says, whatever its keys and their order: %s', async (json, right) => {
  const { master, slave } = await connectedPair()
  const got: unknown[] = []
  await slave.write(`{"type":"a","payload":0}\r${json}\r`)
  void slave.close()
  await handleMessages(master, {}, (type, payload) => void got.push([type, payload]))
  expect(got).toEqual([['a', 0], right])
})

test.each([
  '{"type":"a","payload":}',
  '{"type":"a","payload":1',
  '{"type":"a","payload":1}}',
  '{"type":"a","payload":1,}',
])('what is not JSON is refused, also after a message that begins in the same way: %s', async (json) => {
  const { master, slave } = await connectedPair()
  await slave.write(`{"type":"a","payload":0}\r${json}\r`)
  await expect(handleMessages(master, {}, () => {})).rejects.toThrow(
    new FrameError('not JSON', `it has ${json.length} bytes and begins ${JSON.stringify(json)}`, {
      from: master.peer,
    }),
  )
})

test('a handler is waited for before the next message is handled', async () => {
  const { master, slave } = await connectedPair()
  const happened: string[] = []
  const handling = handleMessages(
    master,
    {
      async work(payload) {
        happened.push(`begins ${payload}`)
        await new Promise(setImmediate)
        happened.push(`ends ${payload}`)
      },
    },
    () => {},
  )
  for (const n of [1, 2]) void send(slave, 'work', n)
  await slave.close()
  await handling
  expect(happened).toEqual(['begins 1', 'ends 1', 'begins 2', 'ends 2'])
})

test.each(['news', '__proto__', 'constructor', 'toString', ''])(
  'a message of the unknown type "%s" is reported and survived',
  async (type) => {
    const { master, slave } = await connectedPair()
    const got: unknown[] = []
    const handling = handleMessages(master, { known: () => void got.push('known') }, (unknown, payload) => {
      got.push([unknown, payload])
    })
    await send(slave, type, { __proto__: null, x: 1 })
    await send(slave, 'known', 0)
    await slave.close()
    await handling
    expect(got).toEqual([[type, { x: 1 }], 'known'])
  },
)

test('keys beside type and payload are ignored', async () => {
  const { master, slave } = await connectedPair()
  const got: unknown[] = []
  const handling = handleMessages(master, { a: (payload) => void got.push(payload) }, () => {})
  await sendJson(slave, { type: 'a', payload: 1, id: 7 })
  await slave.close()
  await handling
  expect(got).toEqual([1])
})

test.each([
  [null, 'it is null, where Object is expected'],
  [1, 'it is 1, where Object is expected'],
  ['text', 'it is "text", where Object is expected'],
  [[], 'it has no "type"'],
  [{}, 'it has no "type"'],
  [{ payload: 1 }, 'it has no "type"'],
  [{ type: 1, payload: 1 }, 'its "type" is 1, where string is expected'],
  [{ type: null, payload: 1 }, 'its "type" is null, where string is expected'],
  [{ type: 'a' }, 'it has no "payload"'],
])(
  'a frame of the wrong shape breaks the protocol, after the messages before it: %j',
  async (wrong, what) => {
    const { master, slave } = await connectedPair()
    const got: unknown[] = []
    const handling = handleMessages(master, { a: (payload) => void got.push(payload) }, () => {})
    void send(slave, 'a', 1)
    void sendJson(slave, wrong)
    void send(slave, 'a', 2)
    await expect(handling).rejects.toThrow(new FrameError('of the wrong shape', what, { from: master.peer }))
    expect(got).toEqual([1])
  },
)

test('an error of a handler ends the handling', async () => {
  const { master, slave } = await connectedPair()
  const error = new RangeError('mine')
  const handling = handleMessages(master, { a: () => Promise.reject(error) }, () => {})
  await send(slave, 'a', 1)
  await expect(handling).rejects.toBe(error)
})

test('textOf gives a text as it is, and anything else as JSON', () => {
  expect(['a\nb', { a: [1, null] }, 1, null, undefined].map(textOf)).toEqual([
    'a\nb',
    '{"a":[1,null]}',
    '1',
    'null',
    'undefined',
  ])
})

test('textOf never throws: a payload nested 400,000 deep is only said to be so', () => {
  const payload: unknown = JSON.parse('['.repeat(400_000) + ']'.repeat(400_000))
  expect(textOf(payload)).toBe('(a payload nested too deeply to be shown)')
})

test('a payload nested 400,000 deep arrives, and the messages after it', async () => {
  const { master, slave } = await connectedPair()
  const got: string[] = []
  const handling = handleMessages(master, { a: (payload) => void got.push(textOf(payload)) }, () => {})
  await slave.write(
    `{"type":"a","payload":${'['.repeat(400_000)}${']'.repeat(400_000)}}\r{"type":"a","payload":"after"}\r`,
  )
  await slave.close()
  await handling
  expect(got).toEqual(['(a payload nested too deeply to be shown)', 'after'])
})
