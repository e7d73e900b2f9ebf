import { createHistogram } from 'node:perf_hooks'

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
