import { once } from 'node:events'
import { inspect } from 'node:util'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, test, vi } from 'vitest'
import { Broadcast } from '../src/broadcast.ts'
import { Dialogue } from '../src/dialogue.ts'
import { FrameBudget } from '../src/frame-budget.ts'
import { forEachMessage } from '../src/json-lines.ts'
import { type Agreed, SignatureError, Signer } from '../src/signatures.ts'
import { signedBy, signedWith } from '../src/signed.ts'
import { SignedFrames } from '../src/signed-frames.ts'
import { decodeFirst, type Hello } from '../src/signed-hello.ts'
import { connect, listen } from '../src/sockets.ts'
import { framesOf, PATIENCE, says, signingListener, stranger, tap } from './signed-support.ts'
import { portOf, recordingLog, stopAfterTest } from './support.ts'

/** The texts that come to a node, as its dialogue hands them over. */
function listensTo(connection: Awaited<ReturnType<typeof connect>>) {
  const heard: unknown[] = []
  const dialogue = new Dialogue(connection, { unknown: (_type, payload) => void heard.push(payload) })
  const ended = dialogue.ended.then(
    () => undefined,
    (error: Error) => error,
  )
  return { heard, dialogue, ended }
}

describe('a signed connection', () => {
  test('carries questions, answers and messages of any size, and knows by name who has connected', async () => {
    const { arrives, hears, peers, port } = await signingListener()
    const node = await arrives('pi-3')
    const { dialogue, heard } = listensTo(node)
    expect(await dialogue.ask('time', { answer: 'the_time' })).toBe('noon')
    const large = 'ü'.repeat(150_000)
    await says(node, 'one', large, 'three')
    await hears('pi-3: says "one"', `pi-3: says "${large}"`, 'pi-3: says "three"')
    const [peer] = peers
    expect(peer).toMatchObject({ node: 'pi-3', peer: `pi-3 at ${peer?.address}` })
    expect(node.node).toBeUndefined()
    await says(peer as never, large, 'and back')
    await vi.waitFor(() => expect(heard).toEqual([large, 'and back']), PATIENCE)
    expect(port).toBeGreaterThan(0)
  })

  test('takes pieces that are cut anywhere, and several frames in one', async () => {
    const { arrives, hears, port } = await signingListener()
    const between = await tap(port)
    between.change.toListener = (piece) => Array.from(piece, (byte) => Buffer.of(byte))
    between.change.toNode = (piece) => Array.from(piece, (byte) => Buffer.of(byte))
    const node = await arrives('pi-3', between.port)
    const { dialogue } = listensTo(node)
    await says(node, 'a', 'b', 'c')
    expect(await dialogue.ask('time', { answer: 'the_time' })).toBe('noon')
    await hears('pi-3: says "a"', 'pi-3: says "b"', 'pi-3: says "c"')
  })

  test('takes what comes in one piece with the proof, and an end right behind it', async () => {
    const { arrives, peers, port, lines } = await signingListener()
    const between = await tap(port)
    // All that the listener says comes to the node in one piece.
    between.passes.end = false
    const kept: Buffer[] = []
    between.change.toNode = (piece) => {
      kept.push(piece)
      return kept.length === 1 ? piece : []
    }
    const arriving = arrives('pi-3', between.port)
    await vi.waitFor(() => expect(peers).toHaveLength(1), PATIENCE)
    await says(peers[0] as never, 'quick', 'x'.repeat(70_000))
    await peers[0]?.close()
    const behindHello = () => Buffer.concat(kept.slice(1))
    await vi.waitFor(() => expect(framesOf(behindHello())).toHaveLength(4), PATIENCE)
    between.ends[0]?.node.end(behindHello())
    const node = await arriving
    const { heard, ended } = listensTo(node)
    expect(await ended).toBeUndefined()
    expect(heard).toEqual(['quick', 'x'.repeat(70_000)])
    expect(lines().filter((line) => /cut off|Refused/.test(line))).toEqual([])
  })

  test('leaves the bytes alone that a broadcast shares', async () => {
    const { arrives, peers } = await signingListener({ nodes: ['a', 'b', 'c'] })
    const nodes = await Promise.all(['a', 'b', 'c'].map((node) => arrives(node)))
    const all = nodes.map(listensTo)
    await vi.waitFor(() => expect(peers).toHaveLength(3), PATIENCE)
    const broadcast = new Broadcast({ log: recordingLog().log, topics: { news: {} } })
    for (const peer of peers) broadcast.subscribe('news', peer)
    const texts = ['short', 'x'.repeat(40_000), 'y'.repeat(30_000)]
    for (const text of texts) broadcast.publish('news', text)
    for (const { heard } of all) await vi.waitFor(() => expect(heard).toEqual(texts), PATIENCE)
  })

  test('counts what it holds of a frame in the budget of all, and refuses one that is too large', async () => {
    const { keyOf, keys } = await signingListener()
    const { signal: stop } = stopAfterTest()
    const { log, records } = recordingLog()
    const budget = new FrameBudget()
    const listener = await listen(
      { peer: 'node', host: '127.0.0.1', port: 0, stop, log, secure: signedWith(keys, { stop, log }) },
      (peer) => forEachMessage(peer, { schema: v.unknown(), budget }, () => {}),
    )
    const between = await tap(portOf(listener))
    let keptBack: Buffer | undefined
    const key = await keyOf('pi-3')
    const node = await connect({
      peer: 'primary',
      host: '127.0.0.1',
      port: between.port,
      stop,
      secure: signedBy(key),
    })
    between.change.toListener = (piece) => {
      const end = piece.indexOf(0x0d)
      if (end < 0) return piece
      keptBack = piece.subarray(end)
      return piece.subarray(0, end)
    }
    void says(node, 'z'.repeat(900_000))
    await vi.waitFor(() => expect(budget.heldBytes).toBeGreaterThan(900_000), PATIENCE)
    between.change.toListener = (piece) => piece
    between.ends[0]?.listener.write(keptBack ?? '')
    await vi.waitFor(() => expect(budget.heldBytes).toBe(0), PATIENCE)
    between.ends[0]?.listener.write('z'.repeat(1024 * 1024 + 200))
    await vi.waitFor(
      () =>
        expect(records.map(({ msg }) => msg)).toContainEqual(
          expect.stringMatching(/too large.*limit is 1048576/),
        ),
      PATIENCE,
    )
    expect(budget.heldBytes).toBe(0)
  })
})

describe('what was recorded is refused', () => {
  /** A node that has said two things through a tap. */
  async function recorded() {
    const listening = await signingListener()
    const between = await tap(listening.port)
    const node = await listening.arrives('pi-3', between.port)
    const listens = listensTo(node)
    await says(node, 'one')
    await says(node, 'two')
    await listening.hears('pi-3: says "one"', 'pi-3: says "two"')
    await says(listening.peers[0] as never, 'to you')
    await vi.waitFor(() => expect(listens.heard).toEqual(['to you']), PATIENCE)
    const writes = (...pieces: Buffer[]) => between.ends[0]?.listener.write(Buffer.concat(pieces))
    const { ended, heard: heardByNode } = listens
    return { ...listening, between, node, ended, heardByNode, writes, ...between.recording }
  }

  test('in another connection', async () => {
    const { port, toListener, tells, heard, node } = await recorded()
    await node.close()
    const thief = await stranger(port)
    const [hello, ...rest] = framesOf(toListener)
    thief.socket.write(hello as Buffer)
    await thief.hears(/^\{"type":"hello"/)
    thief.socket.write(Buffer.concat(rest))
    await tells(
      /^Refused a frame from pi-3 at 127\.0\.0\.1:\d+: it was signed for another connection, [0-9a-f]{16}, and this is [0-9a-f]{16}\. Somebody plays back what was recorded\./,
    )
    await thief.hears(/\{"type":"refused","payload":"It has not proven that it is pi-3/)
    expect(heard).toHaveLength(2)
  })

  test('in the other connection of the same node, once that is proven', async () => {
    const { port, arrives, toListener, tells, heard } = await recorded()
    const other = await tap(port)
    await arrives('pi-3', other.port)
    other.ends[0]?.listener.write(framesOf(toListener)[2] as Buffer)
    await tells(/^Refused a frame from pi-3 at .*: it was signed for another connection/)
    expect(heard).toHaveLength(2)
  })

  test('in the same connection', async () => {
    const { toListener, tells, heard, writes } = await recorded()
    writes(framesOf(toListener)[3] as Buffer)
    await tells(
      /^Refused a frame from pi-3 at .*: it is number 2, which has come already, and 3 is due\. Somebody plays it back\./,
    )
    expect(heard).toHaveLength(2)
  })

  test('out of order', async () => {
    const { between, node, tells, heard } = await recorded()
    let lost = false
    between.change.toListener = (piece) => {
      if (lost) return piece
      lost = true
      return []
    }
    await says(node, 'three')
    await vi.waitFor(() => expect(lost).toBe(true), PATIENCE)
    await says(node, 'four')
    await tells(
      /^Refused a frame from pi-3 at .*: it is number 4, and 3 is due\. Frames are missing, or in another order\./,
    )
    expect(heard).toHaveLength(2)
  })

  test('in the other direction', async () => {
    const { toNode, tells, writes, heard } = await recorded()
    writes(framesOf(toNode)[2] as Buffer)
    await tells(/^Refused a frame from pi-3 at .*: this end has said it itself\. Somebody plays it back\./)
    expect(heard).toHaveLength(2)
  })

  test('in the other direction, at the node', async () => {
    const { toListener, between, ended, heardByNode } = await recorded()
    between.ends[0]?.node.write(framesOf(toListener)[2] as Buffer)
    expect((await ended)?.message).toMatch(
      /^Refused a frame from the primary at .*: this end has said it itself\./,
    )
    expect(heardByNode).toEqual(['to you'])
  })

  test('in the name of another node', async () => {
    const { port, arrives, toListener, tells, heard } = await recorded()
    const other = await tap(port)
    await arrives('pi-4', other.port)
    other.ends[0]?.listener.write(framesOf(toListener)[2] as Buffer)
    await tells(/^Refused a frame from pi-4 at .*: pi-3 is said to have signed it, and this is pi-4\./)
    expect(heard).toHaveLength(2)
  })

  test('with bytes changed', async () => {
    const { between, node, tells, heard } = await recorded()
    between.change.toListener = (piece) =>
      Buffer.from(piece.toString('latin1').replace('cold', 'warm'), 'latin1')
    await says(node, 'cold')
    await tells(
      /^Refused a frame from pi-3 at .*: its signature does not fit\. Bytes were changed on the way\./,
    )
    expect(heard).toHaveLength(2)
  })

  test('without a signature', async () => {
    const { tells, heard, writes } = await recorded()
    writes(Buffer.from('{"type":"says","payload":"believe me"}\r'))
    await tells(/^Refused a frame from pi-3 at .*: it is not signed\./)
    expect(heard).toHaveLength(2)
  })

  test('cut off at the end, which is told, and what has come before holds', async () => {
    const { between, tells, hears } = await recorded()
    between.ends[0]?.listener.end()
    await tells(
      /^The connection to pi-3 at .* was cut off at the end: its last word did not come\. Its program was killed/,
    )
    await hears('pi-3: says "one"', 'pi-3: says "two"')
  })

  test('cut off in a frame', async () => {
    const { between, tells, toListener } = await recorded()
    between.ends[0]?.listener.end(toListener.subarray(0, 10))
    await tells(
      /^The connection to pi-3 at .* was cut off at the end: its last word did not come\. 10 bytes of a frame were dropped\./,
    )
  })

  test('after a farewell', async () => {
    const { between, node, tells, toListener } = await recorded()
    between.change.toListener = (piece) => [piece, framesOf(toListener)[2] as Buffer]
    await node.close()
    await tells(/^Refused a frame from pi-3 at .*: it comes after the farewell\./)
  })
})

describe('who ends as it should, is not told to be cut off', () => {
  const alarms = (lines: string[]) => lines.filter((line) => /cut off|Refused|Lost|mistake/.test(line))

  test('a node that stops, and a listener that stops', async () => {
    const { arrives, lines, peers, stopping } = await signingListener()
    const nodeStop = new AbortController()
    const first = await arrives('pi-3', undefined, nodeStop.signal)
    const second = await arrives('pi-4')
    const [one, two] = [listensTo(first), listensTo(second)]
    await says(first, 'last words')
    await vi.waitFor(() => expect(peers).toHaveLength(2), PATIENCE)
    nodeStop.abort()
    await one.ended
    await Promise.all(peers.filter(({ node }) => node === 'pi-3').map(({ socket }) => closed(socket)))
    expect(alarms(lines())).toEqual([])
    stopping.abort()
    expect(await two.ended).toBeUndefined()
    expect(alarms(lines())).toEqual([])
  })

  test('both at the same moment, again and again', async () => {
    const { arrives, lines, peers } = await signingListener()
    for (let count = 1; count <= 10; count += 1) {
      const node = await arrives('pi-3')
      const { ended } = listensTo(node)
      await vi.waitFor(() => expect(peers).toHaveLength(count), PATIENCE)
      const peer = peers.at(-1)
      await says(node, 'x')
      await says(peer as never, 'y')
      await Promise.all([node.close(), peer?.close()])
      expect(await ended).toBeUndefined()
    }
    expect(alarms(lines())).toEqual([])
  })

  test('a node that has asked, and says no more: the answer still comes', async () => {
    const { port, arrives, lines } = await signingListener()
    const between = await tap(port)
    const node = await arrives('pi-3', between.port)
    const { dialogue } = listensTo(node)
    const answer = dialogue.ask('time', { answer: 'the_time' })
    await vi.waitFor(() => expect(framesOf(between.recording.toListener)).toHaveLength(3), PATIENCE)
    expect(await answer).toBe('noon')
    await node.close()
    expect(alarms(lines())).toEqual([])
  })
})

async function closed(socket: { destroyed: boolean } & NodeJS.EventEmitter): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close')
}

describe('who connects', () => {
  test('with another key, or as nobody knows, is told the same, and the log tells the two apart', async () => {
    const { port, tells } = await signingListener()
    const { keyOf } = await signingListener({ nodes: ['pi-3', 'pi-9'] })
    const texts: string[] = []
    for (const node of ['pi-3', 'pi-9']) {
      const secure = signedBy(await keyOf(node))
      const { signal: stop } = stopAfterTest()
      const error = await connect({ peer: 'primary', host: '127.0.0.1', port, stop, secure }).catch(
        (error: Error) => error,
      )
      texts.push((error as Error).message.replaceAll(node, 'NODE'))
    }
    expect(texts[0]).toBe(
      `The primary at 127.0.0.1:${port} refuses this node: It has not proven that it is NODE. Has it the key that is kept here?`,
    )
    expect(texts[1]).toBe(texts[0])
    await tells(
      /^127\.0\.0\.1:\d+ says that it is pi-3, and has not its key, so it was refused\. The key of pi-3 is in \/.*: has the node the same file\?/,
    )
    await tells(
      /^127\.0\.0\.1:\d+ says that it is pi-9, and there is no key of pi-9 in \/.*, so it was refused\./,
    )
  })

  test('finds out who only claims to have the key of the other end', async () => {
    const { port, arrives, keyOf } = await signingListener()
    const impostor = await signingListener() // it has other keys
    const between = await tap(port)
    expect(await arrives('pi-3', between.port)).toBeDefined()
    const lies = await tap(impostor.port)
    // It answers the hello, and proves itself with what it has recorded elsewhere.
    lies.change.toNode = (piece) =>
      piece.includes('refused') ? (framesOf(between.recording.toNode)[1] as Buffer) : piece
    const { signal: stop } = stopAfterTest()
    await expect(
      connect({
        peer: 'primary',
        host: '127.0.0.1',
        port: lies.port,
        stop,
        secure: signedBy(await keyOf('pi-3')),
      }),
    ).rejects.toThrow(/^Refused a frame from the primary at .*: it was signed for another connection/)
  })

  test('without a key, is refused in a frame that it can read, and the log says what to do', async () => {
    const { port, tells, heard } = await signingListener()
    const node = await stranger(port)
    node.socket.write('{"type":"computer_details","payload":{"hostname":"pi"}}\r')
    await node.hears(
      /^\{"type":"refused","payload":"Only nodes with a key are served here: all that is said has to be signed\."\}\r$/,
    )
    await tells(
      /^127\.0\.0\.1:\d+ comes without a key, so it was refused\. If it is one of yours, start a program there that signs, with a key of \/.*; or have its address in "unsigned"\./,
    )
    expect(heard).toEqual([])
  })

  test('that encrypts is told from one without a key', async () => {
    const { port, tells, heard } = await signingListener()
    const node = await stranger(port)
    node.socket.write(Buffer.from('1603010200010001fc0303', 'hex'))
    await tells(
      /^127\.0\.0\.1:\d+ encrypts \(it begins as TLS does\), so it was refused: this port is for who signs, and does not encrypt\./,
    )
    expect(heard).toEqual([])
  })

  test.each(['127.0.0.1', '::ffff:127.0.0.1', '0:0:0:0:0:FFFF:7f00:1'])(
    'without a key, is served if "unsigned" has %s',
    async (address) => {
      const { port, tells, hears, listener } = await signingListener({
        unsigned: ['::1', address],
        host: '::',
      })
      const node = await stranger(port)
      const large = 'x'.repeat(40_000)
      node.socket.write(`{"type":"says","payload":"hello"}\r{"type":"says","payload":"${large}"}\r`)
      await hears('undefined: says "hello"', `undefined: says "${large}"`)
      await tells(/comes without a key, as "unsigned" lets it$/)
      node.socket.end()
      await vi.waitFor(() => expect(listener.connections.size).toBe(0), PATIENCE)
    },
  )

  test('without a key, and waits to be asked, is served after a moment if "unsigned" has its address', async () => {
    const { port, tells, arrives, hears } = await signingListener({ unsigned: ['127.0.0.1'] })
    await stranger(port)
    await tells(/comes without a key, as "unsigned" lets it$/)
    await says(await arrives('pi-3'), 'signed nevertheless')
    await hears('pi-3: says "signed nevertheless"')
  })

  test('with a hello of some other version, or none that can be read, is refused', async () => {
    const { port, tells } = await signingListener({ unsigned: ['127.0.0.1'] })
    for (const payload of ['2,"node":"pi-3"', '1,"node":"../x","nonce":"AAAA"', '1}}{'])
      (await stranger(port)).socket.write(`{"type":"hello","payload":{"signed":${payload}}}\r`)
    await tells(/^The hello of 127\.0\.0\.1:\d+ cannot be read here, so it was refused\./)
  })

  test('to a listener that knows nothing of keys, is told after 5 s what that probably means', async () => {
    const { keyOf } = await signingListener()
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    const plain = await listen({ peer: 'node', host: '127.0.0.1', port: 0, stop, log }, (peer) =>
      forEachMessage(peer, { schema: v.unknown() }, () => {}),
    )
    const port = portOf(plain)
    await expect(
      connect({ peer: 'primary', host: '127.0.0.1', port, stop, secure: signedBy(await keyOf('pi-3')) }),
    ).rejects.toThrow(
      `The primary at 127.0.0.1:${port} does not answer the hello. Probably the program there knows nothing of keys`,
    )
  })

  test('cannot come from what is no address', async () => {
    const { keys } = await signingListener()
    const { signal: stop } = stopAfterTest()
    expect(() => signedWith(keys, { stop, log: recordingLog().log, unsigned: ['pi.local'] })).toThrow(
      '"pi.local" is no address from which nodes without a key could come.',
    )
  })
})

test('a key is never logged, shown or thrown', async () => {
  const { port, arrives, lines, keys, keyOf } = await signingListener()
  const other = await signingListener()
  const key = await keyOf('pi-3')
  const shown: string[] = [
    inspect(key, { depth: 9, showHidden: true }),
    inspect(keys, { depth: 9 }),
    JSON.stringify({ key, keys }),
    `${key}`,
  ]
  const { log, records } = recordingLog()
  log.info({ key, keys }, 'all of them')
  await says(await arrives('pi-3'), 'x')
  await connect({
    peer: 'primary',
    host: '127.0.0.1',
    port,
    stop: stopAfterTest().signal,
    secure: signedBy(await other.keyOf('pi-3')),
  }).catch((error: Error) => shown.push(inspect(error, { depth: 9 })))
  expect(shown).toHaveLength(5)
  const text = [...shown, ...lines(), JSON.stringify(records)].join('\n')
  for (const secret of [await key.current(), ...keys.keysOf('pi-3'), ...other.keys.keysOf('pi-3')])
    for (const spelling of [
      secret.toString('base64url').slice(0, 20),
      secret.toString('hex').slice(0, 20),
      [...secret.subarray(0, 6)].join(', '),
      [...secret.subarray(0, 6)].join(','),
    ])
      expect(text).not.toContain(spelling)
})

test('a signature of another length is no signature, whatever it begins with', () => {
  const bytes = Buffer.alloc(32, 1)
  const signer = new Signer({ key: bytes, node: 'pi', connecting: bytes, listening: bytes }, '>')
  const right = Buffer.from(signer.sign(3, '{}', 'latin1'))
  const frame = Buffer.from('{}')
  expect(signer.isRight(right, 3, frame)).toBe(true)
  for (const wrong of [
    right.subarray(0, -1),
    Buffer.concat([right, right]),
    Buffer.alloc(0),
    Buffer.alloc(43),
  ])
    expect(signer.isRight(wrong, 3, frame)).toBe(false)
  expect(signer.isRight(right, 2 ** 32 + 3, frame)).toBe(false)
})

describe('of a recording', () => {
  interface Recording {
    agreed: Agreed
    /** What each end has said after its hello: its proof first, its farewell last. */
    said: { '>': Buffer[]; '<': Buffer[] }
  }

  /** A conversation over real sockets. */
  async function record(): Promise<{ first: Recording; again: Recording; other: Recording; port: number }> {
    const { port, keys, arrives, peers } = await signingListener()
    const conversation = async (node: string): Promise<Recording> => {
      const between = await tap(port)
      const connection = await arrives(node, between.port)
      const { heard } = listensTo(connection)
      await vi.waitFor(
        () => expect(peers.at(-1)?.address).toContain(String(between.ends[0]?.listener.localPort)),
        PATIENCE,
      )
      for (const text of ['reboot', 'rebooT', 'x'.repeat(30)]) await says(connection, text)
      for (const text of ['here', 'there']) await says(peers.at(-1) as never, text)
      await vi.waitFor(() => expect(heard).toHaveLength(2), PATIENCE)
      await connection.close()
      const [toListener, toNode] = [
        framesOf(between.recording.toListener),
        framesOf(between.recording.toNode),
      ]
      await vi.waitFor(() => expect(framesOf(between.recording.toListener)).toHaveLength(6), PATIENCE)
      const nonceOf = (hello: Buffer | undefined) =>
        (decodeFirst(hello?.subarray(0, -1) as Buffer) as Hello).nonce
      return {
        agreed: {
          key: keys.keysOf(node)[0] as Buffer,
          node,
          connecting: nonceOf(toListener[0]),
          listening: nonceOf(toNode[0]),
        },
        said: { '>': toListener.slice(1), '<': toNode.slice(1) },
      }
    }
    return {
      first: await conversation('pi-3'),
      again: await conversation('pi-3'),
      other: await conversation('pi-4'),
      port,
    }
  }

  /** What an end takes of a stream that begins with the proof, given in pieces, and whether it is content at its end. */
  function takes(
    { agreed }: Recording,
    stream: Buffer,
    cuts: number[] = [],
  ): { texts: string; isContent: boolean } {
    const layer = new SignedFrames(agreed, '<', 'pi-3')
    let texts = ''
    const proofEnd = stream.indexOf(0x0d)
    try {
      layer.checkProof(Buffer.from(stream.subarray(0, proofEnd < 0 ? stream.length : proofEnd)))
      if (proofEnd < 0) return { texts, isContent: false }
      const places = [
        proofEnd + 1,
        ...cuts.map((cut) => Math.min(stream.length, proofEnd + 1 + cut)),
        stream.length,
      ]
      places.sort((a, b) => a - b)
      for (const [index, end] of places.slice(1).entries()) {
        texts += layer.incoming(Buffer.from(stream.subarray(places[index], end))).toString('latin1')
        if (layer.failure) throw layer.failure
      }
      layer.end()
      return { texts, isContent: true }
    } catch (error) {
      if (!(error instanceof Error && error.name.match(/^(Signature|Frame)Error$/))) throw error
      return { texts, isContent: false }
    }
  }

  /** No change of the recording is taken for the whole, and of a changed one nothing but the beginning. */
  test('no change is accepted: not of one bit, not of one frame', { timeout: 60_000 }, async () => {
    const { first, again, other } = await record()
    const frames = first.said['>']
    const right = Buffer.concat(frames)
    const whole = takes(first, right)
    expect(whole.isContent).toBe(true)
    expect(whole.texts.split('\r')).toHaveLength(4)

    const refuses = (changed: Buffer, cuts: number[] = []) => {
      const { texts, isContent } = takes(first, changed, cuts)
      expect(isContent).toBe(false)
      expect(whole.texts.startsWith(texts)).toBe(true)
    }

    for (let place = 0; place < right.length; place += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(right)
        changed[place] = (changed[place] ?? 0) ^ (1 << bit)
        refuses(changed)
      }
      refuses(right.subarray(0, place)) // cut off
      refuses(Buffer.concat([right.subarray(0, place), right.subarray(place + 1)])) // a byte lost
      refuses(Buffer.concat([right.subarray(0, place), Buffer.from(' '), right.subarray(place)])) // and one more
    }
    for (let place = 0; place < frames.length; place += 1) {
      refuses(Buffer.concat(frames.toSpliced(place, 1)))
      for (let to = 0; to <= frames.length; to += 1) {
        refuses(Buffer.concat(frames.toSpliced(to, 0, frames[place] as Buffer)))
        for (const strange of [again.said['>'], other.said['>'], first.said['<']]) {
          refuses(Buffer.concat(frames.toSpliced(to, 0, strange[place % strange.length] as Buffer)))
          refuses(Buffer.concat(frames.toSpliced(to, 1, strange[place % strange.length] as Buffer)))
        }
      }
      for (let to = place + 1; to < frames.length; to += 1) {
        const swapped = [...frames]
        ;[swapped[place], swapped[to]] = [frames[to] as Buffer, frames[place] as Buffer]
        refuses(Buffer.concat(swapped))
      }
    }
    for (const strange of [again.said['>'], other.said['>'], first.said['<']]) refuses(Buffer.concat(strange))

    // Several changes at once, at random, in pieces that are cut anywhere.
    const change = fc.record({
      from: fc.nat(right.length - 1),
      length: fc.nat(300),
      to: fc.nat(right.length),
      byte: fc.nat(255),
      kind: fc.constantFrom('remove', 'copy', 'set'),
    })
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(right.length), { maxLength: 5 }),
        (changes, cuts) => {
          let changed = Buffer.from(right)
          for (const { kind, from, to, length, byte } of changes) {
            const piece = changed.subarray(from, from + length)
            if (kind === 'remove')
              changed = Buffer.concat([changed.subarray(0, from), changed.subarray(from + length)])
            else if (kind === 'copy')
              changed = Buffer.concat([changed.subarray(0, to), piece, changed.subarray(to)])
            else if (from < changed.length) changed[from] = byte
          }
          if (changed.equals(right)) return
          refuses(changed, cuts)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('nothing is accepted in a connection over real sockets', async () => {
    const listening = await signingListener()
    const between = await tap(listening.port)
    const node = await listening.arrives('pi-3', between.port)
    await says(node, 'reboot')
    await listening.hears('pi-3: says "reboot"')
    await node.close()
    const [hello, ...rest] = framesOf(between.recording.toListener) as [Buffer, ...Buffer[]]
    const all = Buffer.concat(rest)
    const streams = [
      all,
      Buffer.concat([hello, all]),
      ...rest,
      Buffer.concat(rest.toReversed()),
      Buffer.concat(framesOf(between.recording.toNode).slice(1)),
      Buffer.from('{"type":"says","payload":"x"}\r'),
    ]
    for (const stream of streams) {
      const thief = await stranger(listening.port)
      thief.socket.write(hello)
      await thief.hears(/^\{"type":"hello"/)
      thief.socket.write(stream)
      await thief.hears(/"type":"refused"/)
      thief.socket.destroy()
    }
    expect(listening.heard).toHaveLength(1)
    expect(listening.lines().filter((line) => line.startsWith('Refused a frame'))).toHaveLength(
      streams.length,
    )
  })
})

test('what is wrong is an error of its own kind', async () => {
  const bytes = Buffer.alloc(32, 1)
  const agreed = { key: bytes, node: 'pi', connecting: bytes, listening: bytes }
  const layer = new SignedFrames(agreed, '<', 'pi at home')
  const said = new SignedFrames(agreed, '>', 'the primary')
  layer.checkProof(Buffer.from(said.proof().slice(0, -1)))
  const frame = Buffer.from(said.outgoing('{}\r', 'latin1') as string)
  expect(layer.incoming(Buffer.concat([frame, frame])).toString()).toBe('{}\r')
  expect(layer.failure).toBeInstanceOf(SignatureError)
  expect(layer.failure).toMatchObject({ kind: 'same connection again' })
  expect(() => said.outgoing('{}', 'latin1')).toThrow(TypeError)
})
