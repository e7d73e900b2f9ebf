import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { ChapterCopy, freePort, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, onTestFinished, vi } from 'vitest'

const PATIENCE = { timeout: 40_000, interval: 20 }

const frame = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`

/** Starts somebody in the middle, and returns what leads a secondary there. */
async function inTheMiddle(chapter: ChapterCopy, port: number) {
  expect(existsSync(join(chapter.folder, 'src/attack.ts'))).toBe(true)
  const attackPort = await freePort()
  const env = { RPI_CLUSTER_SECONDARY_SOCKET_PORT: String(port), RPI_CLUSTER_ATTACK_PORT: String(attackPort) }
  const attack = await chapter.run('attack', { env })
  await attack.says(/speaks to the primary through here/)
  return { attack, attackPort, led: { env: { RPI_CLUSTER_SECONDARY_SOCKET_PORT: String(attackPort) } } }
}

test('the nodes of 20 obey what was recorded: a command, and the vitals of a time when all was well', async ({
  chapter,
}) => {
  const former = await ChapterCopy.make('20-json-config')
  onTestFinished(() => former.remove())
  const primary = await former.run('primary')
  const { attackPort, led } = await inTheMiddle(chapter, former.port)
  const secondary = await former.run('secondary', led)
  await secondary.says(/We have information about the primary/)

  const burning = connect(attackPort, '127.0.0.1')
  onTestFinished(() => void burning.destroy())
  await once(burning, 'connect')
  const uuid = '0123456789abcdef0123456789abcdef'
  burning.write(frame('node_baseinfo', { hostname: 'pi', client: 7, uuid }))
  burning.write(frame('subscribe', 'command') + frame('vitals', { cpu_temperature: 40 }))
  await primary.says(/Received vitals from pi #7: \{"cpu_temperature":40\}/)
  await vi.waitFor(async () => {
    burning.write(frame('vitals', { cpu_temperature: 99 })) // those that come too soon are not kept
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(primary.messages).toContainEqual(expect.stringMatching(/pi #7 is hot: 99/))
  }, PATIENCE)

  const everyone = await former.run('everyone', { args: ['name'] })
  await everyone.ends()
  await secondary.says(/The primary says "name"/, 2)
  await primary.says(/pi #7 \(2\) has joined|pi #7 at \S+ has come back, from/)
  await primary.says(/pi #7.* is hot no more: 40/)
})

test('the same recording is refused by both, each with its reason', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  const { led } = await inTheMiddle(chapter, chapter.port)
  const secondary = await chapter.run('secondary', led)
  await secondary.says(/We have information about the primary/)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  await secondary.says(/Refused a frame from the primary at \S+: it is number \d+, which has come already/)
  await primary.says(/Refused a frame from secondary-1 at \S+: it was signed for another connection, /)
  expect(secondary.messages.filter((line) => line.startsWith('The primary says "name"'))).toHaveLength(1)
  await secondary.says(/Connected to /, 2)
})

test('each node has a key that only its owner may read, and is called as its key is', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  await primary.says(/Listening on /)
  const folder = join(chapter.folder, 'state/keys')
  expect(existsSync(folder)).toBe(true)
  const files = readdirSync(folder).sort()
  expect(files).toEqual(
    ['everyone', 'secondary-1', 'secondary-2', 'secondary-3', 'webserver'].map((node) => `${node}.key`),
  )
  for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
  const first = await chapter.run('secondary', { copy: 1 })
  const second = await chapter.run('secondary', { copy: 2 })
  for (const each of [first, second]) await each.says(/We have information about the primary/)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  const names = everyone.messages.map((line) => /^(\S+), after [\d.]+ ms: I am /.exec(line)?.[1])
  expect(names.sort()).toEqual(['secondary-1', 'secondary-2'])
  await primary.says(/everyone says to everyone: name$/)

  chmodSync(join(folder, 'webserver.key'), 0o644)
  const webserver = await chapter.run('webserver')
  await webserver.ends()
  expect(webserver.messages.at(-1)).toMatch(/webserver\.key .*chmod 600 /)
  expect(webserver.exitCode).toBe(1)
})

test('who comes without a key is refused, and served from an address that may', async ({ chapter }) => {
  expect(readFileSync(join(chapter.folder, 'rpicluster.json'), 'utf8')).toContain('"unsigned":')
  const primary = await chapter.run('primary')
  await primary.says(/Listening on /)
  const stranger = await sayTo(chapter.port, frame('node_baseinfo', { hostname: 'pi', client: 7 }))
  await stranger.hears(/\r/)
  expect(stranger.heard).toMatch(/^\{"type":"refused","payload":"[^"]+"\}\r$/)
  await primary.says(/127\.0\.0\.1:\d+ .*unsigned/)
  await primary.stop()
  const open = await chapter.run('primary', { env: { RPI_CLUSTER_PRIMARY_UNSIGNED: '127.0.0.1' } })
  await open.says(/Listening on /)
  await sayTo(chapter.port, frame('node_baseinfo', { hostname: 'pi', client: 7 }))
  await open.says(/pi #7 has joined, from /)
})
