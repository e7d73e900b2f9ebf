/**
 * Fifty slaves under a master, real processes in real time, and every two seconds something happens to some of them: to a
 * line, to a process, to the master. When all of that is over, all is as it was. `pnpm chaos` lets it go on for ten
 * minutes, and `pnpm chaos --seed N` repeats the faults of a run. Fifty programs hold 2.5 GiB.
 */
import { randomInt } from 'node:crypto'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChapterCopy } from '@rpi-cluster/tutorial/harness'
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest'
import { type Drawn, drawnFaults, toldOf } from './support/drawn-faults.ts'
import { type ClusterOptions, type Held, TroubledCluster } from './support/troubled-cluster.ts'

const MINUTES = Number(process.env['CHAOS_MINUTES'] ?? 2)
const SEED = Number(process.env['CHAOS_SEED'] ?? randomInt(1_000_000_000))
const CHAPTER = process.env['CHAOS_CHAPTER'] ?? '13-slave-class'
/** Where the logs are to be kept. */
const LOGS = process.env['CHAOS_LOGS']

const SLAVES = 50
const FAULT_EVERY_MS = 2_000

/** How long to wait for the last: a silence of 15 s ends a connection, and up to a minute later comes the next try. */
const PATIENCE_MS = 120_000
/** How long all has to stay as it is then: longer than a silence. */
const STEADY_MS = 20_000

const MIB = 1024 * 1024

/**
 * How much more heap a master may hold afterwards, without its garbage: compiled code and what its log remembers of the
 * last minute took 1 to 2 MiB, as much after 400 connections as after 8,000.
 */
const MORE_HEAP_BYTES = 4 * MIB

/** How much more memory it may have: what held garbage is given back to the system slowly, and was up to 15 MiB after 8,000. */
const MORE_MEMORY_BYTES = 32 * MIB

test(`${SLAVES} slaves, ${MINUTES} minutes, a fault every two seconds, of seed ${SEED}`, {
  timeout: MINUTES * 60_000 + 4 * PATIENCE_MS,
}, async () => {
  console.log(`Chaos of seed ${SEED}: pnpm chaos --seed ${SEED} --minutes ${MINUTES} repeats these faults.`)
  const happened: string[] = []
  onTestFailed(() => console.log(happened.join('\n')))
  const cluster = await troubledCluster(CHAPTER, { slaves: SLAVES, speed: 1 })
  if (LOGS !== undefined) onTestFinished(() => keepLogs(cluster.folder, LOGS, happened))
  await cluster.isWhole({ steadyMs: 0, patienceMs: PATIENCE_MS })
  const before = await cluster.held()

  const faults = drawnFaults(SEED, Math.round((MINUTES * 60_000) / FAULT_EVERY_MS), SLAVES)
  const began = performance.now()
  for (const [index, fault] of faults.entries()) {
    happened.push(`${new Date().toISOString()} ${toldOf(fault)}`)
    cluster.strike(fault)
    await sleep(began + (index + 1) * FAULT_EVERY_MS - performance.now())
  }
  happened.push(`${new Date().toISOString()} all is healed`)
  await cluster.heal()
  const backAfterMs = await cluster.isWhole({ steadyMs: STEADY_MS, patienceMs: PATIENCE_MS })

  const after = await cluster.held()
  console.log(report(faults, before, after, backAfterMs, cluster))
  expect([after.open, after.sockets], 'sockets of the master').toEqual([before.open, before.sockets])
  expect(after.open).toBe(SLAVES)
  expect(after.heapUsed - before.heapUsed, 'more heap').toBeLessThan(MORE_HEAP_BYTES)
  expect(after.rss - before.rss, 'more memory').toBeLessThan(MORE_MEMORY_BYTES)
  await cluster.stop()
})

describe('what is not healed is noticed:', () => {
  /** By the fast clock, which makes 1.5 s of a silence. */
  const FAST = { slaves: 3, speed: 10 }

  async function isNotWhole(chapter: string, fault: Drawn, change?: [from: string, to: string]) {
    const cluster = await troubledCluster(chapter, FAST, change)
    await cluster.isWhole({ steadyMs: 0, patienceMs: PATIENCE_MS })
    cluster.strike(fault)
    await sleep(fault.forMs)
    await cluster.heal()
    return expect(cluster.isWhole({ steadyMs: 3_000, patienceMs: 6_000 })).rejects
  }

  test('a slave that ends when it loses its master', async () => {
    const fault: Drawn = { kind: 'cut', slaves: [1], by: 'reset', forMs: 100 }
    await (await isNotWhole('10-disconnection', fault)).toThrow('slave 2 has ended, with 1')
  })

  test('a ghost, in the roster of a master that watches nobody', async () => {
    const fault: Drawn = { kind: 'half-open', slaves: [0], gone: 'client', forMs: 100 }
    const change: [string, string] = ['  watch(slave)\n', '']
    await (await isNotWhole('11-reconnection', fault, change)).toThrow('the roster has 4, ghosts among them')
  })

  test('connections that a master keeps for ever', async () => {
    const cluster = await troubledCluster('11-reconnection', FAST, [
      '  roster.add(slave)\n',
      '  roster.add(slave)\n  kept.push(slave)\n',
    ])
    await cluster.isWhole({ steadyMs: 0, patienceMs: PATIENCE_MS })
    const before = await cluster.held()
    cluster.strike({ kind: 'cut', slaves: [0, 1, 2], by: 'end', forMs: 100 })
    await sleep(100)
    await cluster.heal()
    await cluster.isWhole({ steadyMs: 0, patienceMs: PATIENCE_MS })
    const after = await cluster.held()
    expect([before.open, after.open]).toEqual([3, 3])
    expect(after.sockets).toBeGreaterThan(before.sockets)
  })
})

/** @param change what to write in the place of what in the master's program */
async function troubledCluster(
  name: string,
  options: ClusterOptions,
  change?: [from: string, to: string],
): Promise<TroubledCluster> {
  const chapter = await ChapterCopy.make(name)
  onTestFinished(() => chapter.remove())
  if (change) {
    const program = await readFile(join(chapter.folder, 'src/master.ts'), 'utf8')
    const changed = program.replace(...change).replace('const handlers', 'const kept: unknown[] = []\n$&')
    expect(changed).not.toContain(change[0] + change[1])
    await chapter.write('src/master.ts', changed)
  }
  const cluster = await TroubledCluster.start(chapter, options)
  onTestFinished(() => cluster.end())
  return cluster
}

async function keepLogs(from: string, to: string, happened: readonly string[]): Promise<void> {
  await mkdir(to, { recursive: true })
  await cp(from, to, { recursive: true, filter: (path) => path === from || path.endsWith('.log') })
  await writeFile(join(to, 'faults.txt'), `${happened.join('\n')}\n`)
}

function report(
  faults: readonly Drawn[],
  before: Held,
  after: Held,
  backAfterMs: number,
  { figures }: TroubledCluster,
): string {
  const kinds = new Map<string, number>()
  for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`
  const told = ({ heapUsed, rss, open, sockets }: Held) =>
    `heap ${mib(heapUsed)}, memory ${mib(rss)}, ${open} open of ${sockets} sockets`
  return [
    `${faults.length} faults: ${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
    `The last was back ${(backAfterMs / 1000).toFixed(1)} s after all was healed. There were ${figures.processes} processes, and ${figures.connections} joins since the master's last start`,
    `The master before: ${told(before)}`,
    `The master after:  ${told(after)}`,
  ].join('\n')
}
