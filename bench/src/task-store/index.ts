/** What it costs that tasks survive the power: beside BullMQ on a Redis that is as careful, and beside the disk alone. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sample } from '../measurement.ts'
import { ask, end, program, told } from '../processes.ts'
import { startRedisServer } from '../redis-server.ts'
import { makeKeys } from '../tasks/keys.ts'
import { mediansOf } from '../tasks/latencies.ts'
import type { MonthOrder, MonthReport } from './month.ts'
import type { PrimaryOrder, PrimaryReport } from './primary.ts'
import type { SubmittersOrder, SubmittersReport } from './submitters.ts'

/** How many submit at once. */
const AT_ONCE = 64

/** How often one submission, and what it is held against, are measured, in turns. */
const TURNS = 15
const ONE_BY_ONE = 100

/** How many tasks are open when the primary is killed. */
const OPEN = 100_000

/** How many tasks have ended, and how many of them are written in one step. */
const ENDED = 1_000_000
const STEP = 100_000

/** A primary with a store, and who submits over so many connections. */
async function cluster(folder: string, connections: number) {
  const started: ChildProcess[] = []
  const start = (file: string, args: (string | number)[]) => {
    const child = program(file, args)
    started.push(child)
    return child
  }
  try {
    const primary = start('task-store/primary.ts', [folder])
    const tellPrimary = (order: PrimaryOrder) => ask<PrimaryReport>(primary, order)
    const { port } = await tellPrimary({})
    const submitters = start('task-store/submitters.ts', [port, connections])
    await told(submitters)
    return {
      tellPrimary,
      submit: (order: SubmittersOrder) => ask<SubmittersReport>(submitters, order),
      end: () => end(started),
    }
  } catch (error) {
    end(started)
    throw error
  }
}

/** One submission, in µs, and what it is made of; and how many are acknowledged a second. */
async function submissions(folder: string): Promise<Sample> {
  const { submit, tellPrimary, end } = await cluster(folder, AT_ONCE)
  try {
    const turns: Sample[] = []
    for (let turn = 0; turn < TURNS; turn += 1) {
      const { roundTrip } = await submit({ roundTrips: ONE_BY_ONE })
      const { sync } = await tellPrimary({ syncs: ONE_BY_ONE })
      const { oneByOne: lone } = await submit({ oneByOne: ONE_BY_ONE })
      turns.push({ lone, syncAndTrip: sync + roundTrip, sync, roundTrip })
    }
    const { rate: oneAtOnce } = await submit({ atOnce: 1 })
    const { rate: many } = await submit({ atOnce: AT_ONCE })
    const { rate: manyOver } = await submit({ atOnce: AT_ONCE, over: AT_ONCE })
    return { ...mediansOf(turns.slice(Math.ceil(TURNS / 3))), oneAtOnce, many, manyOver } // the first warm up
  } finally {
    end()
  }
}

async function bullmq(): Promise<number> {
  const redis = await startRedisServer(true)
  const adder = program('task-store/bullmq-adder.ts', [redis.port])
  try {
    await told(adder)
    return (await ask<{ rate: number }>(adder, { atOnce: AT_ONCE })).rate
  } finally {
    end([adder])
    redis.end()
  }
}

/** How long a primary takes that was killed while many tasks were open, and one that has none, in s. */
async function starts(folder: string): Promise<Sample> {
  const startOf = async (tasks: number) => {
    const { tellPrimary, submit, end } = await cluster(folder, 1)
    try {
      const { startMs, recovered } = await tellPrimary({})
      if (recovered !== tasks) throw new Error(`of ${tasks} open tasks a start has found ${recovered}`)
      if (tasks === 0) await submit({ together: OPEN })
      return startMs / 1_000
    } finally {
      end() // which kills it
    }
  }
  return { startEmpty: await startOf(0), start: await startOf(OPEN) }
}

/** What a month of tasks takes of the disk, in MB, and for how long its program stands still while it is pruned, in ms. */
async function aMonth(folder: string, progress: (what: string) => void): Promise<Sample> {
  const child = program('task-store/month.ts', [folder])
  const tell = (order: MonthOrder) => ask<MonthReport>(child, order)
  try {
    await told(child)
    let pauseWriting = 0
    for (let from = 0; from < ENDED; from += STEP) {
      progress(`a million tasks that have ended: ${from}`)
      const { pause } = await tell({ write: { from, to: from + STEP, of: ENDED } })
      pauseWriting = Math.max(pauseWriting, pause)
    }
    const size = megabytesOf(folder)
    progress('a million tasks that have ended: pruned')
    const { pause, commit } = await tell({ prune: true })
    const left = megabytesOf(folder, /history/)
    if (left > 1) throw new Error(`${left} MB are left of a history that should have been pruned`)
    return { size, pauseWriting, pause, commitBeside: commit }
  } finally {
    end([child])
  }
}

function megabytesOf(folder: string, kind = /./): number {
  const names = readdirSync(join(folder, 'tasks')).filter((name) => kind.test(name))
  return names.reduce((sum, name) => sum + statSync(join(folder, 'tasks', name)).size, 0) / 1e6
}

/** What a month of tasks costs, of which a million have ended. */
export function monthCosts(progress: (what: string) => void): Promise<Sample> {
  return inFolder((folder) => aMonth(folder, progress))
}

/** All figures of one round, but for those of a month. */
export function taskStoreCosts(hasRedis: boolean, progress: (what: string) => void): Promise<Sample> {
  return inFolder(async (folder) => {
    await makeKeys(join(folder, 'keys'))
    progress('tasks that are submitted')
    const sample = await submissions(join(folder, 'submitted'))
    if (hasRedis) {
      progress('tasks that are submitted: BullMQ')
      sample['bullmq'] = await bullmq()
    }
    progress(`${OPEN} tasks that are open`)
    return Object.assign(sample, await starts(join(folder, 'open')))
  })
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-task-store-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
