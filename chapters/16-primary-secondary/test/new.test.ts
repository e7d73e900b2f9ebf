import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChapterCopy, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

/** Gives a chapter the configuration of the chapter before: the same ports, under the names of then. */
async function writeOldConfig(chapter: ChapterCopy): Promise<void> {
  const file = join(chapter.folder, 'rpicluster.cfg')
  const old = readFileSync(file, 'utf8')
    .replace('[primary]', '[master]')
    .replace('[secondary]', '[slave]')
    .replace('primary_ip =', 'master_ip =')
  await chapter.write('rpicluster.cfg', old)
}

/** The number of the line of a chapter's configuration that is this one. */
function lineOf(chapter: ChapterCopy, line: string): number {
  const lines = readFileSync(join(chapter.folder, 'rpicluster.cfg'), 'utf8').split('\n')
  return lines.findIndex((one) => one.startsWith(line)) + 1
}

const question = (payload: string, id: number) => `${JSON.stringify({ type: 'info', payload, id })}\r`

test('the programs, their logs and the page have the new names', async ({ chapter }) => {
  expect(chapter.chapter.programs.map(({ name }) => name)).toEqual(['primary', 'secondary', 'webserver'])
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  const webserver = await chapter.run('webserver')
  await secondary.says(/INFO \(secondary\): We have information about the primary: \{/)
  await webserver.says(/Serving the page on/)
  const [port] = chapter.portsOf('webserver')
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  const shows = (path: string, text: RegExp | string) =>
    vi.waitFor(async () => expect(await get(path)).toMatch(text), PATIENCE)
  await shows('/', /The primary is here/)
  // Who had the former address of the API in a program goes on.
  for (const path of ['/api/primary', '/api/master'])
    expect(JSON.parse(await get(path))).toMatchObject({
      state: 'here',
      details: { hostname: expect.any(String) },
    })
  for (const program of [primary, secondary, webserver])
    expect(program.lines.filter((line) => /WARN|[Mm]aster|[Ss]lave/.test(line))).toEqual([])
  const { uuid } = JSON.parse(readFileSync(join(chapter.folder, 'state/secondary.json'), 'utf8'))
  await shows('/api/nodes', `"uuid":"${uuid}"`)
  await primary.stop()
  await shows('/', /The primary is gone/)
})

test('a configuration of before is read, and each former name is told with its line', async ({ chapter }) => {
  await writeOldConfig(chapter)
  const path = join(chapter.folder, 'rpicluster.cfg')
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await secondary.says(/We have information about the (primary|master)/)
  expect(primary.messages[0]).toBe(
    `${path}:${lineOf(chapter, '[master]')} [master] is called [primary] now. It is read as before; write [primary].`,
  )
  expect(secondary.messages.slice(0, 2)).toEqual([
    `${path}:${lineOf(chapter, '[slave]')} [slave] is called [secondary] now. It is read as before; write [secondary].`,
    `${path}:${lineOf(chapter, 'master_ip')} [secondary] master_ip is called primary_ip now. It is read as before; write primary_ip.`,
  ])
})

test('a slave that is a secondary now has the identity that it had', async ({ chapter }) => {
  const uuid = '0123456789abcdef0123456789abcdef'
  mkdirSync(join(chapter.folder, 'state'))
  writeFileSync(join(chapter.folder, 'state/slave.json'), JSON.stringify({ uuid }))
  await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await secondary.says(/We have information about the (primary|master)/)
  expect(existsSync(join(chapter.folder, 'state/secondary.json'))).toBe(true)
  expect(JSON.parse(readFileSync(join(chapter.folder, 'state/secondary.json'), 'utf8'))).toEqual({ uuid })
})

test('the primary answers each in the names that it knows', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  /** What the answer to a question is called. Each is asked on a connection of its own, so that it alone can show a name. */
  const answerTo = async (said: string, asked: string) => {
    const peer = await sayTo(chapter.port, `${said}\r${question(asked, 1)}`)
    await peer.hears(/"id":1\}\r/)
    return /\{"type":"(\w+)"/.exec(peer.heard)?.[1]
  }
  const old = '{"type":"computer_details","payload":{"hostname":"old","client":1}}'
  const now = '{"type":"computer_details","payload":{"hostname":"now","client":2,"names":"primary"}}'
  // One of chapter 06 calls its greeting otherwise, too.
  const older =
    '{"type":"machine_details","payload":{"hostname":"older","client":3}}\r{"type":"message","payload":"alive"}'
  expect([
    await answerTo(old, 'computer_details'),
    await answerTo(old, 'slave_details'),
    await answerTo(older, 'computer_details'),
    await answerTo(now, 'computer_details'),
    await answerTo(now, 'secondary_details'),
  ]).toEqual(['master_info', 'slave_details', 'master_info', 'primary_info', 'secondary_details'])
  expect(primary.messages).toContain('Received message from older #3: alive')
  expect(primary.messages.filter((line) => /Unknown/.test(line))).toEqual([])
})

test('a secondary understands a master, and asks it in its own names', async ({ chapter }) => {
  const standIn = await chapter.standIn()
  const webserver = await chapter.run('webserver')
  await standIn.receives(/"payload":"uuid","id":1\}\r/)
  standIn.says('{"type":"bad_message","payload":"unknown","id":1}\r')
  await standIn.receives(/"payload":"computer_details","id":2\}\r/)
  expect(standIn.received).toContain('"names":"primary"')
  standIn.says('{"type":"master_info","payload":{"hostname":"old"},"id":2}\r')
  await standIn.receives(/"payload":"secondary_details","id":3\}\r/)
  standIn.says('{"type":"bad_message","payload":"unknown","id":3}\r')
  await standIn.receives(/"payload":"slave_details","id":4\}\r/)
  standIn.says('{"type":"slave_details","payload":{"x":{"uuid":"x","address":"1.2.3.4:5"}},"id":4}\r')
  const [port] = chapter.portsOf('webserver')
  await vi.waitFor(
    async () =>
      expect(await (await fetch(`http://127.0.0.1:${port}/api/nodes`)).text()).toContain('1.2.3.4:5'),
    PATIENCE,
  )
  expect(webserver.messages.filter((line) => /Lost|Unknown|wrong answer/.test(line))).toEqual([])
})
