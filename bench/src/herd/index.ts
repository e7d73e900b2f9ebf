/** A thousand slaves whose master ends, is away for three seconds, and is there again. */
import { setTimeout as sleep } from 'node:timers/promises'
import getPort from 'get-port'
import { ask, end, program } from '../processes.ts'

export const SLAVES = 1_000

/** How long the master is away, in ms. */
export const AWAY_MS = 3_000

/** How long the slaves may take to come back, in ms. */
const DEADLINE_MS = 90_000

/** How slaves come back: the core's way, or the original's. */
export type Way = 'windows' | 'fixed'

/** When each slave came back, in ms after the loss, in order. */
export async function herd(way: Way): Promise<number[]> {
  const port = await getPort()
  const children = [program('herd/master.ts', [port])]
  try {
    await comings(children.at(-1))
    children.push(program('herd/slaves.ts', [port, SLAVES, way]))
    await allThere(children[0])
    const lostAt = Date.now()
    children[0]?.kill('SIGKILL')
    await sleep(AWAY_MS)
    children.push(program('herd/master.ts', [port]))
    return (await allThere(children.at(-1))).map((at) => at - lostAt)
  } finally {
    end(children)
  }
}

type Master = ReturnType<typeof program> | undefined

/** Waits until all slaves have come. */
async function allThere(master: Master): Promise<number[]> {
  const began = performance.now()
  for (;;) {
    const all = await comings(master)
    if (all.length >= SLAVES) return all
    if (performance.now() - began > DEADLINE_MS)
      throw new Error(`only ${all.length} of ${SLAVES} slaves came`)
    await sleep(100)
  }
}

function comings(master: Master): Promise<number[]> {
  if (!master) throw new Error('there is no master')
  return ask<number[]>(master, {})
}

/** The most that came within any one second. */
export function peak(comings: readonly number[]): number {
  let [most, first] = [0, 0]
  for (const [index, at] of comings.entries()) {
    while ((comings[first] ?? 0) <= at - 1_000) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}
