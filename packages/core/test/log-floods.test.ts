import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FloodGate } from '../src/log-floods.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A gate, and all that came through it: what it let, and the counts that it wrote. */
function gate() {
  const written: string[] = []
  const floodGate = new FloodGate((line) => log(line))
  const log = (line: string) => {
    if (floodGate.lets(line)) written.push(line)
  }
  return { written, log }
}

const times = (count: number, action: (n: number) => void) => [...Array(count).keys()].forEach(action)

test('ten warnings that begin alike are written, and the rest counted when five seconds are over', () => {
  const { written, log } = gate()
  times(25, (n) => log(`Too hot: ${n}`))
  expect(written).toEqual([...Array(10).keys()].map((n) => `Too hot: ${n}`))
  vi.advanceTimersByTime(4_999)
  expect(written).toHaveLength(10)
  vi.advanceTimersByTime(1)
  expect(written.slice(10)).toEqual(['Too hot: 15 more warnings that begin so, within 5 s'])
})

test('a flood that goes on is one line every five seconds; after a quiet time lines are written again', () => {
  const { written, log } = gate()
  times(11, (n) => log(`Too hot: ${n}`))
  for (const more of [3, 1]) {
    vi.advanceTimersByTime(5_000)
    times(more, (n) => log(`Too hot: ${n}`))
  }
  vi.advanceTimersByTime(10_000)
  log('Too hot: again')
  expect(written.slice(10)).toEqual([
    'Too hot: 1 more warning that begins so, within 5 s',
    'Too hot: 3 more warnings that begin so, within 5 s',
    'Too hot: 1 more warning that begins so, within 5 s',
    'Too hot: again',
  ])
})

test('ten warnings need no count', () => {
  const { written, log } = gate()
  times(10, () => log('Too hot'))
  vi.advanceTimersByTime(60_000)
  expect(written).toHaveLength(10)
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['A frame from the slave at 10.0.0.1:4000 is empty', 'A frame from the slave at 10.0.0.2:4000 is empty'],
  ['Lost the slave at [fe80::1]:4000: reset', 'Lost the slave at [fe80::2]:4000: reset'],
])('peers are told apart by their address, and not by their port: %s', (one, other) => {
  const { written, log } = gate()
  times(20, (n) => log(one.replace('4000', String(4000 + n))))
  log(other)
  expect(written).toHaveLength(11)
  expect(written.at(-1)).toBe(other)
})

test('what is counted is said when the program ends, and nobody listens for that without need', () => {
  const before = process.listeners('exit')
  const { written, log } = gate()
  times(12, () => log('Too hot'))
  const [atExit] = process.listeners('exit')
  expect(before).not.toContain(atExit)
  atExit?.(0)
  expect(written.at(-1)).toBe('Too hot: 2 more warnings that begin so, within 5 s')
  vi.advanceTimersByTime(10_000)
  expect(process.listeners('exit')).toEqual(before)
})

test('so many beginnings as one likes take no more memory than a thousand of them', () => {
  const { written, log } = gate()
  times(5_000, (n) => log(`Beginning ${n}: x`))
  expect(written).toHaveLength(1_010)
  expect(vi.getTimerCount()).toBe(1_001)
  vi.advanceTimersByTime(5_000)
  expect(written.at(-1)).toBe('Several things: 3990 more warnings that begin so, within 5 s')
})
