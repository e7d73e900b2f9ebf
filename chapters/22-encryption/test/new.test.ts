import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { ChapterCopy, freePort, type Running, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, onTestFinished, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const frame = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`

const SECONDS = { env: { RPI_CLUSTER_SECONDARY_VITALS_SECONDS: '5' } }

/** Runs the program that gives keys and takes them. */
async function keys(chapter: ChapterCopy, ...args: string[]): Promise<Running> {
  expect(existsSync(join(chapter.folder, 'src/keys.ts'))).toBe(true)
  const program = await chapter.run('keys', { args })
  await program.ends()
  return program
}

/** Passes on what two programs say, and records it. */
async function onTheWay(port: number) {
  const there: Buffer[] = []
  const back: Buffer[] = []
  const sockets: Socket[] = []
  const server = createServer((client) => {
    const behind = openSocket(port, '127.0.0.1')
    client.on('data', (piece) => void there.push(piece)).pipe(behind)
    behind.on('data', (piece) => void back.push(piece)).pipe(client)
    for (const socket of [client, behind]) sockets.push(socket.on('error', () => {}))
  })
  const own = await freePort()
  await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    led: (env = {}) => ({ env: { ...env, RPI_CLUSTER_SECONDARY_SOCKET_PORT: String(own) } }),
    there,
    back,
  }
}

/** Waits for what the primary says of who comes from an address. */
async function saidOf(primary: Running, address: string): Promise<string | undefined> {
  const from = new RegExp(`${address.replaceAll('.', String.raw`\.`)}\\b`)
  await primary.says(from)
  return primary.messages.find((line) => from.test(line))
}

test('on the wire stands whose key it is, and no word of what they say; said again it is refused', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  await primary.says(/ Listening on /) // before, the way would record a connection that nobody takes
  const way = await onTheWay(chapter.port)
  const secondary = await chapter.run('secondary', way.led(SECONDS.env))
  await secondary.says(/We have information about the primary/)
  await primary.says(/ Received vitals from secondary-1: \{"cpu_percentage":/)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  await secondary.says(/The primary says "name"/)
  const recorded = Buffer.concat(way.there)
  expect(recorded.toString('latin1')).toMatch(/secondary-1\/[0-9a-f]{8}/)
  for (const word of ['"type"', 'vitals', 'cpu_percentage', 'name"', 'primary_info', 'hostname'])
    expect(Buffer.concat([recorded, ...way.back]).includes(word)).toBe(false)

  await vi.waitFor(async () => {
    const again = await sayTo(chapter.port, recorded) // on a busy machine its time may be over first
    expect(await saidOf(primary, again.address)).toMatch(
      /is refused: it says that it is secondary-1, and has not its key, or plays back what was recorded\./,
    )
  }, PATIENCE)
})

test('somebody in the middle has nothing to show; what it says again ends the connection, and a new one is made', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  const port = await freePort()
  const attack = await chapter.run('attack', {
    env: { RPI_CLUSTER_ATTACK_PORT: String(port), RPI_CLUSTER_ATTACK_AFTER_SECONDS: '30' },
  })
  await attack.says(/speaks to the primary through here/)
  const secondary = await chapter.run('secondary', {
    env: { RPI_CLUSTER_SECONDARY_SOCKET_PORT: String(port) },
  })
  await secondary.says(/We have information about the primary/)
  await (await chapter.run('everyone', { args: ['name'] })).ends()
  await attack.says(/Saying again, to the primary: /)
  await secondary.says(/Connected to /, 2)
  expect(attack.lines.join('\n')).not.toContain('"type"')
  expect(attack.messages).toContainEqual(
    expect.stringMatching(/^The secondary says: \d+ bytes, .*secondary-1\//),
  )
  expect(attack.messages).toContainEqual(expect.stringMatching(/^The primary says: \d+ bytes, /))
  expect(secondary.messages).toContainEqual(
    expect.stringMatching(/: what came was changed on the way, or played back\.$/),
  )
  await primary.says(/ secondary-1 has joined, /, 2)
  await primary.says(/ is refused: it says that it is secondary-1, and has not its key/)
})

test('who has no key, another key, or an older TLS is refused, each by its reason', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  await primary.says(/ Listening on /)

  mkdirSync(join(chapter.folder, 'stolen'))
  const wrong = join(chapter.folder, 'stolen/secondary-2.key')
  const key = Buffer.alloc(32, 7).toString('base64url')
  const content = { node: 'secondary-2', keys: [{ key, since: new Date().toISOString() }] }
  writeFileSync(wrong, JSON.stringify(content), { mode: 0o600 })
  const liar = await chapter.run('secondary', { env: { RPI_CLUSTER_SECONDARY_KEY: wrong } })
  await primary.says(/secondary-2/, 2) // the first line says that it has a key
  expect(primary.messages.at(-1)).toMatch(
    /^The secondary at \S+ is refused: secondary-2 has the key [0-9a-f]{8} here, and not [0-9a-f]{8}\.$/,
  )
  await liar.stop()

  for (const [options, why] of [
    [{}, 'it shows no key'],
    [{ maxVersion: 'TLSv1.2' }, 'it speaks an older TLS than 1.3'],
  ] as const) {
    const socket = connectTls({ host: '127.0.0.1', port: chapter.port, ...options }).on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    const address = `127.0.0.1:${socket.localPort}`
    expect(await saidOf(primary, address)).toBe(`The secondary at ${address} is refused: ${why}.`)
    socket.destroy()
  }
})

test('who does not encrypt is told so, and so is who encrypts where nobody else does', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  await primary.says(/ Listening on /)
  const plain = await sayTo(chapter.port, frame('node_baseinfo', { hostname: 'pi', client: 7 }))
  await plain.hears(/\r/)
  expect(plain.heard).toBe(frame('refused', 'This port is for encrypted connections only.'))
  expect(await saidOf(primary, plain.address)).toMatch(/ is refused: it does not encrypt, /)

  const former = await ChapterCopy.make('20-json-config')
  onTestFinished(() => former.remove())
  const open = await former.run('primary')
  await open.says(/ Listening on /)
  const secondary = await chapter.run('secondary', {
    env: { RPI_CLUSTER_SECONDARY_SOCKET_PORT: String(former.port) },
  })
  await secondary.says(/127\.0\.0\.1:\d+ (?!as client)/)
  await open.says(/WARN/)
  expect(open.messages).toContainEqual(expect.stringMatching(/its sender encrypts \(it begins as TLS does\)/))
})

test('keys are added, listed, rotated without a lost connection, and revoked at once, while all runs', async ({
  chapter,
}) => {
  expect((await keys(chapter, 'list')).messages.join()).toMatch(/There are no keys yet/)
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  const other = await chapter.run('secondary', { copy: 2 })
  for (const each of [secondary, other]) await each.says(/We have information about the primary/)

  const added = await keys(chapter, 'add', 'pi-3')
  expect(added.messages.join()).toMatch(/^pi-3 has the key [0-9a-f]{8} now\. .*state\/keys\/pi-3\.key$/)
  const file = join(chapter.folder, 'state/keys/pi-3.key')
  const third = await chapter.run('secondary', { copy: 3, env: { RPI_CLUSTER_SECONDARY_KEY: file } })
  await primary.says(/ pi-3 has joined, /)
  await third.says(/We have information about the primary/)

  mkdirSync(join(chapter.folder, 'elsewhere'))
  const copy = join(chapter.folder, 'elsewhere/pi-3.key')
  writeFileSync(copy, readFileSync(file), { mode: 0o600 })
  const rotated = await keys(chapter, 'rotate', 'pi-3')
  expect(rotated.messages[1]).toMatch(/^The older one holds until \d{4}-/)
  const listed = (await keys(chapter, 'list')).messages
  const ofPi = listed.filter((line) => line.startsWith('pi-3 has the key '))
  expect(ofPi).toHaveLength(2)
  expect(ofPi[1]).toMatch(/, until \d{4}-/)
  expect(listed).toHaveLength(7)
  const text = readFileSync(file, 'utf8')
  for (const { key } of JSON.parse(text).keys) expect(listed.join()).not.toContain(key)
  await third.stop()
  expect(third.messages.join('\n')).not.toMatch(/Lost the connection/)

  const older = await chapter.run('secondary', { copy: 3, env: { RPI_CLUSTER_SECONDARY_KEY: copy } })
  await older.says(/We have information about the primary/)
  await primary.says(/pi-3 comes by its older key [0-9a-f]{8}, which holds until /)

  expect((await keys(chapter, 'revoke', 'pi-3')).messages).toEqual([
    'pi-3 has no key any more, and is cut off',
  ])
  await primary.says(/The key of pi-3 was revoked: its connection from \S+ is cut\./)
  await older.says(/ does not take the key [0-9a-f]{8} of pi-3\. /)
  await primary.says(/ is refused: there is no key of pi-3 here/)
  for (const each of [secondary, other]) expect(each.messages.join('\n')).not.toMatch(/Lost the connection/)

  const without = await keys(chapter, 'revoke')
  expect(without.messages).toEqual(['Say what to do with keys: list, add NAME, revoke NAME, or rotate NAME.'])
  expect(without.exitCode).toBe(1)
})
