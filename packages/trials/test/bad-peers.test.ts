/**
 * One master, a slave, ten more slaves that count what they send, and one bad peer at a time. The
 * same master lives through all of it, so each test also shows that it has survived those before.
 */
import { readFile } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { freePort } from '@rpi-cluster/tutorial/harness'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { BadPeer, manyPeers, message } from './support/bad-peer.ts'
import { Cluster, COSTLIEST_FRAME, MAX_FRAME_BYTES, nested } from './support/cluster.ts'
import { CountingReader } from './support/counting-reader.ts'
import { MemoryWatch } from './support/memory.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(() => cluster.end())

/** A peer with an address of its own, so that its warnings are not counted with those of another. */
const badPeer = () => BadPeer.connect(cluster.port, { ownAddress: true })

/** A bad peer says something, and expects to be refused for it: one line with its address, and the end of its connection. */
async function isRefusedFor(why: RegExp, ...pieces: (string | Uint8Array)[]): Promise<void> {
  const report = await cluster.survives(async () => {
    const peer = await badPeer()
    await peer.says(message(`before, from ${peer.address}`), ...pieces)
    await peer.gone
    const lines = await cluster.logs(new RegExp(`^A frame from the slave at ${peer.address} is `))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ level: 'warn', msg: expect.stringMatching(why) })
    expect(lines[0]?.msg).toMatch(/\. The connection is closed\.$/)
    await cluster.logs(new RegExp(`^Received message from ${peer.address}: before, from ${peer.address}$`))
    expect(await cluster.logs(/after/, 0)).toEqual([])
  })
  // Of what is refused, never more than the largest frame is held.
  expect(report.moreMemoryBytes).toBeLessThan(64 * 1024 * 1024)
}

/** A bad peer says something that is no reason to refuse it: what it says afterwards arrives. */
async function isTakenAs(logged: RegExp, ...pieces: (string | Uint8Array)[]): Promise<void> {
  await cluster.survives(async () => {
    const peer = await badPeer()
    await peer.says(...pieces, message(`after, from ${peer.address}`))
    await cluster.logs(logged)
    await cluster.logs(new RegExp(`^Received message from ${peer.address}: after, from ${peer.address}$`))
    await peer.leaves()
  })
}

describe('the size of frames', () => {
  test('a frame without end: 64 MiB with no separator', async () => {
    await isRefusedFor(
      /is too large: \d+ bytes or more, the limit is 1048576\./,
      ...Array<Buffer>(1024).fill(Buffer.alloc(64 * 1024, 'x')),
    )
  })

  test('many frames just under the limit', async () => {
    const rest = message('').length - 1
    const frame = message('x'.repeat(MAX_FRAME_BYTES - rest))
    expect(frame.length - 1).toBe(MAX_FRAME_BYTES)
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says(...Array<string>(40).fill(frame))
      await cluster.logs(/^Received message from \S+: x{900}.*\(\d+ characters in all\)$/, 40)
      await peer.leaves()
    })
  })

  test('empty frames', () => isRefusedFor(/is empty: /, '\r\r\r\r', message('after')))

  test('a frame never ended, and then the end of the stream', async () => {
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says('{"type":"message",')
      await peer.leaves()
      await cluster.logs(
        new RegExp(
          `^A frame from the slave at ${peer.address} is unfinished: the stream ended after 18 bytes`,
        ),
      )
    })
  })
})

describe('the pieces in which frames come', () => {
  test('one byte at a time, for long', async () => {
    const text = message('slowly, and with an ü').repeat(200)
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says(...Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte)))
      await cluster.logs(/^Received message from \S+: slowly, and with an ü$/, 200)
      await peer.leaves()
    })
  })

  test('cut anywhere, in its UTF-8 characters too', async () => {
    const frame = Buffer.from(message('a€𝄞ü'))
    await cluster.survives(async () => {
      const peer = await badPeer()
      for (let at = 1; at < frame.length; at += 1) {
        await peer.says(frame.subarray(0, at))
        await nextTurn()
        await peer.says(frame.subarray(at))
      }
      expect(await cluster.logs(/^Received message from \S+: a€𝄞ü$/, frame.length - 1)).toHaveLength(
        frame.length - 1,
      )
      await peer.leaves()
    })
  })
})

describe('what is in frames', () => {
  test.for([
    ['a lone byte', Buffer.from([0xff])],
    ['half a character', Buffer.from('"€"').subarray(0, 3)],
    ['a surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['Latin-1', Buffer.from('{"type":"message","payload":"K\xfcche"}', 'latin1')],
  ] as const)('not UTF-8: %s', ([, bytes]) => isRefusedFor(/is not UTF-8: /, bytes, '\r', message('after')))

  test.for([
    'hello',
    '{"type":"message","payload":',
    "{'type':1}",
    'GET / HTTP/1.1',
    '\0',
    '{"a":1}{"a":2}',
    'NaN',
  ])('not JSON: %j', (text) => isRefusedFor(/is not JSON: /, `${text}\r`, message('after')))

  test.for(
    [
      'null',
      '7',
      'true',
      '"text"',
      '[]',
      '[{"type":"message","payload":1}]',
      '{}',
      '{"payload":1}',
      '{"type":7,"payload":1}',
      '{"type":null,"payload":1}',
      '{"type":["message"],"payload":1}',
      '{"type":"message"}',
      '{"__proto__":{"type":"message","payload":"forged"}}',
      `{"type":"message","Payload":${'['.repeat(1000)}${']'.repeat(1000)}}`,
      `{"type":${'['.repeat(400_000)}${']'.repeat(400_000)},"payload":1}`,
    ].map((frame) => [frame.slice(0, 60), frame] as const),
  )('JSON of the wrong shape: %s', ([, frame]) =>
    isRefusedFor(/is of the wrong shape: it.{1,100}$/, `${frame}\r`, message('after')),
  )

  test('keys that are names of JavaScript', async () => {
    await isTakenAs(
      /^Received message from \S+: \{"__proto__":\{"toString":1\},"constructor":\{"prototype":\{"type":2\}\}\}$/,
      '{"type":"message","payload":{"__proto__":{"toString":1},"constructor":{"prototype":{"type":2}}},"__proto__":{"type":"x"}}\r',
    )
  })

  test.for(['__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])('an unknown type: %j', (type) =>
    isTakenAs(new RegExp(`^Unknown type of message from \\S+: ${type}, with \\[1\\]$`), message([1], type)),
  )

  test.for([
    ['400,000 deep', nested(400_000)],
    ['as deep as the limit lets it', COSTLIEST_FRAME],
    ['objects', `{"type":"message","payload":${'{"a":'.repeat(170_000)}1${'}'.repeat(170_000)}}`],
    ['of an unknown type', nested(400_000).replace('message', 'unknown')],
    ['of the machine details', nested(400_000).replace('message', 'machine_details')],
  ] as const)('a payload nested too deeply to walk: %s', ([, frame]) =>
    isTakenAs(/: .*\(a payload nested too deeply to be shown\)$/, frame, '\r'),
  )
})

describe('connections', () => {
  test('reset in the middle of a frame', async () => {
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says(message(`from ${peer.address}`), '{"type":"mess')
      await cluster.logs(new RegExp(`from ${peer.address}$`))
      peer.resets()
      await cluster.logs(
        new RegExp(`^Lost the connection to the slave at ${peer.address}: the other end reset it\\.$`),
      )
    })
  })

  test('half-closed: it says no more, and would listen on', async () => {
    await cluster.survives(async () => {
      const peer = await BadPeer.connect(cluster.port, { allowHalfOpen: true, ownAddress: true })
      await peer.says(message(`from ${peer.address}`))
      peer.socket.end()
      await peer.gone // since the master has closed its side too
      await cluster.logs(new RegExp(`^Received message from ${peer.address}: from ${peer.address}$`))
      await cluster.logs(/^Client disconnected at /)
    })
  })

  test('a hundred that connect and say nothing', async () => {
    await cluster.survives(async () => {
      const peers = await Promise.all(Array.from({ length: 100 }, badPeer))
      await cluster.logs(/^Got client at /, peers.length)
      expect(peers.every(({ socket }) => socket.writable)).toBe(true)
      await Promise.all(peers.map((peer) => peer.leaves()))
      await cluster.logs(/^Client disconnected at /, peers.length)
    })
  })

  test('connects 2,000 times and leaves', async () => {
    await cluster.survives(async () => {
      await manyPeers(cluster.port, 2000, (peer) => peer.leaves())
      await cluster.logs(/^Client disconnected at /, 2000)
    })
  })
})

describe('text that would act on a terminal, or fill it', () => {
  const nasty = 'a\r\x1b[2J\x1b]0;title\x07\n[00:00:00] INFO (master): forged\u2028b\x9b31m\u202e\x7f'

  /** The line of the console with this text. Each line of the log is one line of the console. */
  async function shown(text: string): Promise<string> {
    await cluster.master.says(new RegExp(text))
    return cluster.master.lines.find((line) => line.includes(text)) ?? ''
  }

  test.for([
    ['in a message', message(nasty)],
    ['in a type', message(1, nasty)],
    ['in the machine details', message({ hostname: nasty }, 'machine_details')],
  ] as const)('terminal escapes and newlines %s', async ([where, frame]) => {
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says(frame.replace('a\\r', `${where} \\r`))
      const [record] = await cluster.logs(new RegExp(where))
      expect(record?.msg).toMatch(/forged/)
      const line = await shown(where)
      expect(line).toMatch(/forged/)
      expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u)
      await peer.leaves()
    })
    expect(cluster.master.lines.filter((line) => /^\[00:00:00\]/.test(line))).toEqual([])
  })

  test.for([
    ['a message', (text: string) => message(text)],
    ['a type', (text: string) => message(1, text)],
    ['the machine details', (text: string) => message({ hostname: text }, 'machine_details')],
    ['what is not JSON', (text: string) => `${text}\r`],
  ] as const)('100 kB of text in %s', async ([where, frame]) => {
    await cluster.survives(async () => {
      const peer = await badPeer()
      await peer.says(frame(`long text in ${where} ${'x'.repeat(100_000)}`))
      const [record] = await cluster.logs(new RegExp(`long text in ${where}`))
      const line = await shown(`long text in ${where}`)
      const length =
        where === 'what is not JSON' ? /it has 1000\d\d bytes/ : /x\.\.\. \(100\d\d\d characters in all\)$/
      for (const text of [record?.msg ?? '', line]) {
        expect(text).toMatch(length)
        expect(text.length).toBeLessThan(1200)
      }
      await peer.leaves()
    })
  })
})

test('stops reading what it is sent, by a program that does not wait for it', async () => {
  const port = await freePort()
  await cluster.chapter.write(
    'src/sender.ts',
    await readFile(new URL('support/sender.ts', import.meta.url), 'utf8'),
  )
  const sender = await cluster.chapter.run('sender', { args: [String(port)] })
  await sender.says(/Listening on/)
  const good = await Promise.all(Array.from({ length: 10 }, () => CountingReader.connect(port)))
  const all = async (count: number) =>
    vi.waitFor(() => expect(good.every(({ read }) => read >= count)).toBe(true), 30_000)
  await all(50)

  const memory = new MemoryWatch(sender.pid)
  const peer = await BadPeer.connect(port)
  peer.socket.pause()
  const cutOff = new RegExp(
    `Cut off the slave at ${peer.address}: it does not read, and (\\d+) bytes wait for it\\.$`,
  )
  await sender.says(cutOff)
  const [, waiting] = sender.messages.map((line) => cutOff.exec(line)).find((found) => found !== null) ?? []
  expect(Number(waiting)).toBeGreaterThan(900_000)
  expect(Number(waiting)).toBeLessThanOrEqual(1024 * 1024)
  expect(memory.more).toBeLessThan(48 * 1024 * 1024)

  await all((good[0]?.read ?? 0) + 100)
  expect(good.map(({ disorder }) => disorder)).toEqual(good.map(() => undefined))
  await Promise.all(good.map((reader) => reader.leave()))
  await sender.stop()
  expect(sender.messages.filter((line) => /Cut off/.test(line))).toHaveLength(1)
})

describe('floods, of which the log keeps a few lines and a count', () => {
  test('20,000 messages of an unknown type', async () => {
    await cluster.survives(async () => {
      const peer = await badPeer()
      const flood = Array.from({ length: 20_000 }, (_, n) => message(n, 'flood'))
      await peer.says(flood.join(''), message(`after, from ${peer.address}`))
      await cluster.logs(/^Received message from \S+: after, from /)
      await peer.leaves()
      await cluster.countsAll(
        flood.length,
        /^Unknown type of message from \S+: flood, with \d+$/,
        /^Unknown type of message from \S+: (\d+) more warnings that begin so/,
      )
    })
  })

  test('connects 2,000 times, breaks the protocol, and leaves', async () => {
    await cluster.survives(async () => {
      await manyPeers(cluster.port, 2000, async (peer) => {
        await peer.says('x\r')
        await peer.leaves()
      })
      await cluster.countsAll(
        2000,
        /^A frame from the slave at 127\.0\.0\.1:\d+ is not JSON: /,
        /^A frame from the slave at 127\.0\.0\.1: (\d+) more warnings that begin so/,
      )
    })
  })
})

test('the slave process has noticed nothing of all this, and the master ends well', async () => {
  await cluster.hearsItsSlave()
  await cluster.stopMaster()
})
