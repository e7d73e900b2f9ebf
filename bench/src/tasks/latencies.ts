import { createHistogram } from 'node:perf_hooks'
import { median } from 'simple-statistics'
import type { Sample } from '../measurement.ts'

/** How long something takes, one at a time: the median, in µs. */
export async function medianOf(times: number, work: () => Promise<unknown>): Promise<number> {
  const latencies = createHistogram() // of nanoseconds
  for (let n = 0; n < times; n += 1) {
    const began = process.hrtime.bigint()
    await work()
    latencies.record(Math.max(1, Number(process.hrtime.bigint() - began)))
  }
  return latencies.percentile(50) / 1_000
}

/** Of some turns, the median of each figure. */
export function mediansOf(turns: readonly Sample[]): Sample {
  const names = Object.keys(turns[0] ?? {})
  return Object.fromEntries(names.map((name) => [name, median(turns.map((turn) => turn[name] ?? 0))]))
}
