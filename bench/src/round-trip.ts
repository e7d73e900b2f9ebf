import type { ChildProcess } from 'node:child_process'
import { ask, end, holdToCore, program } from './processes.ts'

/** Requests of one turn. The turns are short, so that all see the same moods of the machine. */
const REQUESTS = 200

/** Turns of each in one round. */
const TURNS = 30

/** How long each warms up before the first turn, in ms: as long as in the other measurements. */
const WARM_UP_MS = 500

/** Microseconds, of all requests of one round. */
export interface Latency {
  p50: number
  p99: number
}

/**
 * One round of requests and answers of 62 bytes, one at a time, the contestants in turns.
 *
 * @param aCoreEach the two programs of a pair are held to a core each, as two nodes are on two machines.
 *   Otherwise the system may put both on one, and then it is work that is measured, and no waking up.
 */
export async function roundTrips(
  names: readonly string[],
  { aCoreEach = false } = {},
): Promise<Record<string, Latency>> {
  const pairs = new Map<string, ChildProcess[]>()
  try {
    for (const name of names) {
      const answerer = program('answerer.ts', [name])
      const asker = program('asker.ts', [name])
      pairs.set(name, [answerer, asker])
      if (aCoreEach) for (const [core, child] of [answerer, asker].entries()) holdToCore(child, core)
      await ask(asker, await ask<object>(answerer, {}))
      const began = performance.now()
      while (performance.now() - began < WARM_UP_MS) await ask(asker, { requests: REQUESTS })
      await ask(asker, { forget: true })
    }
    const found: Record<string, Latency> = {}
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [name, [, asker]] of pairs) {
        if (asker) found[name] = await ask<Latency>(asker, { requests: REQUESTS })
      }
    }
    return found
  } finally {
    for (const pair of pairs.values()) end(pair)
  }
}
