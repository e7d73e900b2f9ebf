/** A thousand slaves whose master ends, is away for three seconds, and is there again. */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import getPort, { portNumbers } from 'get-port'
import { ask, end, program } from '../processes.ts'
import type { MasterSays } from './master.ts'
import type { SlavesSay } from './slaves.ts'

export const SLAVES = 1_000

/** How long after its end the master is started again, in ms. It listens when it has started. */
export const AWAY_MS = 3_000

/** How long the slaves may take to come back, in ms. */
const DEADLINE_MS = 150_000

/**
 * Where no system takes ports for connections that go out, by default. Of a thousand slaves that try, one could otherwise
 * be given the master's own port to call from, and keep the master from it.
 */
const PORTS = portNumbers(20_000, 30_000)

/** How slaves come back: the core's way, the original's, and the formula that is known as full jitter. */
export const WAYS = ['windows', 'fixed', 'jitter'] as const

export type Way = (typeof WAYS)[number]

/** How a herd came back. All times are in ms after the loss. */
export interface Herd {
  /** When the master listened again. */
  listening: number
  /** When each slave came, in order. */
  comings: number[]
  /** How many tries found no master. */
  refused: number
}

/** Lets a herd lose its master and come back. */
export async function herd(way: Way): Promise<Herd> {
  const port = await getPort({ port: PORTS })
  const children: ChildProcess[] = []
  const start = (file: string, ...args: (string | number)[]) => {
    const child = program(`herd/${file}`, [port, ...args])
    children.push(child)
    return child
  }
  try {
    const first = start('master.ts')
    await ask(first, {}) // it listens
    const slaves = start('slaves.ts', SLAVES, way)
    await allThere(first)
    const lostAt = Date.now()
    first.kill('SIGKILL')
    await sleep(AWAY_MS)
    const { listeningAt, comings } = await allThere(start('master.ts'))
    return {
      listening: listeningAt - lostAt,
      comings: comings.map((at) => at - lostAt),
      refused: (await ask<SlavesSay>(slaves, {})).refused,
    }
  } finally {
    end(children)
  }
}

/** Waits until all slaves have come. */
async function allThere(master: ChildProcess): Promise<MasterSays> {
  const began = performance.now()
  for (;;) {
    const says = await ask<MasterSays>(master, {})
    const { length } = says.comings
    if (length >= SLAVES) return says
    if (performance.now() - began > DEADLINE_MS) throw new Error(`only ${length} of ${SLAVES} slaves came`)
    await sleep(100)
  }
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
