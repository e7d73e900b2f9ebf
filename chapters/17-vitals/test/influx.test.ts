import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  COLLECTS_GARBAGE,
  hasPython,
  type Running,
  runPython,
  sayTo,
  test,
} from '@rpi-cluster/tutorial/harness'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { configure, frame, hasInflux, Influx, PATIENCE } from './support.ts'

const info = frame('node_baseinfo', { hostname: 'pi', client: 7 })

/** A node that says its vitals once: each with another frequency. */
async function sayVitals(port: number, primary: Running, frequency: number): Promise<void> {
  const vitals = { cpu_percentage: 12.5, cpu_frequency: frequency, ram_free: 1024, swap_free: 0 }
  const peer = await sayTo(port, info + frame('vitals', vitals))
  await primary.says(new RegExp(`Received vitals from .*"cpu_frequency":${frequency},`))
  await peer.leaves()
}

/** What a primary warns of, but for an InfluxDB that is slow: on a busy machine it is, by the fast clock. */
function warningsOf(primary: Running): string[] {
  return primary.lines.filter((line) => /WARN/.test(line) && !/It took more than/.test(line))
}

test('an InfluxDB that takes what is sent and never answers is given up, and asked again', async ({
  chapter,
}) => {
  let asked = 0
  const silent = createServer((_, response) => {
    asked++
    if (asked > 1) response.writeHead(204).end()
  })
  silent.listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close().closeAllConnections())
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  await configure(chapter, { influxdb_host: '127.0.0.1', influxdb_port: port })
  const primary = await chapter.run('primary', { preload: COLLECTS_GARBAGE })
  await sayVitals(chapter.port, primary, 1_500)
  await primary.says(/WARN .*does not take what is sent, so it waits: It took more than 60000 ms\.$/)
  await primary.says(/INFO .*takes it again$/)
  expect(asked).toBe(2)
})

test('nothing is written before the database is whole, though the answer has begun that it is made', async ({
  chapter,
}) => {
  const writes: string[] = []
  let state = 'missing'
  const slow = createServer((request, response) => {
    if (request.url?.startsWith('/write')) {
      writes.push(state)
      response.writeHead(state === 'missing' ? 404 : 204).end()
      return
    }
    state = 'begun'
    response.writeHead(200).flushHeaders()
    setTimeout(() => {
      state = 'whole'
      response.end('{}')
    }, 500)
  })
  slow.listen(0, '127.0.0.1')
  onTestFinished(() => void slow.close().closeAllConnections())
  await once(slow, 'listening')
  const { port } = slow.address() as AddressInfo
  await configure(chapter, { influxdb_host: '127.0.0.1', influxdb_port: port })
  const primary = await chapter.run('primary')
  await sayVitals(chapter.port, primary, 1_500)
  await vi.waitFor(() => expect(writes).toHaveLength(2), PATIENCE)
  expect(writes).toEqual(['missing', 'whole'])
})

describe.runIf(hasInflux())('with an InfluxDB', () => {
  test('what is sent while it is away waits on disk, comes when it is there, and none twice', async ({
    chapter,
  }) => {
    const influx = await Influx.make()
    await configure(chapter, { influxdb_host: 'localhost', influxdb_port: influx.port })
    let primary = await chapter.run('primary')
    await sayVitals(chapter.port, primary, 1_500)
    await primary.says(/WARN .*InfluxDB at http:\/\/localhost:\d+ does not take what is sent, so it waits: /)
    await influx.start()
    await primary.says(/InfluxDB at http:\/\/localhost:\d+ takes it again/)
    const rows = () => influx.query('SELECT frequency, percentage, node FROM cpu')
    const frequencies = async () => (await rows()).map(([, frequency]) => frequency)
    await vi.waitFor(async () => expect(await frequencies()).toEqual([1_500]), PATIENCE)
    const [[time] = []] = await rows()
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(60)

    await influx.kill()
    await sayVitals(chapter.port, primary, 1_600)
    await primary.says(/does not take what is sent/, 2) // so it is on disk
    await primary.kill()
    await influx.start()
    primary = await chapter.run('primary')
    await vi.waitFor(async () => expect(await frequencies()).toEqual([1_500, 1_600]), PATIENCE)
    await sayVitals(chapter.port, primary, 1_700)
    await vi.waitFor(async () => expect(await frequencies()).toEqual([1_500, 1_600, 1_700]), PATIENCE)
    expect(await influx.query('SELECT count(free) FROM ram')).toEqual([[0, 3]])
    expect(await influx.query('SHOW RETENTION POLICIES')).toContainEqual(
      expect.arrayContaining(['node_vitals_year_rp', '8760h0m0s', true]),
    )
    expect(warningsOf(primary)).toEqual([])
  })

  test('what it will never take is told, and holds up nothing', async ({ chapter }) => {
    const influx = await Influx.make()
    await influx.start()
    await influx.query('CREATE DATABASE rpi_cluster_node_vitals')
    const write = `http://127.0.0.1:${influx.port}/write?db=rpi_cluster_node_vitals`
    await fetch(write, { method: 'POST', body: 'cpu,node=other frequency=600i' })
    await configure(chapter, { influxdb_host: '127.0.0.1', influxdb_port: influx.port })
    const primary = await chapter.run('primary')
    await sayVitals(chapter.port, primary, 1_500)
    await primary.says(
      /WARN .*InfluxDB refuses some vitals for good: .*field type conflict.* give this cluster another/,
    )
    await vi.waitFor(
      async () =>
        expect(await influx.query('SELECT free, node FROM ram')).toEqual([[expect.any(Number), 1024, 'pi']]),
      PATIENCE,
    )
    expect(warningsOf(primary)).toEqual([expect.stringContaining('refuses some vitals for good')])
  })

  test.runIf(hasPython())(
    'rows of a primary in Python are of the same series and types, and an hour off in its zone',
    async ({ chapter }) => {
      const influx = await Influx.make()
      await influx.start()
      await configure(chapter, { influxdb_host: '127.0.0.1', influxdb_port: influx.port, vitals_seconds: 5 })
      const zone = process.env['TZ']
      onTestFinished(() => {
        if (zone === undefined) delete process.env['TZ']
        else process.env['TZ'] = zone
      })
      process.env['TZ'] = 'Etc/GMT-1' // an hour before UTC, in summer, too
      const python = await runPython(
        join(import.meta.dirname, 'python/primary.py'),
        '17',
        String(chapter.port),
        String(influx.port),
      )
      const secondary = await chapter.run('secondary')
      await python.says(/^Written swap/, 2)
      await python.kill()
      const primary = await chapter.run('primary')
      await secondary.says(/Connected to/, 2)
      await primary.says(/Received vitals/)
      const now = Date.now() / 1000
      const shifts = async () =>
        (await influx.query('SELECT frequency FROM cpu')).map(([time]) =>
          Math.round((Number(time) - now) / 3600),
        )
      await vi.waitFor(async () => expect(new Set(await shifts())).toEqual(new Set([0, 1])), PATIENCE)
      expect(await influx.query('SHOW SERIES')).toEqual(
        ['cpu', 'ram', 'swap'].map((measurement) => [`${measurement},node=${hostname()}`]),
      )
      for (const [measurement, ...types] of [
        ['cpu', ['frequency', 'float'], ['percentage', 'float']],
        ['ram', ['free', 'integer']],
        ['swap', ['free', 'integer']],
      ] as const)
        expect(await influx.query(`SHOW FIELD KEYS FROM ${measurement}`)).toEqual(types)
      expect(python.lines.join('\n')).not.toContain('Traceback')
      expect(warningsOf(primary)).toEqual([])
    },
  )
})
