import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sayTo, test } from '@rpi-cluster/tutorial/harness'
import { vi } from 'vitest'
import { firmware, frame, isHot, PATIENCE, page, sendEvery } from './support.ts'

const uuid = '0123456789abcdef0123456789abcdef'

test('a secondary sends what its sensors measure, with its vitals, and first what they are called', async ({
  chapter,
  expect,
}) => {
  const primary = await chapter.standIn()
  await chapter.run('secondary', { env: firmware(chapter) })
  await primary.receives(/"id":1\}\r/)
  primary.says(frame('uuid', uuid, { id: 1 }))
  await primary.receives(/"id":2\}\r/)
  primary.says(frame('primary_info', {}, { id: 2 }))
  await primary.receives(/"type":"vitals".*\r/)
  const sent = primary.received.split('\r').filter((text) => /"(sensors|vitals)"/.test(text))
  expect(JSON.parse(sent[0] ?? '')).toEqual({
    type: 'sensors',
    payload: {
      cpu_temperature: { label: 'Temperature of the processor', unit: '°C' },
      disk_used: { label: 'Disk in use', unit: '%' },
    },
  })
  expect(sent[1]).toMatch(
    /^\{"type":"vitals","payload":\{"cpu_percentage".*"cpu_temperature":\d+\.\d+,"disk_used":\d+\.\d+\}\}$/,
  )
})

const LOAD = `
import { loadavg } from 'node:os'

all.push({
  vital: 'load',
  label: 'Load of the last minute',
  unit: '',
  read: () => loadavg()[0],
})
all.push({ vital: 'loose', label: 'Loose', unit: '', read: () => { throw new Error('the wire is loose') } })
`

test('a sensor that a reader adds reaches the store, the page and its charts; one that fails is told, once', async ({
  chapter,
  expect,
}) => {
  await sendEvery(chapter, 5)
  const sensors = join(chapter.folder, 'src/sensors.ts')
  expect(existsSync(sensors)).toBe(true)
  await chapter.write('src/sensors.ts', readFileSync(sensors, 'utf8') + LOAD)
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await chapter.run('webserver')
  await primary.says(/Received vitals from .*"load":/, 3)
  const charts = () => page(chapter, '/vitals?tables=yes')
  await vi.waitFor(async () => expect(await charts()).toContain('Load of the last minute</h2>'), PATIENCE)
  await vi.waitFor(async () => {
    const history = JSON.parse(await page(chapter, '/api/vitals?vital=load'))
    expect(history).toMatchObject({ label: 'Load of the last minute', unit: '' })
    expect(history.lines[0]?.mean).toContainEqual(expect.any(Number)) // what has come is written a moment later
  }, PATIENCE)
  expect(await charts()).toContain('Temperature of the processor, °C</h2>')
  expect(secondary.messages.filter((line) => line.includes('loose'))).toEqual([
    'The sensor loose cannot be read: the wire is loose. It is left out until it can.',
  ])
})

test('a hot node is an alarm in the log and on the page, until it is much cooler', async ({
  chapter,
  expect,
}) => {
  const primary = await chapter.run('primary')
  await chapter.run('webserver')
  const home = () => page(chapter, '/')
  expect(await home()).toContain('<h2>Alarms</h2>')
  await vi.waitFor(async () => expect(await home()).toMatch(/id="alarm-count"[^>]*>None\./), PATIENCE)
  await isHot(chapter, 85)
  await primary.says(/WARN \(primary\): pi #7 is hot: 85 °C$/)
  await vi.waitFor(async () => expect(await home()).toMatch(/pi #7.* is hot: 85 °C, since /), PATIENCE)
  await isHot(chapter, 76)
  await vi.waitFor(async () => expect(await home()).toMatch(/pi #7.* is hot: 76 °C, since /), PATIENCE)
  await isHot(chapter, 75)
  await primary.says(/INFO \(primary\): pi #7.* is hot no more: 75 °C$/)
  await vi.waitFor(async () => expect(await home()).not.toContain(' is hot'), PATIENCE)
})

test('a node that stays away is an alarm, and its return is told', async ({ chapter, expect }) => {
  const primary = await chapter.run('primary')
  const watcher = await sayTo(chapter.port, frame('subscribe', 'alarms') + frame('info', 'uuid', { id: 1 }))
  await watcher.hears(/"id":1\}\r/)
  await watcher.leaves()
  expect(primary.messages.filter((line) => /no such topic/.test(line))).toEqual([])
  const secondary = await chapter.run('secondary')
  await primary.says(/Received vitals/)
  await secondary.kill()
  await primary.says(/WARN \(primary\): \S+ #\d+ is silent: nothing comes from it$/)
  await chapter.run('secondary')
  await primary.says(/INFO \(primary\): \S+ #\d+ is silent no more: it is back$/)
  expect(primary.lines.filter((line) => /WARN/.test(line) && !/Lost|is silent/.test(line))).toEqual([])
})
