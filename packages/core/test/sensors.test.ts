import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LiveTable, type NodeRow } from '../src/live.ts'
import { type AlarmRule, Alarms, cpuTemperature, type Sensor, Sensors } from '../src/sensors.ts'
import type { VitalsRow } from '../src/vitals.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

afterEach(() => void vi.unstubAllEnvs())

/** A log, and what is told in it. */
function toldLog() {
  const { log, records } = recordingLog()
  return { log, told: () => records.map(({ msg }) => msg) }
}

const sensor = (vital: string, read: Sensor['read']): Sensor => ({ vital, label: vital, unit: '', read })

describe('reading sensors', () => {
  test('gives the numbers of those that have one', async () => {
    const { log, told } = toldLog()
    const sensors = new Sensors(
      [
        sensor('load_average', () => loadavg()[0]),
        sensor('fans', async () => 2),
        sensor('moon_phase', () => undefined),
      ],
      { log, stop: stopAfterTest().signal },
    )
    expect(await sensors.read()).toEqual({ load_average: expect.any(Number), fans: 2 })
    expect(told()).toEqual([])
  })

  test('goes on without one that throws, says no number, or never ends, tells each once, and when it is right again', async () => {
    const { log, told } = toldLog()
    let broken = true
    const sensors = new Sensors(
      [
        sensor('loose', () => {
          if (broken) throw new Error('the wire is loose.')
          return 1
        }),
        sensor('mad', () => (broken ? Number.NaN : 2)),
        sensor('slow', (stop) => (broken ? new Promise((_, no) => (stop.onabort = no)) : 3)),
        sensor('good', () => 4),
      ],
      { log, timeoutMs: 100, stop: stopAfterTest().signal },
    )
    expect(await sensors.read()).toEqual({ good: 4 })
    expect(await sensors.read()).toEqual({ good: 4 })
    expect(told().sort()).toEqual([
      'The sensor loose cannot be read: the wire is loose. It is left out until it can.',
      'The sensor mad cannot be read: it says NaN. It is left out until it can.',
      'The sensor slow cannot be read: it took longer than 0.1 s. It is left out until it can.',
    ])
    broken = false
    expect(await sensors.read()).toEqual({ loose: 1, mad: 2, slow: 3, good: 4 })
    expect(told()).toContain('The sensor slow can be read again.')
    broken = true
    await sensors.read()
    expect(told().filter((line) => line.startsWith('The sensor loose cannot'))).toHaveLength(2)
  })

  test('ends when the program is stopped, whatever a sensor does', async () => {
    const { log } = recordingLog()
    const stop = new AbortController()
    const sensors = new Sensors([sensor('deaf', () => new Promise(() => {}))], { log, stop: stop.signal })
    const reading = sensors.read()
    stop.abort()
    await expect(reading).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  })

  test('a sensor has a name that is one, and no other has the same', () => {
    const { log } = recordingLog()
    const named = (...names: string[]) =>
      new Sensors(
        names.map((name) => sensor(name, () => 1)),
        { log },
      )
    expect(() => named('Disk full')).toThrow(
      '"Disk full" is no name of a vital: write it like cpu_temperature.',
    )
    expect(() => named('disk', 'disk')).toThrow('Two sensors measure disk.')
    expect(named('disk').descriptions).toEqual({ disk: { label: 'disk', unit: '' } })
  })
})

describe('the temperature of the processor', () => {
  /** Zones as Linux has them. */
  function zones(...all: [type: string, temp: string][]): string {
    const folder = tempFolder()
    for (const [index, [type, temp]] of all.entries()) {
      mkdirSync(join(folder, `thermal_zone${index}`))
      writeFileSync(join(folder, `thermal_zone${index}`, 'type'), `${type}\n`)
      writeFileSync(join(folder, `thermal_zone${index}`, 'temp'), `${temp}\n`)
    }
    mkdirSync(join(folder, 'cooling_device0'))
    return folder
  }

  /** Puts a program before all others, for this test, as a Pi's firmware would have it. */
  function vcgencmd(script: string): void {
    const bin = tempFolder()
    writeFileSync(join(bin, 'vcgencmd'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, 'vcgencmd'), 0o755)
    vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`)
  }

  const read = (folder: string) => cpuTemperature({ zones: folder }).read(stopAfterTest().signal)

  test.for([
    ['a Pi', [['cpu-thermal', '48312']], 48.312],
    [
      'a PC, whose other zones are of no processor',
      [
        ['acpitz', '99000'],
        ['x86_pkg_temp', '51000'],
        ['iwlwifi_1', '99000'],
      ],
      51,
    ],
    [
      'two processors, of which the hotter counts',
      [
        ['cpu0-thermal', '40000'],
        ['cpu1-thermal', '60000'],
      ],
      60,
    ],
    ['a driver that knows nothing', [['cpu-thermal', '0']], undefined],
    ['a file that cannot be read as a number', [['cpu-thermal', 'N/A']], undefined],
    ['no zone', [], undefined],
  ] as [string, [string, string][], number | undefined][])('%s', async ([, all, degrees]) => {
    expect(await read(zones(...all))).toBe(degrees)
  })

  test('where there is no zone, the firmware of a Pi is asked', async () => {
    vcgencmd(`[ "$1" = measure_temp ] && echo "temp=48.3'C"`)
    expect(await read('/nowhere')).toBe(48.3)
  })

  test('that the firmware cannot say it is told', async () => {
    vcgencmd('echo "VCHI initialization failed"; exit 255')
    await expect(read('/nowhere')).rejects.toThrow(
      '"vcgencmd measure_temp" ended with exit code 255: VCHI initialization failed',
    )
  })
})

describe('alarms', () => {
  const HOT: AlarmRule = { says: 'hot', from: 80, until: 75, unit: '°C' }
  const EMPTY: AlarmRule = { says: 'out of memory', from: 100, until: 200, unit: 'MiB' }

  function cluster(silenceMs = 300) {
    const { log, told } = toldLog()
    const presence = new LiveTable<NodeRow>()
    const vitals = new LiveTable<VitalsRow>()
    const { signal: stop } = stopAfterTest()
    const rules = { cpu_temperature: HOT, ram_free: EMPTY }
    const { table } = new Alarms({ log, presence, vitals, rules, silenceMs, stop })
    const tells = (values: Record<string, number>, time = new Date().toISOString()) =>
      vitals.set('a', { node: 'a', name: 'pi #1', time, values })
    const is = (state: NodeRow['state']) =>
      presence.set('a', { name: 'pi #1', address: '', state, since: '2026-01-01T00:00:00.000Z' } as NodeRow)
    const shown = () => table.entries().map(([, { says, detail }]) => `${says}: ${detail}`)
    return { told, presence, vitals, tells, is, shown }
  }

  test('one is raised at a limit, goes on until the other one, and is told twice', async () => {
    const { told, tells, shown } = cluster()
    tells({ cpu_temperature: 80, ram_free: 150 })
    await vi.waitFor(() => expect(shown()).toEqual(['hot: 80 °C']), PATIENCE)
    tells({ cpu_temperature: 75.04, ram_free: 100 })
    await vi.waitFor(() => expect(shown()).toEqual(['hot: 75 °C', 'out of memory: 100 MiB']), PATIENCE)
    tells({ cpu_temperature: 75, ram_free: 199 })
    await vi.waitFor(() => expect(shown()).toEqual(['out of memory: 199 MiB']), PATIENCE)
    tells({ cpu_temperature: 79.9, ram_free: 200 })
    await vi.waitFor(() => expect(shown()).toEqual([]), PATIENCE)
    expect(told()).toEqual([
      'pi #1 is hot: 80 °C',
      'pi #1 is out of memory: 100 MiB',
      'pi #1 is hot no more: 75 °C',
      'pi #1 is out of memory no more: 200 MiB',
    ])
  })

  test('an old value raises none, and one that is not measured any more is none for ever', async () => {
    const { told, tells, shown } = cluster()
    tells({ cpu_temperature: 90 })
    await vi.waitFor(() => expect(shown()).toHaveLength(1), PATIENCE)
    tells({ cpu_temperature: 90 }, '2020-01-01T00:00:00.000Z')
    await vi.waitFor(() => expect(shown()).toEqual([]), PATIENCE)
    expect(told().at(-1)).toBe('pi #1 is hot no more: nothing is known of it now')
  })

  test('a node that is away for long is silent, until it has been back for as long', async () => {
    const { told, presence, is, shown } = cluster()
    is('here')
    is('silent')
    await vi.waitFor(() => expect(shown()).toEqual(['silent: nothing comes from it']), PATIENCE)
    const back = performance.now()
    is('here')
    await vi.waitFor(() => expect(shown()).toEqual([]), PATIENCE)
    expect(performance.now() - back).toBeGreaterThan(290)
    expect(told().at(-1)).toBe('pi #1 is silent no more: it is back')
    is('gone')
    await vi.waitFor(() => expect(shown()).toHaveLength(1), PATIENCE)
    presence.delete('a') // an hour later
    await vi.waitFor(() => expect(shown()).toEqual([]), PATIENCE)
  })

  test('a restart is no silence', async () => {
    const { told, is } = cluster(2_000)
    for (let round = 0; round < 8; round += 1) {
      is('gone')
      await new Promise((resolve) => setTimeout(resolve, 300))
      is('here')
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    expect(told()).toEqual([])
  })
})
