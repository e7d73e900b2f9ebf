import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { ask, configure, frame, historyOf, PATIENCE, valuesOf } from './support.ts'

const uuid = '0123456789abcdef0123456789abcdef'
const values = { cpu_percentage: 12.5, cpu_frequency: 1500, ram_free: 1024, swap_free: 0 }

test('a secondary sends its vitals again and again; the primary keeps them, also when it is killed, and tells their past', async ({
  chapter,
}) => {
  await configure(chapter, { vitals_seconds: 5 })
  const primary = await chapter.run('primary')
  expect((await ask(chapter, 'history', { vital: 'ram_free', from: 0, to: 1 })).type).toBe('history')
  await chapter.run('secondary')
  await primary.says(
    /INFO \(primary\): Received vitals from .* #\d+: \{"cpu_percentage":.*"swap_free":\d+\}$/,
    3,
  )
  const kept = async () => {
    const history = await historyOf(chapter, 'ram_free')
    expect(history.lines).toHaveLength(1)
    expect(history.lines[0]).toMatchObject({
      node: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: expect.stringMatching(/#\d+$/),
    })
    return history
  }
  const { lines } = await vi.waitFor(kept, PATIENCE)
  await primary.kill()
  await chapter.run('primary')
  const again = await kept()
  expect(again.lines[0]?.node).toBe(lines[0]?.node)
  expect(valuesOf(again).length).toBeGreaterThan(0)
})

test('vitals follow the base info, with a fraction or without, as Python needs them', async ({ chapter }) => {
  const primary = await chapter.standIn()
  await chapter.run('secondary')
  await primary.receives(/"id":1\}\r/)
  primary.says(frame('uuid', uuid, { id: 1 }))
  await primary.receives(/\r.*\r/)
  expect(primary.received.split('\r')[1]).toBe('{"type":"info","payload":"node_baseinfo","id":2}')
  primary.says(frame('primary_info', {}, { id: 2 }))
  await primary.receives(/"type":"vitals".*\r/)
  const [, , info = '', ...more] = primary.received.split('\r')
  expect(JSON.parse(info)).toMatchObject({
    type: 'node_baseinfo',
    payload: { uuid, names: 'primary', swap: expect.any(Number) },
  })
  expect(more[0]).toBe('{"type":"info","payload":"node_baseinfo"}')
  expect(more.join()).not.toContain('hostname')
  expect(more.find((text) => text.includes('vitals'))).toMatch(
    /^\{"type":"vitals","payload":\{"cpu_percentage":\d+\.\d+,"cpu_frequency":\d+\.\d+,"ram_free":\d+,"swap_free":\d+\}\}$/,
  )
})

test('a primary of before is asked twice, gets the details under their former name, and no vitals', async ({
  chapter,
}) => {
  const primary = await chapter.standIn()
  const secondary = await chapter.run('secondary')
  await primary.receives(/"id":1\}\r/)
  primary.says(frame('uuid', uuid, { id: 1 }))
  await primary.receives(/\r.*\r/)
  expect(primary.received.split('\r')[1]).toBe('{"type":"info","payload":"node_baseinfo","id":2}')
  primary.says(frame('bad_message', 'unknown', { id: 2 }))
  await primary.receives(/"id":3\}\r/)
  primary.says(frame('primary_info', {}, { id: 3 }))
  await primary.receives(/("type":"info","payload":"computer_details"\}\r[\s\S]*){2}/)
  expect(primary.received).toMatch(/\r\{"type":"computer_details","payload":\{"hostname"/)
  expect(primary.received).not.toContain('vitals')
  expect(secondary.messages.filter((line) => /Unknown|refused|Lost/.test(line))).toEqual([])
})

test('the primary takes and answers either name, and each node hears the one that it knows', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  const answer = async (type: string, question: string, mark = {}) => {
    const peer = await sayTo(
      chapter.port,
      frame(type, { hostname: type, client: 1, ...mark }) + frame('info', question, { id: 1 }),
    )
    await peer.hears(/"id":1\}\r/)
    await peer.leaves()
    return JSON.parse(peer.heard) as unknown
  }
  expect(await answer('node_baseinfo', 'node_baseinfo')).toMatchObject({
    type: 'primary_info',
    payload: { swap: expect.any(Number), cpu_frequency_max: expect.any(Number) },
  })
  expect(await answer('computer_details', 'computer_details')).toMatchObject({ type: 'master_info' })
  expect(await answer('machine_details', 'computer_details', { names: 'primary' })).toMatchObject({
    type: 'primary_info',
  })
  expect((await ask(chapter, 'secondary_details')).type).toBe('secondary_details')
  await primary.says(/node_baseinfo #1 has joined/)
  await primary.says(/computer_details #1 has joined/)
  await primary.says(/machine_details #1 has joined/)
})

test('what is no vitals is told and not kept, and who follows them hears the others, as the page does', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  const peer = await sayTo(
    chapter.port,
    frame('subscribe', 'vitals') +
      frame('vitals', values) +
      frame('node_baseinfo', { hostname: 'pi', client: 7, uuid }) +
      frame('vitals', { cpu_percentage: 'high' }) +
      frame('vitals', values) +
      frame('info', 'secondary_details', { id: 1 }),
  )
  await peer.hears(/"type":"secondary_details".*\r/)
  await vi.waitFor(() => {
    const warnings = primary.lines
      .filter((line) => /WARN/.test(line))
      .map((line) => line.replace(/^.*?: /, ''))
    expect(warnings).toEqual([
      `${peer.address} has sent vitals before it has told who it is. They are not kept.`,
      'What pi #7 has sent are no vitals, and not kept: {"cpu_percentage":"high"}',
    ])
  }, PATIENCE)
  // Right after its start the primary may not know yet what time it is.
  await peer.hears(new RegExp(`"type":"vitals","payload":\\{.*"${uuid}".*"time":".*\\r`))
  const rows = peer.heard
    .split('\r')
    .flatMap((text) => (/"vitals"/.test(text) ? [JSON.parse(text).payload.rows] : []))
  expect(Object.assign({}, ...rows)[uuid]).toEqual({
    node: uuid,
    name: 'pi #7',
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    values,
  })
  await chapter.run('webserver')
  const [port] = chapter.portsOf('webserver')
  const shows = (path: string, text: string) =>
    vi.waitFor(
      async () => expect(await (await fetch(`http://127.0.0.1:${port}${path}`)).text()).toContain(text),
      PATIENCE,
    )
  await shows('/', `<a href="/vitals?node=${uuid}">pi #7</a>`)
  await shows('/vitals', `<option value="${uuid}" >pi #7</option>`)
  await shows('/api/vitals?vital=ram_free', '1024')
  await primary.kill()
  await shows('/', 'The primary is gone.')
})

test.runIf(process.platform === 'linux' && !existsSync('/run/systemd/timesync/synchronized'))(
  'vitals that come before the clock of the primary is right are kept when it is',
  async ({ chapter }) => {
    const bin = join(chapter.folder, 'bin')
    const set = join(chapter.folder, 'set')
    mkdirSync(bin)
    writeFileSync(
      join(bin, 'timedatectl'),
      `#!/bin/sh\necho NTP=yes\nif test -e ${set}; then echo NTPSynchronized=yes; fi\n`,
      { mode: 0o755 },
    )
    const primary = await chapter.run('primary', { env: { PATH: `${bin}:${process.env['PATH']}` } })
    const peer = await sayTo(
      chapter.port,
      frame('subscribe', 'vitals') +
        frame('node_baseinfo', { hostname: 'pi', client: 7, uuid }) +
        frame('vitals', values) +
        frame('info', 'history', { about: { vital: 'ram_free', from: 0, to: 1 }, id: 1 }),
    )
    await peer.hears(/"id":1\}\r/)
    expect(peer.heard).toContain('"type":"history"')
    await peer.hears(/"values"/)
    expect(peer.heard).not.toMatch(/"time":/)
    writeFileSync(set, '')
    await peer.hears(/"time":"\d{4}-/)
    await vi.waitFor(
      async () => expect(valuesOf(await historyOf(chapter, 'ram_free'))).toEqual([1024]),
      PATIENCE,
    )
    expect(primary.lines.filter((line) => /WARN/.test(line))).toEqual([])
  },
)
