import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, rm } from 'node:fs/promises'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { acceptByKey } from '../src/encrypted-listening.ts'
import { newKey, readKeyFile, writeKeyFile } from '../src/key-files.ts'
import { addKey, revokeKey, rotateKey } from '../src/keys.ts'
import { handleMessages, send } from '../src/messages.ts'
import { fingerprintOf } from '../src/secure-sockets.ts'
import { ShownKey } from '../src/shown-key.ts'
import { connect, listen } from '../src/sockets.ts'
import { tlsIdentityOf, tlsKeyOf } from '../src/tls-keys.ts'
import { certificates, hasOpenssl, listenTls } from './certificates.ts'
import { aPrimary, echo, echoed, HOST, onTheWay, PATIENCE } from './secure-support.ts'
import { portOf, recordingLog, stopAfterTest, tempFolder } from './support.ts'

/** Whom TLS itself connects, as a stranger's program would. Resolves with what ends it, if anything does. */
async function strangerIsRefused(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connectTls({
    port,
    host: HOST,
    minVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
    ...options,
  })
  socket.resume()
  return new Promise((resolve) => {
    socket
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .on('close', () => resolve('closed'))
  })
}

const byKey = (identity: string, psk: Buffer): ConnectionOptions => ({
  ciphers: 'TLS_AES_128_GCM_SHA256',
  pskCallback: () => ({ identity, psk }),
})

describe('a node with a key', () => {
  test('speaks TLS 1.3 with the primary, which knows it by its name', async () => {
    const primary = await aPrimary()
    const connection = await primary.connect('pi-1')
    await echoed(connection, 'hello, ü')
    expect(primary.peers.map(({ node }) => node)).toEqual(['pi-1'])
    const socket = connection.socket as TLSSocket
    expect(socket.getProtocol()).toBe('TLSv1.3')
    expect(socket.getCipher().name).toBe('TLS_AES_128_GCM_SHA256')
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ type: 'ECDH', name: 'X25519' })
    await connection.close()
    await vi.waitFor(() => expect(primary.listener.connections.size).toBe(0), PATIENCE)
    expect(primary.lines().slice(1)).toEqual([])
  })

  test('and nobody on the way reads what they say, but whose key it is', async () => {
    const primary = await aPrimary()
    const way = await onTheWay(primary.port)
    const connection = await primary.connect('pi-1', { port: way.port })
    const text = 'the temperature is 48.3'
    for (let count = 0; count < 20; count += 1) await echoed(connection, text)
    for (const bytes of [way.toPrimary(), way.toSecondary()]) {
      expect(bytes.length).toBeGreaterThan(20 * text.length)
      expect(bytes.includes('temperature')).toBe(false)
      expect(bytes.includes(Buffer.from(text, 'utf16le'))).toBe(false)
    }
    const { keys } = await readKeyFile(primary.fileOf('pi-1'))
    const key = Buffer.from(keys[0]?.key ?? '', 'base64url')
    expect(way.toPrimary().includes(tlsIdentityOf('pi-1', key))).toBe(true)
    expect(way.toPrimary().includes(key)).toBe(false)
    expect(way.toPrimary().includes(tlsKeyOf(key))).toBe(false)
  })

  test('waits for the primary that does not read, and is cut off by it when it does not', async () => {
    const primary = await aPrimary({ serve: (peer) => once(peer.socket, 'close').then(() => {}) })
    const connection = await primary.connect('pi-1')
    const flood = async () => {
      for (;;) {
        void connection.write(Buffer.alloc(64 * 1024))
        await sleep(0)
      }
    }
    await expect(flood()).rejects.toThrow(
      /^Cut off the primary at \S+: it does not read, and \d+ bytes wait for it\.$/,
    )
  })

  test('is told all that was said before the connection was closed', async () => {
    const text = 'x'.repeat(3_000_000)
    const primary = await aPrimary({ serve: async (peer) => void (await peer.write(text)) })
    const connection = await primary.connect('pi-1')
    let heard = 0
    for await (const piece of connection) heard += piece.length
    expect(heard).toBe(text.length)
  })

  test('sends and gets messages of any size', async () => {
    const sizes: number[] = []
    const maxFrameBytes = 9 * 1024 * 1024
    const primary = await aPrimary({
      serve: (peer) =>
        handleMessages(peer, { text: (text) => void sizes.push(String(text).length) }, () => {}, {
          maxFrameBytes,
        }),
    })
    const connection = await primary.connect('pi-1', { maxWaitingBytes: 2 * maxFrameBytes })
    for (const size of [0, 1, 16_384, 16_385, 8 * 1024 * 1024])
      await send(connection, 'text', 'x'.repeat(size), { maxFrameBytes })
    await connection.close()
    await vi.waitFor(() => expect(sizes).toEqual([0, 1, 16_384, 16_385, 8 * 1024 * 1024]), PATIENCE)
  })
})

describe('who has not the key of a node', () => {
  test('and says its name is refused, by that name', async () => {
    const primary = await aPrimary()
    const [key = Buffer.alloc(0)] = primary.keys.keysOf('pi-1')
    const why = await strangerIsRefused(primary.port, byKey(tlsIdentityOf('pi-1', key), randomBytes(32)))
    expect(why).toMatch(/ALERT_(ILLEGAL_PARAMETER|DECRYPT_ERROR)$/)
    await primary.says(/^The secondary at \S+ is refused: it says that it is pi-1, and has not its key\.$/)
    expect(primary.peers).toEqual([])
  })

  test('and has another key by that name is told both fingerprints, at both ends', async () => {
    const primary = await aPrimary()
    const file = join(tempFolder(), 'pi-1.key')
    const key = newKey()
    await writeKeyFile(file, { node: 'pi-1', keys: [key] })
    const own = fingerprintOf(Buffer.from(key.key, 'base64url'))
    const known = fingerprintOf(primary.keys.keysOf('pi-1')[0] as Buffer)
    await expect(primary.connect('pi-1', { file })).rejects.toThrow(
      `The primary at ${HOST}:${primary.port} does not take the key ${own} of pi-1. Does it know it? Compare it with what \`keys list\` says there.`,
    )
    await primary.says(new RegExp(`is refused: pi-1 has the key ${known} here, and not ${own}\\.$`))
    expect(primary.lines().join()).not.toContain(key.key)
  })

  test('and is no node that is known is refused, and so is who shows no key, or something else as its name', async () => {
    const primary = await aPrimary()
    const key = randomBytes(32)
    for (const [identity, why] of [
      [tlsIdentityOf('pi-9', key), 'there is no key of pi-9 here, or none that holds'],
      ['pi-1', 'what it shows is no name of a key'],
      ['../keys/pi-1/00000000', 'what it shows is no name of a key'],
      ['__proto__/00000000', 'there is no key of __proto__ here, or none that holds'],
    ] as const) {
      await strangerIsRefused(primary.port, byKey(identity, key))
      await primary.says(new RegExp(`^The secondary at \\S+ is refused: ${why.replaceAll('.', '\\.')}\\.$`))
    }
    await strangerIsRefused(primary.port, { rejectUnauthorized: false })
    await primary.says(/^The secondary at \S+ is refused: it shows no key\.$/)
    expect(primary.peers).toEqual([])
  })

  test.runIf(hasOpenssl)('but a certificate, is not taken for the primary', async () => {
    const primary = await aPrimary()
    const { primary: files } = certificates()
    const impostor = await listenTls(files)
    await expect(primary.connect('pi-1', { port: impostor })).rejects.toThrow(
      `The primary at ${HOST}:${impostor} shows a certificate, and does not prove that it knows the key of pi-1.`,
    )
  })
})

describe('a connection cannot be had by', () => {
  test.each([
    ['a ticket', false, 'it shows no key'],
    ['a ticket, not even where TLS takes it', true, 'it comes by a ticket of an earlier connection'],
  ])('%s', async (_, takesTickets, why) => {
    const tickets = { ticketKeys: randomBytes(48), ...(takesTickets && { secureOptions: 0 }) }
    const primary = await aPrimary({
      secure: (socket, about) => acceptByKey(socket, about, primary.keys, tickets),
      serve: (peer) => echo(peer),
    })
    const [key = Buffer.alloc(0)] = primary.keys.keysOf('pi-1')
    let session: Buffer | undefined
    const first = connectTls({
      port: primary.port,
      host: HOST,
      checkServerIdentity: () => undefined,
      ...byKey(tlsIdentityOf('pi-1', key), tlsKeyOf(key)),
    })
    first.on('session', (ticket) => {
      session = ticket
    })
    first.write('hello')
    await once(first, 'data')
    await vi.waitFor(() => expect(session).toBeDefined(), PATIENCE)
    first.destroy()
    expect(primary.peers).toHaveLength(1)
    await rm(primary.fileOf('pi-1'))
    await primary.keys.look()
    await strangerIsRefused(primary.port, {
      session,
      pskCallback: () => null,
      ciphers: 'TLS_AES_128_GCM_SHA256',
    } as ConnectionOptions)
    await primary.says(new RegExp(`is refused: ${why}`))
    expect(primary.peers).toHaveLength(1)
  })

  test('what was recorded of another', async () => {
    const primary = await aPrimary()
    const way = await onTheWay(primary.port)
    const connection = await primary.connect('pi-1', { port: way.port })
    await echoed(connection, 'open the door')
    await connection.close()
    const again = openSocket(primary.port, HOST)
    again.end(way.toPrimary())
    again.resume()
    await once(again, 'close')
    await primary.says(
      /is refused: it says that it is pi-1, and has not its key, or plays back what was recorded\.$/,
    )
    expect(primary.peers).toHaveLength(1)
  })

  test('a piece that is played back in its own connection', async () => {
    const heard: string[] = []
    const primary = await aPrimary({
      serve: async (peer) => {
        for await (const text of peer) heard.push(text)
      },
    })
    let repeats = false
    const way = await onTheWay(primary.port, (chunk) => (repeats ? Buffer.concat([chunk, chunk]) : chunk))
    const connection = await primary.connect('pi-1', { port: way.port })
    await connection.write('first ')
    await vi.waitFor(() => expect(heard).toEqual(['first ']), PATIENCE)
    repeats = true
    await connection.write('open the door')
    await primary.says(/^Lost the connection to pi-1 at \S+: what came was changed on the way/)
    expect(heard.join('')).toBe('first open the door')
  })

  test('an older version of TLS, nor by changing what a node offers', async () => {
    const primary = await aPrimary()
    const [key = Buffer.alloc(0)] = primary.keys.keysOf('pi-1')
    const options = { ...byKey(tlsIdentityOf('pi-1', key), tlsKeyOf(key)), ciphers: 'PSK-AES128-GCM-SHA256' }
    await strangerIsRefused(primary.port, { ...options, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    await primary.says(/is refused: it speaks an older TLS than 1\.3\.$/)
    // What says that it speaks 1.3 becomes something that no one knows.
    const way = await onTheWay(primary.port, (chunk) => {
      const at = chunk.indexOf(Buffer.from('002b0003020304', 'hex'))
      if (at >= 0) chunk[at + 1] = 0xff
      return chunk
    })
    await expect(primary.connect('pi-1', { port: way.port })).rejects.toThrow(
      /find no way to encrypt|ended the connection/,
    )
    expect(primary.peers).toEqual([])
  })
})

describe('an end that does not encrypt', () => {
  test('is told so where the other does', async () => {
    const primary = await aPrimary()
    const { signal: stop } = stopAfterTest()
    const connection = await connect({ peer: 'primary', host: HOST, port: primary.port, stop })
    await send(connection, 'message', 'hello')
    const refused = vi.fn()
    void handleMessages(connection, { refused }, () => {}).catch(() => {})
    await vi.waitFor(() => expect(refused).toHaveBeenCalled(), PATIENCE)
    expect(refused.mock.lastCall?.[0]).toBe('This port is for encrypted connections only.')
    await primary.says(
      /^The secondary at \S+ is refused: it does not encrypt, and this port is for encrypted connections only\./,
    )
    expect(primary.peers).toEqual([])
  })

  test('and listens is known by the one that does', async () => {
    const { signal: stop } = stopAfterTest()
    const { log, records } = recordingLog()
    const port = portOf(
      await listen({ peer: 'secondary', host: HOST, port: 0, stop, log }, (peer) =>
        handleMessages(peer, {}, () => {}),
      ),
    )
    const primary = await aPrimary()
    await expect(primary.connect('pi-1', { port })).rejects.toThrow(
      `The primary at ${HOST}:${port} ended the connection in the handshake. Does it encrypt? Its log says why.`,
    )
    await vi.waitFor(
      () =>
        expect(records.map(({ msg }) => msg)).toEqual([
          expect.stringMatching(/^A frame from the secondary at \S+ is not JSON: its sender encrypts/),
        ]),
      PATIENCE,
    )
  })

  test.each([
    [
      'answers',
      (socket: Socket) => socket.write('{"type":"x"}\r'),
      /does not encrypt: what it answers is no TLS/,
    ],
    ['says nothing', () => {}, /takes the connection, and does not answer the handshake\. Does it encrypt\?/],
    ['resets', (socket: Socket) => socket.resetAndDestroy(), /ended the connection in the handshake/],
  ] as const)('and %s is told', async (_, answer, line) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => void answer(socket))
    })
    await once(server.listen(0, HOST), 'listening')
    onTestFinished(() => void server.close())
    const primary = await aPrimary()
    const { port } = server.address() as { port: number }
    await expect(primary.connect('pi-1', { port, timeoutMs: 500 })).rejects.toThrow(line)
  })
})

describe('a key that is taken away', () => {
  test('ends the connections of its node at once, and of no other', async () => {
    const primary = await aPrimary()
    const [one, other] = [await primary.connect('pi-1'), await primary.connect('pi-2')]
    await Promise.all([echoed(one, 'one'), echoed(other, 'other')])
    const ended = once(one.socket, 'close')
    one.socket.resume()
    await revokeKey({ folder: primary.folder, node: 'pi-1' })
    await ended
    await primary.says(/^The key of pi-1 was revoked: its connection from \S+ is cut\.$/)
    await echoed(other, 'still here')
    expect(primary.listener.connections.size).toBe(1)
  })

  test('and replaced in the same moment does so as well', async () => {
    const primary = await aPrimary()
    const { folder } = primary
    const connection = await primary.connect('pi-1')
    await echoed(connection, 'hello')
    const ended = once(connection.socket, 'close')
    connection.socket.resume()
    await writeKeyFile(primary.fileOf('pi-1'), { node: 'pi-1', keys: [newKey()] })
    await ended
    await primary.says(/^The key of pi-1 was revoked/)
    await echoed(await primary.connect('pi-1'), 'hello again')
    expect(folder).toBe(primary.folder)
  })

  test('lets nobody in any more', async () => {
    const primary = await aPrimary()
    const file = join(tempFolder(), 'pi-1.key')
    await copyFile(primary.fileOf('pi-1'), file)
    await revokeKey({ folder: primary.folder, node: 'pi-1' })
    await vi.waitFor(() => expect(primary.keys.nodes).toEqual(['pi-2']), PATIENCE)
    await expect(primary.connect('pi-1', { file })).rejects.toThrow(/does not take the key/)
    await addKey({ folder: primary.folder, node: 'pi-1' })
    await vi.waitFor(() => expect(primary.keys.nodes).toContain('pi-1'), PATIENCE)
    await expect(primary.connect('pi-1', { file })).rejects.toThrow(/does not take the key/)
  })
})

test('a key that is taken away between its proof and the end of the handshake is none', async () => {
  const { keys, fileOf } = await aPrimary()
  const [key = Buffer.alloc(0)] = keys.keysOf('pi-1')
  const shown = new ShownKey(keys)
  expect(shown.take(tlsIdentityOf('pi-1', key))).toEqual(tlsKeyOf(key))
  expect(shown.proven).toEqual({ node: 'pi-1', key })
  await rm(fileOf('pi-1'))
  await keys.look()
  expect(shown.proven).toBeUndefined()
})

test('of several keys that are shown in one handshake none is taken, and not many are looked for', async () => {
  const { keys } = await aPrimary()
  const identityOf = (node: string) => tlsIdentityOf(node, keys.keysOf(node)[0] as Buffer)
  const two = new ShownKey(keys)
  two.take(identityOf('pi-1'))
  expect(two.take(identityOf('pi-2'))).toBe(null)
  expect([two.proven, two.problem]).toEqual([undefined, 'it shows more than one key'])
  const many = new ShownKey(keys)
  for (let count = 0; count < 4; count += 1) expect(many.take(`pi-${count}/00000000`)).toBe(null)
  expect(many.take(identityOf('pi-1'))).toBe(null)
  expect(many.problem).toBe('it tries one key after the other')
})

describe('a key that is rotated', () => {
  test('loses no connection; both hold for a while, and the older one not for longer', async () => {
    const primary = await aPrimary()
    const elsewhere = join(tempFolder(), 'pi-1.key')
    await copyFile(primary.fileOf('pi-1'), elsewhere)
    const before = await primary.connect('pi-1')
    await echoed(before, 'before')
    const { fingerprint, olderUntil } = await rotateKey({
      folder: primary.folder,
      node: 'pi-1',
      overlapMs: 60_000,
    })
    await vi.waitFor(() => expect(primary.keys.keysOf('pi-1')).toHaveLength(2), PATIENCE)
    await echoed(await primary.connect('pi-1'), 'by the new one')
    await echoed(await primary.connect('pi-1', { file: elsewhere }), 'by the older one')
    const older = fingerprintOf(primary.keys.keysOf('pi-1')[1] as Buffer)
    expect(older).not.toBe(fingerprint)
    await primary.says(
      `pi-1 comes by its older key ${older}, which holds until ${olderUntil}: its new file is to be copied there.`,
    )
    await rotateKey({ folder: primary.folder, node: 'pi-1', overlapMs: 0 })
    await vi.waitFor(() => expect(primary.keys.keysOf('pi-1')).toHaveLength(1), PATIENCE)
    await expect(primary.connect('pi-1', { file: elsewhere })).rejects.toThrow(/does not take the key/)
    await echoed(before, 'after')
    expect(before.socket.destroyed).toBe(false)
  })

  test('ends when its only key has ended', async () => {
    const primary = await aPrimary()
    const connection = await primary.connect('pi-1')
    await echoed(connection, 'hello')
    const { keys } = await readKeyFile(primary.fileOf('pi-1'))
    const ended = keys.map((key) => ({ ...key, until: new Date(Date.now() - 1000).toISOString() }))
    await writeKeyFile(primary.fileOf('pi-1'), { node: 'pi-1', keys: ended })
    connection.socket.resume()
    await once(connection.socket, 'close')
    await primary.says(/^The key of pi-1 was revoked/)
  })
})

describe('newcomers', () => {
  test('that say half a greeting, or nothing, keep nobody else out', async () => {
    const primary = await aPrimary({ perSource: 2, timeoutMs: 3_000 })
    const half = Buffer.from('16030101000100', 'hex')
    const strangers = Array.from({ length: 40 }, (_, count) => {
      const socket = openSocket({ port: primary.port, host: HOST, localAddress: '127.0.0.2' })
      socket.on('error', () => {})
      if (count % 2 === 0) socket.write(half)
      return socket
    })
    onTestFinished(() => strangers.forEach((socket) => void socket.destroy()))
    await Promise.all(strangers.map((socket) => once(socket, 'connect')))
    await echoed(await primary.connect('pi-1'), 'hello')
    expect(strangers.every((socket) => !socket.destroyed)).toBe(true)
  })

  test('that prove at once who they are are no more than the limit of connections', async () => {
    const primary = await aPrimary({ maxConnections: 2 })
    await Promise.all(Array.from({ length: 6 }, () => primary.connect('pi-1')))
    await primary.says(/^Turned away \S+: the limit of open connections is 2$/)
    await vi.waitFor(
      () => expect(primary.lines().filter((line) => /^Turned away/.test(line))).toHaveLength(4),
      PATIENCE,
    )
    expect(primary.peers).toHaveLength(2)
  })

  test('may not say more than little', async () => {
    const primary = await aPrimary({ maxBytes: 1_000 })
    const socket = openSocket(primary.port, HOST)
    socket.on('error', () => {})
    // A greeting of TLS that never ends: a record of 16 KiB, that says it is the first of many.
    socket.write(Buffer.concat([Buffer.from('160301400001007fff0303', 'hex'), Buffer.alloc(10_000)]))
    await once(socket, 'close')
    await primary.says(/has said more than 1000 bytes before it has proven who it is/)
  })
})

describe.runIf(hasOpenssl)('openssl', () => {
  /** Runs s_client with a key, says something, and gives what it prints. */
  async function sClient(port: number, identity: string, psk: Buffer, ...args: string[]): Promise<string> {
    const client = spawn('openssl', [
      's_client',
      ...['-connect', `${HOST}:${port}`, '-tls1_3', '-psk_identity', identity, '-psk', psk.toString('hex')],
      ...args,
    ])
    onTestFinished(() => void client.kill('SIGKILL'))
    let printed = ''
    for (const stream of [client.stdout, client.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text
        if (printed.includes('hello from openssl')) client.kill()
      })
    client.stdin.on('error', () => {}).write('hello from openssl\n')
    await once(client, 'close')
    return printed
  }

  test.each([
    ['with X25519', true, []],
    ['that has to be told of X25519', true, ['-groups', 'P-256:X25519']],
    ['without X25519', false, ['-groups', 'P-256']],
    [
      'without any, so that what is said now can be read when the key is lost later',
      false,
      ['-allow_no_dhe_kex', '-groups', 'P-256'],
    ],
    ['with another cipher', false, ['-ciphersuites', 'TLS_AES_256_GCM_SHA384']],
  ] as const)('%s', async (_, isServed, args) => {
    const primary = await aPrimary()
    const [key = Buffer.alloc(0)] = primary.keys.keysOf('pi-2')
    const printed = await sClient(primary.port, tlsIdentityOf('pi-2', key), tlsKeyOf(key), ...args)
    expect(printed.includes('hello from openssl')).toBe(isServed)
    expect(primary.peers.map(({ node }) => node)).toEqual(isServed ? ['pi-2'] : [])
    if (!isServed) await primary.says(/ is refused: /)
  })
})
