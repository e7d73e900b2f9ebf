import { setTimeout as sleep } from 'node:timers/promises'

/** How long it is done before it is counted, and how long it is counted, in ms. */
const WARM_UP_MS = 500
const MEASURE_MS = 2_000

/** How many times a second something is done by some at once, each of whom begins anew when it is done. */
export async function rateOf(atOnce: number, work: (who: number) => Promise<unknown>): Promise<number> {
  let [done, isOver] = [0, false]
  const all = Promise.all(
    Array.from({ length: atOnce }, async (_, who) => {
      for (; !isOver; done += 1) await work(who)
    }),
  )
  await Promise.race([sleep(WARM_UP_MS), all])
  const [before, began] = [done, performance.now()]
  await Promise.race([sleep(MEASURE_MS), all])
  const perSecond = (1_000 * (done - before)) / (performance.now() - began)
  isOver = true
  await all
  return perSecond
}
