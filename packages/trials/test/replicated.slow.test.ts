/**
 * The queue that all nodes have, those of chapter 27, real processes: again and again one of them is killed, stopped, frozen, cut
 * off or slow, or the power of all is cut, while tasks are handed in. When all is over, each task that was acknowledged is done, and
 * its result is right. `pnpm --filter @rpi-cluster/trials replicated` lets it go on for longer; with `--seed N` it repeats the
 * faults of a run.
 */
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskEnd } from '@rpi-cluster/core/tasks'
import { bundleChapter } from '@rpi-cluster/tutorial/bundle/bundle-chapter'
import { readChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test, vi } from 'vitest'
import { drawnClusterFaults, toldOf } from './support/drawn-cluster-faults.ts'
import { ReplicatedCluster, type Submitter } from './support/replicated-cluster.ts'

const MINUTES = Number(process.env['REPLICATED_MINUTES'] ?? 0.5)
const SIZES = (process.env['REPLICATED_NODES'] ?? '3,5').split(',').map(Number)
const SEED = Number(process.env['REPLICATED_SEED'] ?? randomInt(1_000_000_000))
const TIMES = Number(process.env['REPLICATED_TIMES'] ?? 3)
const ELECTION_MS = Number(process.env['REPLICATED_ELECTION_MS'] ?? 150)

/** Where what happened is to be kept, and where it is when something was wrong. */
const LOGS = process.env['REPLICATED_LOGS']
const FAILED_LOGS = LOGS ?? join(tmpdir(), 'replicated-trial-logs')

const SUBMITTERS = 4

/** How long a submitter rests between two tasks, in ms at most, and how many of its own may be open. */
const REST_MS = 100
const MOST_OPEN = 200

/** How long a task takes, in s at most. */
const TASK_S = 0.05

/** How long all of it may take after the last fault, in ms: what waits for its sixth try to connect, and then is done. */
const PATIENCE_MS = 120_000

let programs = ''
beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'replicated-trial-programs-'))
  const chapter = join(import.meta.dirname, '../../../chapters/27-replicated-tasks')
  await bundleChapter(readChapter(chapter), programs)
})
afterAll(() => rm(programs, { recursive: true }))

test.for(SIZES)(
  `%i nodes: each task that was acknowledged is done, whatever happens in ${MINUTES} minutes`,
  {
    timeout: 120_000 + PATIENCE_MS + MINUTES * 60_000,
  },
  async (size) => {
    const cluster = await begin({ size, seed: SEED, electionMs: 1_000, heartbeatMs: 100 })
    onTestFailed(() => console.log(repeats(size)))
    const trial = new Trial(cluster)
    await trial.begin()

    const until = performance.now() + MINUTES * 60_000
    const faults = drawnClusterFaults(SEED, Math.ceil((MINUTES * 60_000) / 500), size)
    const struck = new Map<string, number>()
    for (const fault of faults) {
      await sleep(Math.min(fault.afterMs, until - performance.now()))
      if (performance.now() >= until) break
      cluster.tell(
        `${toldOf(fault)}${'whom' in fault && fault.whom === 'leader' ? `: ${cluster.leader}` : ''}`,
      )
      struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1)
      cluster.strike(fault)
    }
    cluster.heal()
    cluster.tell('all is healed')
    const healedAt = performance.now()

    await Promise.race([trial.finish(), sleep(PATIENCE_MS)])
    const tookMs = performance.now() - healedAt
    expect(await trial.whatIsWrong()).toEqual([])
    await vi.waitFor(() => {
      const { details } = cluster
      expect(details.map(({ open }) => open)).toEqual(cluster.names.map(() => 0))
      expect(new Set(details.map(({ applied }) => applied)).size).toBe(1)
    }, PATIENCE_MS)
    const ends = await cluster.stop()
    expect([...ends].filter(([, end]) => end !== 0)).toEqual([])
    expect(
      cluster.lines.filter((line) => /\] (ERROR|FATAL) \(| {4}at /.test(line)),
      'lines that no program should print',
    ).toEqual([])
    const kinds = [...struck].map(([kind, count]) => `${kind} ${count}`).join(', ')
    console.log(
      `Seed ${SEED}, ${size} nodes, ${MINUTES} minutes, faults: ${kinds}. ${await trial.report()} All were done ${(tookMs / 1000).toFixed(1)} s after the last fault.`,
    )
  },
)

test(`tasks can be handed in again soon after whoever leads was killed, ${TIMES} times`, {
  timeout: 120_000 + 30_000 * TIMES,
}, async () => {
  const heartbeatMs = Math.round(ELECTION_MS / 5)
  const cluster = await begin({ size: 3, seed: SEED, electionMs: ELECTION_MS, heartbeatMs })
  const submitter = await cluster.submitter()
  const pauses: number[] = []
  const stopping = new AbortController()
  let [count, acknowledgedAt] = [0, 0]
  const handsIn = (async () => {
    while (!stopping.signal.aborted) {
      await submitter.tasks.submit([taskOf(`pause/${count}`)], { stop: stopping.signal }).catch(() => {})
      acknowledgedAt = performance.now()
      count += 1
    }
  })()
  onTestFinished(() => stopping.abort())
  for (let time = 0; time < TIMES; time += 1) {
    await vi.waitFor(() => expect(cluster.details).toHaveLength(3), PATIENCE_MS)
    await sleep(2_000 + Math.random() * 100)
    const before = acknowledgedAt
    const handedIn = count
    cluster.strike({ kind: 'killed', whom: 'leader', afterMs: 0, forMs: 1_500 })
    const lastAt = Math.max(before, acknowledgedAt)
    // What was on its way to the submitter when the leader was killed is no sign of another leader.
    await vi.waitFor(() => expect(count > handedIn + 2 && acknowledgedAt > lastAt).toBe(true), {
      timeout: PATIENCE_MS,
      interval: 1,
    })
    pauses.push(performance.now() - lastAt)
    await sleep(1_500)
  }
  stopping.abort()
  await handsIn
  pauses.sort((one, other) => one - other)
  const at = (part: number) => Math.round(pauses[Math.floor(part * (pauses.length - 1))] ?? 0)
  console.log(
    `Time-outs of ${ELECTION_MS} to ${2 * ELECTION_MS} ms, ${TIMES} times: the next task was taken after ${at(0.5)} ms (median), ${at(0.9)} ms (9 of 10), ${at(1)} ms (the worst)`,
  )
})

/** What was handed in, and what came of it. */
class Trial {
  readonly #cluster: ReplicatedCluster
  readonly #stop = new AbortController()
  readonly #acknowledged = new Set<string>()
  readonly #ends = new Map<string, TaskEnd>()
  readonly #working: Promise<void>[] = []
  #submitters: Submitter[] = []
  #poisoned = 0
  #longestPauseMs = 0
  #lastAt = performance.now()

  constructor(cluster: ReplicatedCluster) {
    this.#cluster = cluster
  }

  async begin(): Promise<void> {
    for (let who = 0; who < SUBMITTERS; who += 1) this.#submitters.push(await this.#cluster.submitter())
    for (const [who, submitter] of this.#submitters.entries())
      this.#working.push(this.#handIn(submitter, who), this.#hear(submitter))
  }

  /** Hands in no more. Resolves when all that was has ended. */
  async finish(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#working)
  }

  async #handIn({ tasks }: Submitter, who: number): Promise<void> {
    for (let count = 0; !this.#stop.signal.aborted; count += 1) {
      const id = `${who}/${count}`
      // Not to be stopped: what was begun to be handed in is to be acknowledged.
      await tasks.submit([taskOf(id)], { follow: true, stop: new AbortController().signal })
      const now = performance.now()
      this.#longestPauseMs = Math.max(this.#longestPauseMs, now - this.#lastAt)
      this.#lastAt = now
      this.#acknowledged.add(id)
      do await sleep(Math.random() * REST_MS)
      while (tasks.open > MOST_OPEN && !this.#stop.signal.aborted)
    }
  }

  async #hear({ tasks }: Submitter): Promise<void> {
    while (!this.#stop.signal.aborted || tasks.open > 0) {
      for await (const end of tasks.ends()) {
        if (end.kind === 'poison') await this.#again(tasks, end.id)
        else this.#ends.set(end.id, end)
      }
      await sleep(20)
    }
  }

  /** What was with a few nodes that were lost may be tried again, and is as if it had just come. */
  async #again(tasks: Submitter['tasks'], id: string): Promise<void> {
    this.#poisoned += 1
    for (;;) {
      try {
        await tasks.retry({ ids: [id] })
        await tasks.submit([taskOf(id)], { follow: true, stop: new AbortController().signal })
        return
      } catch {
        await sleep(200) // nobody leads at the moment
      }
    }
  }

  async whatIsWrong(): Promise<string[]> {
    const written = new Set(await this.#cluster.written('notes.txt'))
    return [...this.#acknowledged].flatMap((id) => {
      const end = this.#ends.get(id)
      if (!end) return [`${id} was acknowledged, and has not ended`]
      if (end.state !== 'done') return [`${id} is ${end.state}, ${end.kind}: ${end.reason}`]
      if (end.result !== `Written: ${id}`) return [`${id} has the result ${end.result}`]
      return written.has(id) ? [] : [`${id} was done by nobody`]
    })
  }

  async report(): Promise<string> {
    const times = new Map<string, number>()
    for (const id of await this.#cluster.written('notes.txt')) times.set(id, (times.get(id) ?? 0) + 1)
    const more = [...times.values()].filter((count) => count > 1)
    const most = Math.max(0, ...times.values())
    return `${this.#acknowledged.size} tasks were acknowledged, and all are done; ${more.length} of them more than once, at most ${most} times; ${this.#poisoned} had lost three nodes and were tried again. At the longest none was acknowledged for ${(this.#longestPauseMs / 1000).toFixed(1)} s.`
  }
}

function taskOf(id: string) {
  return { id, name: 'note', input: { file: 'notes.txt', line: id, seconds: Math.random() * TASK_S } }
}

function repeats(size: number): string {
  return `pnpm --filter @rpi-cluster/trials replicated --seed ${SEED} --minutes ${MINUTES} --nodes ${size} repeats the faults of this run. What the programs have said is in ${FAILED_LOGS}.`
}

async function begin(options: {
  size: number
  seed: number
  electionMs: number
  heartbeatMs: number
}): Promise<ReplicatedCluster> {
  const cluster = await ReplicatedCluster.start({ programs, ...options })
  onTestFinished(() => cluster.end())
  const keep = async () => {
    const folder = LOGS ?? FAILED_LOGS
    await mkdir(folder, { recursive: true })
    await writeFile(
      join(folder, `${options.seed}-${options.size}-nodes-${options.electionMs}-ms.log`),
      `${cluster.lines.join('\n')}\n`,
    )
  }
  if (LOGS !== undefined) onTestFinished(keep)
  else onTestFailed(keep)
  return cluster
}
