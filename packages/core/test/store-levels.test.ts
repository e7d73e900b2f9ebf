import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Sample } from '../src/store-batch.ts'
import { emptyBatch } from '../src/store-batch.ts'
import { openFile, type StoreFile } from '../src/store-file.ts'
import { historyOf, planOf } from '../src/store-history.ts'
import { floorTo, type Keep } from '../src/store-levels.ts'
import { Recorder } from '../src/store-recorder.ts'
import { tempFolder } from './support.ts'

/** A moment at which an hour and a day begin. */
const BEGIN = 1_699_920_000
const HOUR = 3600
const DAY = 86_400
/** How long is looked for the shortest way to fail, in ms. */
const MOST_MS = 20_000

/** How many are tried. */
const RUNS = 15
const KEEP: Keep = { rawDays: 1, fiveMinutesDays: 30, hoursDays: 730, daysDays: Number.POSITIVE_INFINITY }

/** A store's file without its thread, opened and written here. */
class Kept {
  readonly #path = join(tempFolder(), 'vitals.db')
  readonly #keep: Keep
  #file: StoreFile
  recorder: Recorder

  constructor(keep: Partial<Keep> = {}) {
    this.#keep = { ...KEEP, ...keep }
    this.#file = openFile(this.#path)
    this.recorder = this.#record()
  }

  close(): void {
    this.#file.close()
  }

  rows(table: string): number {
    return this.#file.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0
  }

  restart(): void {
    this.#file.close()
    this.#file = openFile(this.#path)
    this.recorder = this.#record()
  }

  add(samples: Sample[]): void {
    this.recorder.commit({ ...emptyBatch(), samples })
  }

  /** Does all there is to do, or only so many steps of it. */
  work(steps = Number.POSITIVE_INFINITY): void {
    for (let step = 0; step < steps && this.recorder.upkeep(); step += 1);
  }

  /** What a vital was: for each node its points, with their times. */
  history(from: number, to: number, node?: string) {
    const query = { vital: 'load', from, to, ...(node !== undefined && { node }) }
    const options = { keep: this.#keep, sampleSeconds: 60, marks: this.recorder }
    const { numbers, count, first, step, nodes } = historyOf(this.#file, query, options)
    return { numbers, count, first, step, nodes }
  }

  #record(): Recorder {
    return new Recorder(this.#file, { keep: this.#keep, mostSeries: 10_000, outboxLimit: 10 })
  }
}

function sample(at: number, load: number, node = 'a'): Sample {
  return { node, name: node, at, values: { load } }
}

/** What the store is asked for in a test, and how wide a point is then. */
const SPANS = [
  [2 * HOUR, 60],
  [DAY, 300],
  [14 * DAY, HOUR],
  [300 * DAY, DAY],
] as const

test('each level agrees with a plain computation, however late samples come, and however often it is started again', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('samples' as const),
        // Time goes on by up to two days, and what comes is up to 23 hours late.
        ahead: fc.oneof(fc.integer({ min: 0, max: 4000 }), fc.integer({ min: 0, max: 2 * DAY })),
        samples: fc.array(
          fc.record({
            late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 23 * HOUR })),
            load: fc.float({ noNaN: true, min: -1000, max: 1000 }).map(Math.fround),
            node: fc.constantFrom('a', 'b', 'c'),
          }),
          { minLength: 1, maxLength: 12 },
        ),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('work' as const), steps: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 40 }), (steps) => {
      const kept = new Kept()
      const plain = new Map<string, Map<number, number>>()
      let now = BEGIN
      for (const step of steps) {
        if (step.kind === 'work') kept.work(step.steps)
        else if (step.kind === 'restart') kept.restart()
        else {
          now += step.ahead
          const samples = step.samples.map(({ late, load, node }) => sample(now - late, load, node))
          // The newest first would make the others late by more than may be.
          samples.push(sample(now, 1))
          kept.add(samples)
          for (const { node, at, values } of samples) {
            const line = plain.get(node) ?? new Map<number, number>()
            plain.set(node, line.set(at, values['load'] as number))
          }
        }
      }
      for (const isDone of [false, true]) {
        if (isDone) kept.work()
        // An hour for which something came late is not shown anew before it is done.
        else if (kept.rows('late_hours') > 0) continue
        for (const [span, width] of SPANS) {
          const to = floorTo(width, now) + width
          for (const [node, line] of plain) expectSame(kept.history(to - span, to, node), line, width)
        }
      }
      kept.close()
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: MOST_MS },
  )
})

function expectSame(
  { numbers, count, first, step }: ReturnType<Kept['history']>,
  line: Map<number, number>,
  width: number,
): void {
  expect(step).toBe(width)
  const points: number[][] = Array.from({ length: count }, () => [])
  for (const [at, load] of line) points[Math.floor((at - first) / step)]?.push(load)
  for (const [index, loads] of points.entries()) {
    const [mean, min, max] = [0, 1, 2].map((kind) => numbers[kind * count + index] ?? Number.NaN)
    if (loads.length === 0) {
      // A point of the finest level that its neighbours have stepped over.
      if (width > 60) expect(mean).toBeNaN()
      continue
    }
    // Each number has seven digits in a level, and six in an answer.
    const most = Math.max(1e-30, ...loads.map(Math.abs)) * 1e-5
    expect(Math.abs((mean as number) - loads.reduce((a, b) => a + b) / loads.length)).toBeLessThanOrEqual(
      most,
    )
    expect(Math.abs((min as number) - Math.min(...loads))).toBeLessThanOrEqual(most)
    expect(Math.abs((max as number) - Math.max(...loads))).toBeLessThanOrEqual(most)
  }
}

test('what is worked on when a sample comes for it is done again', () => {
  const kept = new Kept()
  // More series than are done in one step.
  kept.add(Array.from({ length: 600 }, (_, node) => sample(BEGIN + 10, 1, String(node))))
  kept.add([sample(BEGIN + 3 * HOUR, 0, 'z')])
  kept.work(1)
  kept.add([sample(BEGIN + 20, 3, '0')])
  kept.work()
  expect(kept.history(BEGIN, BEGIN + DAY, '0').numbers[0]).toBe(2)
  kept.add([sample(BEGIN + 30, 8, '0')])
  kept.work(1)
  kept.add([sample(BEGIN + 40, 8, '0')])
  kept.work()
  expect(kept.history(BEGIN, BEGIN + DAY, '0').numbers[0]).toBe(5)
  kept.close()
})

test('samples that are too old are deleted ten minutes at a time', () => {
  const kept = new Kept()
  for (let minute = 0; minute < 180; minute += 10) kept.add([sample(BEGIN + minute * 60, minute)])
  kept.add([sample(BEGIN + 3 * DAY, 0)])
  for (let before = 19; before > 1; ) {
    kept.work(1)
    expect(before - kept.rows('samples')).toBeLessThanOrEqual(1)
    before = kept.rows('samples')
  }
  kept.close()
})

test('each level is kept as long as it says', () => {
  const kept = new Kept({ fiveMinutesDays: 2, hoursDays: 5, daysDays: 40 })
  for (let hour = 0; hour < 80 * 24; hour += 3) {
    kept.add([sample(BEGIN + hour * HOUR, hour)])
    kept.work()
  }
  // What is older than it may be by less than a row of it.
  expect(kept.rows('samples')).toBe(9)
  expect(kept.rows('five_minutes')).toBeLessThanOrEqual(2 * 12 + 1)
  expect(kept.rows('hours')).toBeLessThanOrEqual(5 + 1)
  expect(kept.rows('days')).toBeLessThanOrEqual(3)
  const end = BEGIN + 80 * DAY
  expect(
    kept.history(end - 300 * DAY, end).numbers.filter((mean) => !Number.isNaN(mean)).length,
  ).toBeGreaterThanOrEqual(40)
  kept.close()
})

test('a question of a year is answered by days, of an hour by samples, and of what is deleted by what there is', () => {
  const marks = { now: BEGIN, hoursUpTo: BEGIN, daysUpTo: BEGIN, samplesFrom: BEGIN - DAY }
  const plan = (from: number, span: number) => {
    const { level, step, count } = planOf({ from, to: from + span }, { keep: KEEP, sampleSeconds: 60, marks })
    return [level?.table ?? 'samples', step, count]
  }
  expect(plan(BEGIN - 365 * DAY, 365 * DAY)).toEqual(['days', DAY, 365])
  expect(plan(BEGIN - 30 * DAY, 30 * DAY)).toEqual(['hours', 2 * HOUR, 360])
  expect(plan(BEGIN - 7 * DAY, 7 * DAY)).toEqual(['five_minutes', 1500, 404])
  expect(plan(BEGIN - DAY, DAY)).toEqual(['five_minutes', 300, 288])
  expect(plan(BEGIN - HOUR, HOUR)).toEqual(['samples', 60, 60])
  expect(plan(BEGIN - 3 * DAY, HOUR)).toEqual(['five_minutes', 300, 12])
  expect(plan(BEGIN - 60 * DAY, DAY)).toEqual(['hours', HOUR, 24])
  expect(plan(BEGIN - 1000 * DAY, DAY)).toEqual(['days', DAY, 1])
  expect(plan(0, BEGIN)[2]).toBeLessThanOrEqual(500)
  for (let span = 1; span < 3000 * DAY; span = Math.ceil(span * 1.3))
    expect(plan(BEGIN - span + 17, span)[2]).toBeLessThanOrEqual(500)
})

test('a clock that was ahead for a while spoils nothing that comes after', () => {
  // In the middle of a row: what is in the rest of it was rolled up before its time.
  const now = floorTo(2 * HOUR, Date.now() / 1000) + HOUR + 600
  const ahead = now + 20 * HOUR
  const kept = new Kept()
  vi.useFakeTimers({ toFake: ['Date'], now: (ahead + 1) * 1000 })
  onTestFinished(() => void vi.useRealTimers())
  kept.add([sample(now - 2 * HOUR, 1), sample(now + 1200, 10), sample(ahead, 100)])
  kept.work()
  expect(kept.recorder.hoursUpTo).toBe(floorTo(HOUR, ahead))

  vi.setSystemTime(now * 1000)
  kept.add([sample(now - 60, 2), sample(now + 1201, 20)])
  kept.work()
  expect(kept.recorder.now).toBe(now)
  expect(kept.recorder.hoursUpTo).toBeLessThanOrEqual(now)
  // It is not counted twice.
  const { numbers, count, step } = kept.history(ahead - DAY, ahead, 'a')
  expect(step).toBe(300)
  expect([...numbers.subarray(0, count)].filter((mean) => !Number.isNaN(mean))).toEqual([1, 2, 15])
  kept.close()
})
