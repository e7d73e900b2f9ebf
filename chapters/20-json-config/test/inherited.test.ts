import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChapterCopy, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

/** What the page of a web server has. */
async function page(chapter: ChapterCopy, path: string): Promise<string> {
  const [port] = chapter.portsOf('webserver')
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  expect(response.status).toBe(200)
  return response.text()
}

test('the primary still serves who came before: old names, texts, questions, topics of both kinds', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  const uuid = '0123456789abcdef0123456789abcdef'
  const former = await sayTo(
    chapter.port,
    frame('machine_details', { hostname: 'old', client: 7, uuid }) + frame('message', 'I am still alive'),
  )
  await primary.says(/ old #7 has joined, from /)
  await primary.says(/ Received message from old #7: I am still alive$/)
  await vi.waitFor(async () => {
    const other = await sayTo(
      chapter.port,
      frame('info', 'secondary_details', { id: 1 }) + frame('info', 'node_baseinfo', { id: 2 }),
    )
    await other.hears(/"id":2\}\r/)
    expect(other.heard).toContain(`"payload":{"${uuid}":{"uuid":"${uuid}","address":"127.0.0.1:`)
  }, PATIENCE)
  await primary.says(/ 127\.0\.0\.1:\d+ wants to know my node_baseinfo$/)

  const follower = await sayTo(
    chapter.port,
    ['roster', 'alarms', 'command', 'constructor'].map((topic) => frame('subscribe', topic)).join(''),
  )
  await follower.hears(/\{"type":"roster",[^\r]*"old #7"/)
  await follower.hears(/\{"type":"alarms",/)
  await primary.says(/ subscribes to constructor, and there is no such topic$/)
  expect(primary.messages.filter((line) => line.includes('no such topic'))).toHaveLength(1)
  const asker = await sayTo(chapter.port, frame('info', 'everyone', { about: 'name', id: 7 }))
  await follower.hears(/\{"type":"command","payload":\{"id":1,"command":"name"\}\}\r/)
  await follower.leaves() // who is gone is not waited for
  await asker.hears(/"id":7\}\r/)
  expect(former.heard).toBe('')
})

test('all together: a secondary measures and obeys, the page shows its vitals and its alarms', async ({
  chapter,
}) => {
  const config = readFileSync(join(chapter.folder, 'rpicluster.json'), 'utf8')
  await chapter.write('rpicluster.json', config.replace(/"vitals_seconds": \d+/, '"vitals_seconds": 5'))
  const primary = await chapter.run('primary')
  const webserver = await chapter.run('webserver')
  const secondary = await chapter.run('secondary')
  await primary.says(/ Received vitals from \S+ #\d+: \{"cpu_percentage":[^\r]*"disk_used":/)
  const [, number] = /as client (\d+)/.exec(secondary.messages.join('\n')) ?? []
  await sayTo(
    chapter.port,
    frame('node_baseinfo', { hostname: 'pi', client: 7 }) + frame('vitals', { cpu_temperature: 99 }),
  )
  await webserver.says(/Connected to/)
  await vi.waitFor(async () => {
    expect(await page(chapter, '/')).toMatch(/pi #7.* is hot: 99 °C, since /)
    const charts = await page(chapter, '/vitals?tables=yes')
    for (const text of [`#${number}`, 'Disk in use, %</h2>']) expect(charts).toContain(text)
  }, PATIENCE)

  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  expect(everyone.messages).toEqual([
    expect.stringMatching(new RegExp(` #${number}, after [\\d.]+ ms: I am \\S+ #${number}$`)),
  ])
})

test('to a master of before a secondary says nothing that it would not know', async ({ chapter }) => {
  const master = await chapter.standIn()
  const secondary = await chapter.run('secondary')
  await master.receives(/"payload":"uuid","id":1\}\r/)
  master.says(frame('bad_message', 'unknown', { id: 1 }))
  await master.receives(/"payload":"node_baseinfo","id":2\}\r/)
  master.says(frame('bad_message', 'unknown', { id: 2 }))
  await master.receives(/"payload":"computer_details","id":3\}\r/)
  master.says(frame('master_info', { hostname: 'old' }, { id: 3 }))
  // It introduces itself, and its next words are its beat.
  await master.receives(
    /"type":"computer_details","payload":\{[^\r]*\}\r\{"type":"info","payload":"computer_details"\}\r/,
  )
  master.says(frame('master_info', { hostname: 'old' }))
  await secondary.says(/We have information about the primary: \{"hostname":"old"\}$/)
})
