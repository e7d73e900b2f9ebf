import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, hostname, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Dialogue, Refusal } from '../src/dialogue.ts'
import { asciiJson } from '../src/json-lines.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { Roster } from '../src/roster.ts'
import type { History, HistoryQuery } from '../src/store.ts'
import {
  baseInfo,
  type ClockState,
  KeptVitals,
  KnownTime,
  type NodeSample,
  systemClock,
  takeVitals,
  VitalsSender,
  vitalsJson,
  vitalsRow,
} from '../src/vitals.ts'
import { connectedPair, recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

describe('a machine', () => {
  test('tells what it is, in the words of the wire and in their order', async () => {
    const info = await baseInfo()
    expect(Object.keys(info)).toEqual([
      'hostname',
      'ram',
      'swap',
      'cpu',
      'cpu_cores',
      'cpu_frequency_max',
      'cpu_frequency_min',
    ])
    expect(info).toMatchObject({
      hostname: hostname(),
      ram: totalmem(),
      cpu: expect.stringMatching(/\S/),
      cpu_cores: availableParallelism(),
    })
    expect(info.cpu_frequency_max).toBeGreaterThanOrEqual(info.cpu_frequency_min)
  })

  test('tells how it does: a busy processor, and memory that is there', async () => {
    let busy = true
    const turn = () => {
      const until = performance.now() + 20
      while (performance.now() < until);
      if (busy) setImmediate(turn)
    }
    turn()
    const vitals = await takeVitals()
    busy = false
    expect(Object.keys(vitals)).toEqual(['cpu_percentage', 'cpu_frequency', 'ram_free', 'swap_free'])
    // One of the cores was busy all the time. Half of its share is asked for, with others on this machine.
    expect(vitals.cpu_percentage).toBeGreaterThan(50 / cpus().length)
    expect(vitals.cpu_percentage).toBeLessThanOrEqual(100)
    expect(vitals.ram_free).toBeGreaterThan(0)
    expect(vitals.ram_free).toBeLessThan(totalmem())
    expect(Number.isInteger(vitals.ram_free)).toBe(true)
  })

  test('ends its look when the program is stopped', async () => {
    await expect(takeVitals({ stop: AbortSignal.abort() })).rejects.toThrow('aborted')
  })

  /** On a machine with these files in the place of its own. What is not there is a folder or a file with nothing in it. */
  async function on(files: Record<string, string>, ...others: string[]) {
    const folder = tempFolder()
    const targets = new Set(others)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, dirname(path)), { recursive: true })
      writeFileSync(join(folder, path), text)
      targets.add(path.startsWith('/sys/devices/system/cpu') ? '/sys/devices/system/cpu' : path)
    }
    for (const path of others) {
      mkdirSync(join(folder, dirname(path)), { recursive: true })
      if (!existsSync(join(folder, path))) mkdirSync(join(folder, path))
    }
    const pairs = [...targets].flatMap((path) => [join(folder, path), path])
    const program = start('tells-vitals.ts', pairs, { files: true })
    expect(await program.ended, program.stderr).toBe(0)
    return JSON.parse(program.stdout)
  }

  const canMount = spawnSync('unshare', ['--map-root-user', '--mount', 'true']).status === 0

  test.runIf(canMount)('with the files of a Pi has frequencies, and swap space', async () => {
    const frequencies = (cpu: number, now: number) => ({
      [`/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_cur_freq`]: `${now}\n`,
      [`/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_min_freq`]: '600000\n',
      [`/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_max_freq`]: '1800000\n',
    })
    const { info, vitals, json } = await on({
      ...frequencies(0, 600_000),
      ...frequencies(1, 1_400_000),
      '/sys/devices/system/cpu/cpuidle/current_driver': 'none\n',
      '/proc/meminfo':
        'MemTotal:        1000 kB\nMemFree:          10 kB\nMemAvailable:    500 kB\nSwapTotal:       100 kB\nSwapFree:         99 kB\n',
    })
    expect(info).toMatchObject({ swap: 102_400, cpu_frequency_max: 1800, cpu_frequency_min: 600 })
    expect(vitals).toMatchObject({ cpu_frequency: 1000, ram_free: 512_000, swap_free: 101_376 })
    expect(json).toMatch(/,"cpu_frequency":1000\.0,"ram_free":512000,"swap_free":101376\}$/)
  })

  test.runIf(canMount)('that tells a frequency in its list of processors has that', async () => {
    const { info, vitals } = await on(
      { '/proc/cpuinfo': 'processor\t: 0\ncpu MHz\t\t: 2100.500\n\nprocessor\t: 1\ncpu MHz\t\t: 2000\n' },
      '/sys/devices/system/cpu',
    )
    expect(info).toMatchObject({ cpu_frequency_max: 0, cpu_frequency_min: 0 })
    expect(vitals.cpu_frequency).toBe(2050.25)
  })

  test.runIf(canMount)('that tells nothing has zeros, and all keys', async () => {
    const { info, vitals, json } = await on(
      { '/proc/meminfo': 'nothing of use\n', '/proc/cpuinfo': '' },
      '/sys/devices/system/cpu',
    )
    expect(info).toMatchObject({ swap: 0, cpu_frequency_max: 0, cpu_frequency_min: 0 })
    expect(vitals).toMatchObject({ cpu_frequency: 0, ram_free: expect.any(Number), swap_free: 0 })
    expect(json).toMatch(/"cpu_frequency":0\.0,"ram_free":\d+,"swap_free":0\}$/)
  })
})

describe('vitals as JSON', () => {
  test('have a fraction, and bytes are whole', () => {
    const values = {
      cpu_percentage: 7,
      cpu_frequency: 1500,
      ram_free: 1e9,
      swap_free: 0.6,
      cpu_temperature: 40.25,
    }
    expect(asciiJson(vitalsJson(values))).toBe(
      '{"cpu_percentage":7.0,"cpu_frequency":1500.0,"ram_free":1000000000,"swap_free":1,"cpu_temperature":40.25}',
    )
    expect(asciiJson(vitalsJson({ 'küche"': -0, none: Number.NaN, all: Number.POSITIVE_INFINITY }))).toBe(
      '{"k\\u00fcche\\"":0.0}',
    )
  })

  test('are to JavaScript what they were, and to Python floats', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = asciiJson(vitalsJson({ value })).slice('{"value":'.length, -1)
        expect(Number(text)).toBe(value === 0 ? 0 : value)
        expect(text).toMatch(/[.e]/)
      }),
    )
  })
})

describe('who sends vitals', () => {
  /** A connection: what goes over it, until it is over. */
  function connection() {
    const ending = new AbortController()
    const sent: string[] = []
    const send = async (type: string, payload: unknown) => {
      if (ending.signal.aborted) throw new OperationalError('There is no connection.')
      sent.push(`${type} ${asciiJson(payload)}`)
    }
    return { send, over: ending.signal, sent, end: () => ending.abort() }
  }

  /** A sender, whose vitals count how often they were taken. */
  function sender(seconds: number) {
    let taken = 0
    const take = vi.fn(async () => ({ taken: ++taken }))
    return { sender: new VitalsSender({ seconds, take, stop: stopAfterTest().signal }), take }
  }

  test('sends at once, once more within the time, and from then on each time that it has passed', async () => {
    const { sender: own } = sender(0.5)
    const peer = connection()
    const began = performance.now()
    own.sendTo(peer)
    await vi.waitFor(() => expect(peer.sent.length).toBeGreaterThanOrEqual(5), PATIENCE)
    expect(peer.sent.slice(0, 2)).toEqual(['vitals {"taken":1.0}', 'vitals {"taken":2.0}'])
    // The second comes between 0 and 0.5 s, and each further one 0.5 s later.
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_400)
  })

  test('sends in a connection that comes back no sooner than in one that lasts', async () => {
    const { sender: own, take } = sender(3_600)
    const first = connection()
    own.sendTo(first)
    await vi.waitFor(() => expect(first.sent).toHaveLength(1), PATIENCE)
    first.end()
    own.sendTo(connection()) // would take them at once
    expect(take).toHaveBeenCalledOnce()
  })

  test('sends what was due while there was no connection, as soon as there is one, and once', async () => {
    const { sender: own, take } = sender(0.1)
    const first = connection()
    own.sendTo(first)
    await vi.waitFor(() => expect(first.sent.length).toBeGreaterThan(0), PATIENCE)
    first.end()
    // A timer of this process, as that of the sender is, which ends before it.
    await sleep(300)
    const before = take.mock.calls.length
    expect(before).toBeLessThanOrEqual(first.sent.length + 1)
    const second = connection()
    own.sendTo(second)
    expect(take).toHaveBeenCalledTimes(before + 1)
    await vi.waitFor(() => expect(second.sent.length).toBeGreaterThan(0), PATIENCE)
  })

  test('sends nothing in a connection that it was not given, also if the node is the same', async () => {
    const { sender: own, take } = sender(0.1)
    const connections = [connection(), connection()]
    let current = 0
    const node = {
      send: (type: string, payload: unknown) =>
        (connections[current] as ReturnType<typeof connection>).send(type, payload),
      get over() {
        return (connections[current] as ReturnType<typeof connection>).over
      },
    }
    own.sendTo(node)
    await vi.waitFor(() => expect(connections[0]?.sent.length).toBeGreaterThan(0), PATIENCE)
    connections[0]?.end()
    current = 1
    const before = take.mock.calls.length
    await sleep(300) // a timer of this process, as that of the sender is, which ends before it
    expect(take.mock.calls.length).toBeLessThanOrEqual(before + 1)
    expect(connections[1]?.sent).toEqual([])
  })

  /** A sender of which a test says when its vitals are taken. */
  function slowSender() {
    const releases: (() => void)[] = []
    const take = () =>
      new Promise<{ taken: number }>((resolve) => {
        const taken = releases.length + 1
        releases.push(() => resolve({ taken }))
      })
    return { sender: new VitalsSender({ seconds: 3_600, take, stop: stopAfterTest().signal }), releases }
  }

  test('sends what it was taking to the connection that has come meanwhile', async () => {
    const { sender: own, releases } = slowSender()
    const first = connection()
    own.sendTo(first)
    first.end()
    const second = connection()
    own.sendTo(second)
    releases[0]?.()
    await vi.waitFor(() => expect(second.sent).toEqual(['vitals {"taken":1.0}']), PATIENCE)
    expect(first.sent).toEqual([])
  })

  test('owes what it could not send: the next connection has it at once', async () => {
    const { sender: own, releases } = slowSender()
    const first = connection()
    own.sendTo(first)
    first.end()
    releases[0]?.()
    await sleep(0)
    const second = connection()
    own.sendTo(second)
    expect(releases).toHaveLength(2)
    releases[1]?.()
    await vi.waitFor(() => expect(second.sent).toEqual(['vitals {"taken":2.0}']), PATIENCE)
  })
})

/** Puts a program in the place of timedatectl. */
function asTimedatectl(script: string): void {
  const folder = tempFolder()
  writeFileSync(join(folder, 'timedatectl'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, 'timedatectl'), 0o755)
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
  onTestFinished(() => void vi.unstubAllEnvs())
}

describe.skipIf(process.platform !== 'linux' || existsSync('/run/systemd/timesync/synchronized'))(
  'the clock of the system',
  () => {
    test.each<[ClockState, string, string]>([
      ['synchronised', 'a time server has set', 'echo NTP=yes; echo NTPSynchronized=yes'],
      ['synchronised', 'another program sets', 'echo NTP=no; echo NTPSynchronized=yes'],
      ['not yet', 'a time server will set', 'echo NTP=yes; echo NTPSynchronized=no'],
      ['by itself', 'nobody sets', 'echo NTP=no; echo NTPSynchronized=no'],
      ['by itself', 'nobody tells of', 'echo "System has not been booted with systemd" >&2; exit 1'],
      ['by itself', 'something strange tells of', 'yes NTP | head -c 100000'],
    ])('is "%s" where it is one that %s', async (state, _, script) => {
      asTimedatectl(script)
      expect(await systemClock()).toBe(state)
    })

    test('is taken as it is where there is no timedatectl', async () => {
      vi.stubEnv('PATH', tempFolder())
      onTestFinished(() => void vi.unstubAllEnvs())
      expect(await systemClock()).toBe('by itself')
    })
  },
)

describe('the time', () => {
  /** A machine whose clocks a test sets: it wakes up in 1970, and has run for 5 s. */
  function machine(state: ClockState, options: { notBefore?: number; mostHeld?: number } = {}) {
    const clock = { state, now: 0, counted: 5_000, asked: 0 }
    const pass = (ms: number) => {
      clock.now += ms
      clock.counted += ms
    }
    const { log, records } = recordingLog()
    const time = new KnownTime({
      log,
      stop: stopAfterTest().signal,
      askMs: 1,
      ask: async () => {
        clock.asked += 1
        return clock.state
      },
      now: () => clock.now,
      counted: () => clock.counted,
      ...options,
    })
    const dated: [what: string, at: number][] = []
    const date = (what: string) => time.date((at) => dated.push([what, at]))
    /** What it says of the clock when it was asked once more, at the least. */
    const asked = async () => {
      const before = clock.asked
      await vi.waitFor(() => expect(clock.asked).toBeGreaterThan(before + 1), PATIENCE)
    }
    const known = () => vi.waitFor(() => expect(time.isKnown).toBe(true), PATIENCE)
    return { clock, pass, time, dated, date, asked, known, told: () => records.map(({ msg }) => msg) }
  }

  const NOW = Date.UTC(2026, 10, 26)

  test.each(['synchronised', 'by itself'] as const)('is that of a clock that is %s', async (state) => {
    const { clock, pass, dated, date, known, told } = machine(state)
    clock.now = NOW
    date('first')
    await known()
    pass(1_500)
    date('second')
    expect(dated).toEqual([
      ['first', NOW / 1000],
      ['second', NOW / 1000 + 1.5],
    ])
    expect(told()).toEqual([])
  })

  test('is counted back for what was held, once a clock that was wrong is right', async () => {
    const { clock, pass, dated, date, asked, known, told } = machine('not yet')
    date('at the start')
    pass(20_000)
    date('later')
    await asked()
    expect([dated, told()]).toEqual([[], []])
    pass(15_000) // half a minute is over
    await asked()
    expect(told()).toEqual([
      expect.stringMatching(/^The clock of this machine is not synchronised yet.*set-ntp false$/),
    ])
    clock.now = NOW
    clock.state = 'synchronised'
    await known()
    expect(dated).toEqual([
      ['at the start', NOW / 1000 - 35],
      ['later', NOW / 1000 - 15],
    ])
    expect(told().at(-1)).toBe('The clock of this machine is right now.')
  })

  test('of the oldest is not known any more where much was held, and that is told', async () => {
    const { clock, dated, date, known, told } = machine('not yet', { mostHeld: 2 })
    for (const what of ['a', 'b', 'c', 'd']) date(what)
    clock.now = NOW
    clock.state = 'synchronised'
    await known()
    expect(dated.map(([what]) => what)).toEqual(['c', 'd'])
    expect(told()).toEqual([
      'The clock of this machine is not right yet, and 2 measurements wait for that: for each that comes, the oldest is lost.',
      '2 measurements were lost before the clock was right.',
    ])
  })

  test('is not before what has been, where nobody sets the clock', async () => {
    const { clock, pass, dated, date, asked, known, told } = machine('by itself', { notBefore: NOW / 1000 })
    date('too early')
    pass(31_000)
    await asked()
    expect(dated).toEqual([])
    expect(told()).toEqual([
      expect.stringMatching(
        /^The clock of this machine says 1970-01-01T00:00:31\.000Z, .* at 2026-11-26T00:00:00\.000Z already\./,
      ),
    ])
    clock.now = NOW + 60_000
    await known()
    expect(dated).toEqual([['too early', NOW / 1000 + 29]])
  })

  test.each([
    ['forward', 3_600_000],
    ['back', -3_600_000],
  ])('is asked for anew when the clock jumps %s', async (where, jump) => {
    const { clock, pass, dated, date, known, told } = machine('synchronised')
    clock.now = NOW
    await known()
    pass(4_000)
    clock.now += 4_000 // a little is no jump
    date('before')
    clock.now += jump
    const before = clock.asked
    date('after')
    await known()
    expect(clock.asked).toBe(before + 1)
    expect(dated).toEqual([
      ['before', NOW / 1000 + 8],
      ['after', NOW / 1000 + 8 + jump / 1000],
    ])
    expect(told()).toEqual([expect.stringMatching(new RegExp(`has jumped ${where} by 3600 s`))])
  })
})

describe('who keeps vitals', () => {
  const uuid = '0123456789abcdef0123456789abcdef'

  /** One that a peer is connected to, and what it has kept. */
  async function keeper({
    answer,
    isKnown = true,
    ...options
  }: {
    answer?: (query: HistoryQuery) => History
    isKnown?: boolean
    mostNodes?: number
  } = {}) {
    const { master, slave } = await connectedPair()
    const { log, records } = recordingLog()
    const roster = new Roster({ log, stop: stopAfterTest().signal })
    roster.add(master)
    const kept: NodeSample[] = []
    const also: NodeSample[] = []
    const described: unknown[] = []
    const held: ((at: number) => void)[] = []
    const queries: HistoryQuery[] = []
    const keeping = new KeptVitals({
      log,
      roster,
      store: {
        newest: undefined,
        add: (sample) => void kept.push(sample as NodeSample),
        describe: (vital, about) => void described.push([vital, about]),
        history: async (query) => {
          queries.push(query)
          if (!answer) throw new OperationalError('the disk is gone')
          return answer(query)
        },
      },
      time: { date: (use) => (isKnown ? use(1_000.5) : void held.push(use)) },
      also: (sample) => also.push(sample),
      ...options,
    })
    const introduce = (details: unknown) => {
      roster.introduce(master, details)
      keeping.introduce(master, details)
    }
    const warnings = () => records.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
    const row = () => keeping.table.entries()
    return { keeping, master, slave, introduce, kept, also, described, held, queries, warnings, row }
  }

  const values = { cpu_percentage: 1.5, ram_free: 7 }

  test('knows a node by its identity, and gives its vitals to all that want them', async () => {
    const { keeping, master, introduce, kept, also, row, warnings } = await keeper()
    introduce({ hostname: 'pi', client: 7, uuid })
    keeping.take(values, master)
    const sample = { node: uuid, name: 'pi #7', hostname: 'pi', at: 1_000.5, values }
    expect([kept, also]).toEqual([[sample], [sample]])
    const shown = { node: uuid, name: 'pi #7', time: '1970-01-01T00:16:40.500Z', values }
    expect(row()).toEqual([[uuid, shown]])
    expect(v.parse(vitalsRow, row()[0]?.[1])).toEqual(shown)
    expect(warnings()).toEqual([])
  })

  test('takes what vitals are called, and tells what is no description', async () => {
    const { keeping, master, introduce, described, warnings } = await keeper()
    introduce({ hostname: 'pi', client: 7 })
    keeping.describe({ fans: { label: 'Fans', unit: '' }, noise: { label: 'Noise', unit: 'dB' } }, master)
    expect(described).toEqual([
      ['fans', { label: 'Fans', unit: '' }],
      ['noise', { label: 'Noise', unit: 'dB' }],
    ])
    const many = Object.fromEntries(
      Array.from({ length: 21 }, (_, index) => [`v${index}`, { label: 'V', unit: '' }]),
    )
    for (const wrong of [
      null,
      { fans: 'many' },
      { fans: { label: '', unit: '' } },
      { Fans: { label: 'F', unit: '' } },
      many,
    ])
      keeping.describe(wrong, master)
    expect(described).toHaveLength(2)
    expect(warnings()).toHaveLength(5)
    expect(warnings()[0]).toBe('What pi #7 has sent describes no sensors, and is not kept: null')
  })

  test('knows one that keeps no identity by its hostname', async () => {
    const { keeping, master, introduce, kept } = await keeper()
    introduce({ hostname: 'python', uuid: 'none' })
    introduce(null)
    introduce({ hostname: 7 })
    keeping.take({ ...values, cpu_frequency: null }, master)
    expect(kept).toMatchObject([{ node: 'python', name: 'python' }])
    expect(kept[0]?.values).toEqual(values)
  })

  test('keeps nothing of a node that has not told who it is', async () => {
    const { keeping, master, kept, warnings } = await keeper()
    keeping.take(values, master)
    expect(kept).toEqual([])
    expect(warnings()).toEqual([
      `${master.address} has sent vitals before it has told who it is. They are not kept.`,
    ])
  })

  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`v${index}`, 1]))
  test.each([
    null,
    7,
    'x',
    [],
    [1],
    { cpu_percentage: '1' },
    { cpu_percentage: true },
    { cpu_percentage: Number.POSITIVE_INFINITY },
    { '': 1 },
    { Cpu: 1 },
    { 'a b': 1 },
    { '7': 1 },
    { [`a${'b'.repeat(40)}`]: 1 },
    { '\u001b[31m': 1 },
    many,
  ])('keeps no %j, and goes on', async (payload) => {
    const { keeping, master, introduce, kept, warnings, row } = await keeper()
    introduce({ hostname: 'pi', client: 7 })
    keeping.take(payload, master)
    expect([kept, row()]).toEqual([[], []])
    expect(warnings()).toEqual([expect.stringMatching(/^What pi #7 has sent are no vitals, and not kept: /)])
    keeping.take(values, master)
    expect(kept).toHaveLength(1)
  })

  test('keeps few of a node that sends without a pause', async () => {
    const { keeping, master, introduce, kept } = await keeper()
    introduce({ hostname: 'pi', client: 7 })
    const until = performance.now() + 120
    while (performance.now() < until) keeping.take(values, master)
    expect(kept.length).toBeLessThanOrEqual(4)
  })

  test('shows what it cannot date yet without a time, and dates it later', async () => {
    const { keeping, master, introduce, kept, held, row } = await keeper({ isKnown: false })
    introduce({ hostname: 'pi', client: 7, uuid })
    keeping.take(values, master)
    expect(kept).toEqual([])
    expect(row()).toEqual([[uuid, { node: uuid, name: 'pi #7', values }]])
    held[0]?.(2_000)
    expect(kept).toHaveLength(1)
    expect(row()[0]?.[1].time).toBe('1970-01-01T00:33:20.000Z')
    held[0]?.(1_000) // what is older does not replace it
    expect(row()[0]?.[1].time).toBe('1970-01-01T00:33:20.000Z')
  })

  test('forgets those that came first where there are very many', async () => {
    const { keeping } = await keeper({ mostNodes: 2 })
    for (const hostname of ['a', 'b', 'c']) {
      const { master } = await connectedPair()
      keeping.introduce(master, { hostname })
      keeping.take(values, master)
    }
    expect(keeping.table.entries().map(([node]) => node)).toEqual(['b', 'c'])
  })

  const history: History = { vital: 'ram_free', from: 0, to: 60, step: 60, times: [0], lines: [] }

  test('answers what its past was, and refuses what is no query', async () => {
    const { keeping, master, slave, queries, warnings } = await keeper({ answer: () => history })
    new Dialogue(master, { unknown: () => {}, answers: { history: keeping.history } }).ended.catch(() => {})
    const dialogue = new Dialogue(slave, { unknown: () => {} })
    dialogue.ended.catch(() => {})
    const ask = (about?: unknown) => dialogue.ask('history', { answer: 'history', about })
    const query = { vital: 'ram_free', from: 0, to: 60 }
    expect(await ask(query)).toEqual(history)
    expect(await ask({ ...query, node: uuid, more: 1 })).toEqual(history)
    expect(queries).toEqual([query, { ...query, node: uuid }])
    const wrong = [
      undefined,
      null,
      7,
      {},
      { ...query, from: 60 },
      { ...query, vital: 'a b' },
      { ...query, node: 7 },
    ]
    for (const about of wrong) await expect(ask(about)).rejects.toThrow(Refusal)
    expect(warnings()).toHaveLength(wrong.length)
    expect(warnings()[0]).toBe(`${master.address} asks for a history, and not of what: null`)
  })

  test('refuses what the store cannot answer, and says why', async () => {
    const { keeping, master, warnings } = await keeper()
    expect(await keeping.history(master, { vital: 'x', from: 0, to: 1 })).toBeUndefined()
    expect(warnings()).toEqual([`${master.address} asks for a history, and gets none: the disk is gone`])
  })

  test('leaves out lines of an answer that no frame could carry', async () => {
    const lines = Array.from({ length: 100 }, (_, index) => ({
      node: `${index}`,
      name: 'ü'.repeat(200),
      mean: Array(500).fill(1234567890.1234567),
    }))
    const { keeping, master } = await keeper({ answer: () => ({ ...history, lines, more: 3 }) })
    const answer = await keeping.history(master, { vital: 'x', from: 0, to: 1 })
    const payload = answer?.payload as History
    expect(asciiJson(answer).length).toBeLessThan(1024 * 1024)
    expect(payload.lines.length).toBeGreaterThan(50)
    expect(payload.lines.length + (payload.more ?? 0)).toBe(103)
  })
})
