import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask, end, lineProgram, program } from '../processes.ts'
import type { Report } from './master.ts'
import type { Done, Order } from './slaves.ts'

const SLAVES = 10_000

/** How long the beats are watched, in ms, and how often each slave sends one. */
const WATCH_MS = 20_000
const BEAT_MS = 5_000

/** How long 1,000 slaves are watched, in ms: once idle, once talking. */
const THOUSAND_WATCH_MS = 5_000

/** How long 10,000 hellos may take, in ms. */
const HELLO_DEADLINE_MS = 60_000

/** Who is measured: a master with the core, with bare sockets, or the original's way, in Python with a thread a slave. */
type Kind = 'core' | 'bare' | 'threads'

const THREADS = fileURLToPath(new URL('../contestants/threads.py', import.meta.url))

/** A master with its slaves' processes, each of which connects from an address of its own. */
function cluster(kind: Kind) {
  const children = [
    kind === 'threads'
      ? lineProgram('python3', [THREADS])
      : program('cluster/master.ts', [kind], ['--expose-gc']),
  ]
  const [master] = children as [(typeof children)[0]]
  const report = (collect = false) => ask<Report>(master, { collect })
  return {
    report,
    async slaves(processes: number) {
      const { port } = await report()
      const started = Array.from({ length: processes }, (_, n) =>
        program('cluster/slaves.ts', [port, `127.0.0.${n + 1}`]),
      )
      children.push(...started)
      await Promise.all(started.map((slaves) => ask<Done>(slaves, {})))
      return (order: Order) => Promise.all(started.map((slaves) => ask<Done>(slaves, order)))
    },
    end: () => end(children),
  }
}

/** Memory that one idle connected slave takes of the master, in bytes: what the last 9,000 of 10,000 added. */
export async function idleMemory(kind: 'core' | 'bare'): Promise<number> {
  const { report, slaves, end } = cluster(kind)
  try {
    const tell = await slaves(1)
    await tell({ connect: SLAVES / 10, atATime: 100 })
    const before = await settled(report)
    await tell({ connect: SLAVES - SLAVES / 10, atATime: 100 })
    const after = await settled(report)
    return (after.memory - before.memory) / (after.connected - before.connected)
  } finally {
    end()
  }
}

/** Memory after a collection, when everything has arrived. */
async function settled(report: (collect?: boolean) => Promise<Report>): Promise<Report> {
  await sleep(1000)
  return report(true)
}

/** What a master takes for 1,000 slaves. */
export interface Thousand {
  /** What they add to its memory, in bytes. */
  memory: number
  /** The share of one core that it takes while they say nothing. */
  idle: number
  /** The share of one core that it takes while each says something once a second. */
  talking: number
}

/** A master of 1,000 slaves, which first say nothing, and then talk. */
export async function thousand(kind: Kind): Promise<Thousand> {
  const { report, slaves, end } = cluster(kind)
  const count = 1_000
  const share = async (expected: number) => {
    const before = await report()
    const began = performance.now()
    await sleep(THOUSAND_WATCH_MS)
    const after = await report()
    const took = performance.now() - began
    const came = after.messages - before.messages
    if (came < 0.9 * expected) throw new Error(`only ${came} of ${expected} messages came`)
    return (after.cpuMs - before.cpuMs) / took
  }
  try {
    const tell = await slaves(1)
    const before = await settled(report)
    await tell({ connect: count, atATime: 100 })
    const after = await settled(report)
    if (after.connected !== count) throw new Error(`only ${after.connected} of ${count} slaves are connected`)
    const idle = await share(0)
    await tell({ beatEveryMs: 1_000 })
    await sleep(THOUSAND_WATCH_MS) // to warm up
    const talking = await share((count * THOUSAND_WATCH_MS) / 1_000)
    return { memory: after.memory - before.memory, idle, talking }
  } finally {
    end()
  }
}

/** The share of one core that the master takes while 10,000 slaves send a beat every 5 s. */
export async function beats(kind: 'core' | 'bare'): Promise<number> {
  const { report, slaves, end } = cluster(kind)
  try {
    const tell = await slaves(1)
    await tell({ connect: SLAVES, atATime: 100, beatEveryMs: BEAT_MS })
    await sleep(BEAT_MS) // to warm up
    const before = await report()
    const began = performance.now()
    await sleep(WATCH_MS)
    const after = await report()
    const took = performance.now() - began
    const expected = (SLAVES * took) / BEAT_MS
    const came = after.messages - before.messages
    if (came < 0.9 * expected) throw new Error(`only ${came} of ${Math.round(expected)} beats came`)
    return (after.cpuMs - before.cpuMs) / took
  } finally {
    end()
  }
}

/** What came of 10,000 slaves that connected at the same moment. */
export interface Hellos {
  /** From the first to connect to the last hello at the master, in ms. */
  tookMs: number
  failed: number
  /** Slaves whose first message did not arrive. */
  lost: number
}

/** 10,000 slaves connect at once, from four processes, and each says hello. */
export async function hellos(): Promise<Hellos> {
  const { report, slaves, end } = cluster('core')
  try {
    const tell = await slaves(4)
    const began = performance.now()
    const done = await tell({ connect: SLAVES / 4 })
    let heard = await report()
    while (heard.hellos < SLAVES && performance.now() - began < HELLO_DEADLINE_MS) {
      await sleep(10)
      heard = await report()
    }
    const tookMs = performance.now() - began
    const failed = done.reduce((sum, { failed }) => sum + failed, 0)
    return { tookMs, failed, lost: SLAVES - heard.hellos }
  } finally {
    end()
  }
}
