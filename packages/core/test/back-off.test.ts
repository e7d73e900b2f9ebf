import { describe, expect, test } from 'vitest'
import { BackOff } from '../src/back-off.ts'

/** When each of some tries is, in seconds, if all moments are chosen so. */
function tries(count: number, random: () => number, longestPauseMs?: number): number[] {
  const backOff = new BackOff(random, longestPauseMs)
  let now = 0
  return Array.from({ length: count }, () => {
    now += backOff.next()
    return now / 1_000
  })
}

describe('the tries', () => {
  test.each([
    ['at the beginning of its window', 0, [0, 1, 3, 7, 15, 31, 61, 91]],
    ['in the middle of it', 0.5, [0.5, 2, 5, 11, 23, 46, 76, 106]],
  ])('are one in each window, %s', (_, random, expected) => {
    expect(tries(8, () => random)).toEqual(expected)
  })

  test('are a minute apart at most, and the first is within a second', () => {
    const extremes = [0.999_999, 0, 0.999_999, 0, 0.999_999, 0, 0.999_999, 0, 0.999_999]
    const all = tries(extremes.length, () => extremes.pop() as number)
    expect(all[0]).toBeLessThan(1)
    expect(Math.max(...all.map((at, index) => at - (all[index - 1] ?? 0)))).toBeLessThanOrEqual(60)
  })

  test('come sooner one after the other where no pause may be long', () => {
    expect(tries(7, () => 0, 3_200)).toEqual([0, 0.1, 0.3, 0.7, 1.5, 3.1, 4.7])
  })

  test('have no pause that is longer than is asked for', () => {
    const extremes = [0.999_999, 0, 0.999_999, 0, 0.999_999, 0, 0.999_999, 0]
    const backOff = new BackOff(() => extremes.pop() as number, 500)
    const pauses = Array.from({ length: extremes.length }, () => backOff.next())
    expect(Math.max(...pauses)).toBeLessThanOrEqual(500)
    expect(Math.max(...pauses)).toBeGreaterThan(499)
  })

  test('are at other moments for everybody', () => {
    const moments = Array.from({ length: 100 }, () => new BackOff().next())
    expect(new Set(moments).size).toBeGreaterThan(90)
    expect(Math.max(...moments)).toBeGreaterThan(800)
    expect(Math.min(...moments)).toBeLessThan(200)
  })

  test('begin again with the first window', () => {
    const backOff = new BackOff(() => 0)
    for (let count = 0; count < 5; count += 1) backOff.next()
    backOff.reset()
    expect([backOff.next(), backOff.next()]).toEqual([0, 1_000])
  })
})
