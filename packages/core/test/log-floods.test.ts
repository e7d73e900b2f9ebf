import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FloodGate } from '../src/log-floods.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.advanceTimersByTime(600_000) // every gate forgets what it knows
  vi.useRealTimers()
})

const [DEBUG, INFO, WARN, FATAL] = [20, 30, 40, 60]

/** A gate, and all that came through it: what it let, and the counts that it wrote. */
function gate({ length = 100 } = {}) {
  const written: string[] = []
  const levels: number[] = []
  const floodGate: FloodGate = new FloodGate((line, level) => log(line, level))
  const log = (line: string, level = INFO) => {
    if (!floodGate.lets(line, level)) return
    floodGate.charge('x'.repeat(length))
    written.push(line)
    levels.push(level)
  }
  const warn = (line: string) => log(line, WARN)
  /** What was written since the last call. */
  const news = () => written.splice(0)
  return { written, levels, log, warn, news }
}

const times = (count: number, action: (n: number) => void) => [...Array(count).keys()].forEach(action)
const period = () => void vi.advanceTimersByTime(5_000)

describe('warnings', () => {
  test('ten that begin alike are written, and the rest counted when five seconds are over', () => {
    const { written, warn } = gate()
    times(25, (n) => warn(`Too hot: ${n}`))
    expect(written).toEqual([...Array(10).keys()].map((n) => `Too hot: ${n}`))
    vi.advanceTimersByTime(4_999)
    expect(written).toHaveLength(10)
    vi.advanceTimersByTime(1)
    expect(written.slice(10)).toEqual(['Too hot: 15 more warnings that begin so, within 5 s'])
  })

  test('that go on are one line every five seconds; after a quiet time they are written again', () => {
    const { written, warn } = gate()
    times(11, (n) => warn(`Too hot: ${n}`))
    for (const more of [3, 1]) {
      period()
      times(more, (n) => warn(`Too hot: ${n}`))
    }
    vi.advanceTimersByTime(10_000)
    warn('Too hot: again')
    expect(written.slice(10)).toEqual([
      'Too hot: 1 more warning that begins so, within 5 s',
      'Too hot: 3 more warnings that begin so, within 5 s',
      'Too hot: 1 more warning that begins so, within 5 s',
      'Too hot: again',
    ])
  })

  test.each([
    ['A frame from the slave at 10.0.0.1:4000 is empty', 'A frame from the slave at 10.0.0.2:4000 is empty'],
    ['Lost the slave at [fe80::1]:4000: reset', 'Lost the slave at [fe80::2]:4000: reset'],
  ])('tell peers apart by their address, and not by their port: %s', (one, other) => {
    const { written, warn } = gate()
    times(20, (n) => warn(one.replace('4000', String(4000 + n))))
    warn(other)
    expect(written).toHaveLength(11)
    expect(written.at(-1)).toBe(other)
  })

  test('ten need no count, and nothing is remembered of them for ever', () => {
    const { written, warn } = gate()
    times(10, () => warn('Too hot'))
    vi.advanceTimersByTime(120_000)
    expect(written).toHaveLength(10)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('lines of what peers do', () => {
  const message = (port: number, text: unknown) => `Received message from 127.0.0.1:${port}: ${text}`

  test('a hundred messages at once are all written', () => {
    const { written, log } = gate({ length: 180 })
    times(100, (n) => log(message(4000, n)))
    expect(written).toHaveLength(100)
    period()
    expect(written).toHaveLength(100)
  })

  test('a slave that floods for ever is ten lines and a count every five seconds, whatever it sends', () => {
    const { levels, log, news } = gate()
    times(3_000, (n) => log(message(4000, n)))
    expect(news()).toHaveLength(100)
    for (let n = 0; n < 5; n += 1) {
      period()
      times(3_000, (m) => log(message(4000, m), n % 2 ? DEBUG : INFO))
      const [count, ...lines] = news()
      expect(count).toMatch(
        /^Received message from 127\.0\.0\.1:4000: 29\d\d more lines that begin so, within 5 s$/,
      )
      expect(lines).toHaveLength(10)
    }
    expect(new Set(levels)).toEqual(new Set([DEBUG, INFO]))
  })

  test('long lines cost more', () => {
    const { log, news } = gate({ length: 2_560 })
    times(1_000, (n) => log(message(4000, n)))
    expect(news()).toHaveLength(10)
    period()
    times(1_000, (n) => log(message(4000, n)))
    expect(news()).toHaveLength(2) // the count, and one
  })

  test('a peer that connects anew for each message has a bound, and others are still seen', () => {
    const { log, news } = gate({ length: 200 })
    log(message(1000, 'good'))
    period()
    log(message(1000, 'good'))
    let port = 2000
    const flood = () =>
      times(2_000, () => {
        port += 1
        for (const line of [
          `Got client at 127.0.0.1:${port}`,
          message(port, 'x'),
          `Client disconnected at 127.0.0.1:${port}`,
        ])
          log(line)
      })
    flood()
    const atOnce = news().length
    expect(atOnce).toBeGreaterThan(300)
    expect(atOnce).toBeLessThan(600)
    for (let n = 0; n < 30; n += 1) {
      period()
      const counts = news()
      expect(counts).toHaveLength(3)
      expect(counts).toContainEqual(
        expect.stringMatching(/^Got client at 127\.0\.0\.1: \d+ more lines that begin so/),
      )
      flood()
      log(message(1000, 'good'))
      flood()
      const lines = news()
      expect(lines.length).toBeLessThanOrEqual(161)
      expect(lines).toContain(message(1000, 'good'))
    }
  })

  test('a peer that keeps fifty connections and floods through all of them leaves the others theirs', () => {
    const { log, news } = gate({ length: 250 })
    const flood = () => times(50, (n) => times(200, (m) => log(message(2000 + n, m))))
    log(message(1000, 'good'))
    period()
    let lines = 0
    for (let n = 0; n < 50; n += 1) {
      flood()
      log(message(1000, `good ${n}`))
      log(message(1000, `good as well ${n}`))
      const written = news()
      if (n > 0)
        expect(written).toEqual(
          expect.arrayContaining([message(1000, `good ${n}`), message(1000, `good as well ${n}`)]),
        )
      if (n >= 10) lines += written.length
      period()
    }
    expect(lines / 40).toBeLessThan(175) // with ten counts
  })

  // Under the clock of the tests, too: the gate's own period is shorter there in the same way.
  test('fifty slaves that start together and beat every five seconds lose nothing', () => {
    const { written, log } = gate({ length: 200 })
    const slaves = [...Array(50).keys()].map((n) => 4000 + n)
    for (const port of slaves) {
      log(`Got client at 127.0.0.1:${port}`)
      log(`Machine specifications of 127.0.0.1:${port}: {}`)
    }
    for (let beat = 0; beat < 100; beat += 1) {
      for (const port of slaves) log(message(port, 'I am still alive'))
      vi.advanceTimersByTime(5_000 + (beat % 3) - 1)
    }
    for (const port of slaves) log(`Client disconnected at 127.0.0.1:${port}`)
    expect(written).toHaveLength(50 * (2 + 100 + 1))
  })

  test('lines of two slaves at one IPv6 address are told apart', () => {
    const { written, log } = gate()
    times(200, (n) => log(`Received message from [fe80::1]:4000: ${n}`))
    log('Received message from [fe80::1]:4001: other')
    expect(written).toHaveLength(101)
  })

  test('what has no beginning, and what has a very long one, has a bound as well', () => {
    const { written, log } = gate()
    times(200, () => log(''))
    times(200, (n) => log(`${'x'.repeat(5_000)}${n}`))
    expect(written).toHaveLength(200)
    period()
    expect(written.slice(200)).toEqual([
      'Lines without a beginning: 100 more lines that begin so, within 5 s',
      `${'x'.repeat(100)}: 100 more lines that begin so, within 5 s`,
    ])
  })
})

test('so many kinds as one likes are a few counts, and no more than a thousand of them are remembered', () => {
  const { written, log } = gate()
  times(5_000, (n) => log(`Beginning ${n}: x`, n % 2 ? INFO : WARN))
  expect(written).toHaveLength(750)
  period()
  expect(written).toHaveLength(760)
  expect(written.at(-1)).toBe('Lines of 992 other kinds: 992 more warnings that begin so, within 5 s')
})

test('a fatal line is written, with all that comes after it, and counts before it', () => {
  const { written, log } = gate()
  times(5_000, (n) => log(`Beginning: ${n}`))
  log('The end', FATAL)
  log('Where the mistake was', DEBUG)
  times(200, (n) => log(`Beginning: ${n}`))
  expect(written.slice(100, 103)).toEqual([
    'Beginning: 4900 more lines that begin so, within 5 s',
    'The end',
    'Where the mistake was',
  ])
  expect(written).toHaveLength(303)
})

test('what is counted is said when the program ends, and what comes then is written', () => {
  const before = process.listeners('exit')
  const { written, log, warn } = gate()
  times(600, (n) => log(`Beginning ${n}`))
  times(12, () => warn('Too hot'))
  const [atExit] = process.listeners('exit')
  expect(before).not.toContain(atExit)
  expect(gate().log('Another log')).toBeUndefined()
  expect(process.listeners('exit')).toHaveLength(before.length + 1)
  atExit?.(0)
  log('Stopped')
  expect(written.at(-1)).toBe('Stopped')
  expect(written.slice(500).join()).toMatch(/Too hot: 2 more warnings that begin so/)
})

test('a message of a megabyte is not kept because of its beginning', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const memory = () => {
    collectGarbage()
    return process.memoryUsage().heapUsed + process.memoryUsage().external
  }
  const { log, news } = gate()
  const big = Buffer.alloc(1024 * 1024, 'x')
  const before = memory()
  times(100, (n) => {
    log(`Beginning number ${n}: ${big.toString('latin1')}`)
    news()
  })
  expect(memory() - before).toBeLessThan(50_000_000)
})
