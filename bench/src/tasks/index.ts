/** What it costs to have tasks done: beside BullMQ, beside a pool without a network, and on nodes that are slow. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sample } from '../measurement.ts'
import { ask, end, program, told } from '../processes.ts'
import { bullmqRate } from './bullmq.ts'
import { type Group, heldTo } from './cgroup.ts'
import { makeKeys, NODES } from './keys.ts'
import { mediansOf } from './latencies.ts'
import type { PrimaryOrder, PrimaryReport } from './primary.ts'
import type { SubmitterOrder, SubmitterReport } from './submitter.ts'

/** How many empty tasks are done, after how many to warm up: of BullMQ a third, since it takes three times as long. */
const EMPTY = { warmUp: 30_000, tasks: 60_000 }
const BULLMQ = { warmUp: 10_000, tasks: 20_000 }

/** How many children each node has for throughput: two cores are busy with four nodes. */
const CHILDREN = 1

/** How many wait when their memory is looked at. */
const QUEUED = 100_000

/** For a primary whose memory is looked at: what V8 keeps ready for new objects, which is no task's, is 1 MiB, not up to 48. */
const MEASURED = ['--expose-gc', '--max-semi-space-size=1']

/** How often one task, and what it is held against, are measured, in turns. */
const TURNS = 15
const ONE_BY_ONE = 100

/** What a slow node has of a core. */
const SHARE = 0.3

/** A primary with some nodes and a submitter, each a process. */
async function cluster(
  nodes: readonly string[],
  { groups, primaryOptions = [] }: { groups?: readonly Group[]; primaryOptions?: string[] } = {},
) {
  const started: ChildProcess[] = []
  const start = async (file: string, args: (string | number)[], nodeOptions?: string[], group?: Group) => {
    const child = program(file, args, nodeOptions)
    started.push(child)
    group?.add(child.pid)
    return child
  }
  try {
    const primary = await start('tasks/primary.ts', [], primaryOptions)
    const tellPrimary = (order: PrimaryOrder) => ask<PrimaryReport>(primary, order)
    const { port } = await tellPrimary({})
    const workers: ChildProcess[] = []
    for (const [index, name] of nodes.entries()) {
      const worker = await start('tasks/node.ts', [name, port, CHILDREN], [], groups?.[index])
      await told(worker)
      workers.push(worker)
    }
    const submitter = await start('tasks/submitter.ts', [port])
    await told(submitter)
    return {
      tellPrimary,
      submit: (order: SubmitterOrder) => ask<SubmitterReport>(submitter, order),
      callsOf: async (calls: number) =>
        (await ask<{ call: number }>(workers[0] as ChildProcess, { calls })).call,
      end: () => end(started),
    }
  } catch (error) {
    end(started)
    throw error
  }
}

/** Empty tasks a second: by the cluster, by a pool of as many children, and by BullMQ if there is a Redis. */
async function rates(hasRedis: boolean, progress: (what: string) => void): Promise<Sample> {
  progress('empty tasks: four nodes')
  const { submit, end: endCluster } = await cluster(NODES)
  const ours = await rateOf(async (empty) => (await submit({ empty })).tookMs).finally(endCluster)
  progress('empty tasks: a pool alone')
  const child = program('tasks/pool.ts', [NODES.length * CHILDREN])
  const pool = await rateOf(
    async (empty) => (await ask<{ tookMs: number }>(child, { empty })).tookMs,
  ).finally(() => end([child]))
  if (!hasRedis) return { ours, pool }
  progress('empty tasks: BullMQ')
  return { ours, pool, bullmq: await bullmqRate(BULLMQ) }
}

async function rateOf(takes: (empty: number) => Promise<number>): Promise<number> {
  await takes(EMPTY.warmUp)
  return (1_000 * EMPTY.tasks) / (await takes(EMPTY.tasks))
}

/** One task at a time, in µs, and what it is made of: a round trip to the primary, one from there to a node, a call of the pool. */
async function latency(): Promise<Sample> {
  const { submit, tellPrimary, callsOf, end } = await cluster(NODES.slice(0, 1))
  try {
    const turns: Sample[] = []
    for (let turn = 0; turn < TURNS; turn += 1) {
      const { roundTrip: toPrimary } = await submit({ roundTrips: ONE_BY_ONE })
      const { roundTrip: toNode } = await tellPrimary({ roundTrips: ONE_BY_ONE })
      const call = await callsOf(ONE_BY_ONE)
      const { oneByOne } = await submit({ oneByOne: ONE_BY_ONE })
      turns.push({ oneByOne, parts: toPrimary + toNode + call, toPrimary, toNode, call })
    }
    return mediansOf(turns.slice(Math.ceil(TURNS / 3))) // the first warm up
  } finally {
    end()
  }
}

/** What a task that waits takes of the primary's memory beyond its input, in bytes. */
async function memoryOfQueued(): Promise<number> {
  const { submit, tellPrimary, end } = await cluster([], { primaryOptions: MEASURED })
  try {
    await submit({ queued: QUEUED / 10 })
    const before = await tellPrimary({})
    const { inputBytes } = await submit({ queued: QUEUED - QUEUED / 10 })
    const after = await tellPrimary({})
    return (after.memory - before.memory - inputBytes) / (QUEUED - QUEUED / 10)
  } finally {
    end()
  }
}

/** How many ms the picture takes on some nodes, each held to its share of a core. */
async function pictureOn(nodes: readonly string[]): Promise<number> {
  const groups: Group[] = []
  let over = () => {}
  try {
    for (const name of nodes) groups.push(heldTo(name, SHARE))
    const { submit, end } = await cluster(nodes, { groups })
    over = end
    await submit({ empty: 100 }) // so that each has started its children
    return (await submit({ picture: true })).tookMs
  } finally {
    over()
    for (const group of groups) await group.end()
  }
}

/**
 * All figures of one round.
 *
 * @param leaveOut is told what this machine cannot do
 */
export async function taskCosts(
  hasRedis: boolean,
  progress: (what: string) => void,
  leaveOut: (why: string) => void,
): Promise<Sample> {
  const keys = mkdtempSync(join(tmpdir(), 'bench-tasks-'))
  try {
    await makeKeys(keys)
    const sample = await rates(hasRedis, progress)
    progress('one task at a time')
    Object.assign(sample, await latency())
    progress(`${QUEUED} tasks that wait`)
    sample['queued'] = await memoryOfQueued()
    try {
      await heldTo('try', SHARE).end()
    } catch (error) {
      leaveOut(`the picture on slow nodes: ${error instanceof Error ? error.message : error}`)
      return sample
    }
    progress('a picture on one slow node')
    sample['picture on one'] = (await pictureOn(NODES.slice(0, 1))) / 1_000
    progress('a picture on four slow nodes')
    sample['picture on four'] = (await pictureOn(NODES)) / 1_000
    return sample
  } finally {
    rmSync(keys, { recursive: true, force: true })
  }
}
