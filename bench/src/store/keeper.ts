/**
 * A program that keeps a store: `keeper.ts FOLDER`. In the folder is two years' `vitals.db`. It measures when it is told
 * to, and tells what it found.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '@rpi-cluster/core/store'
import pino from 'pino'
import { median } from 'simple-statistics'
import { TWO_YEARS } from '../../../packages/core/test/two-years.ts'

export interface Found {
  /** Values a second, with a commit for each thousand, and the same rows appended to a file that is synchronised as often. */
  committed: number
  appended: number
  /** How long the event loop made what was due wait at most, in ms, of a hundred times ninety-nine. */
  idleDelay: number
  busyDelay: number
  /** How long a commit takes, and one beside which the largest question is answered, in ms. */
  commit: number
  commitBeside: number
  /** How long a question takes, in ms. */
  oneYear: number
  allYear: number
  oneMonth: number
  allHour: number
  /** What it takes of memory, in MiB. */
  memory: number
}

const VALUES = 1_000
const WRITE_MS = 2_000
const DAY = 86_400

const folder = process.argv[2] ?? ''
const { end, vitals } = TWO_YEARS
const before = process.memoryUsage.rss()
const store = await openStore({ name: 'vitals', folder, log: pino({ level: 'warn' }), commitMs: 600_000 })
let time = end

process.on('disconnect', () => process.exit())
process.on('message', async () => {
  const questions = {
    oneYear: await timeOf(() => ask(365 * DAY, 'node-7')),
    allYear: await timeOf(() => ask(365 * DAY)),
    oneMonth: await timeOf(() => ask(30 * DAY, 'node-7')),
    allHour: await timeOf(() => ask(3600)),
  }
  const memory = (process.memoryUsage.rss() - before) / 1024 ** 2
  const [appended] = [appendRows()]
  const idleDelay = await delayWhile(() => sleep(WRITE_MS))
  let committed = 0
  const busyDelay = await delayWhile(async () => {
    committed = await rate(addAndCommit)
  })
  const commit = await timeOf(addAndCommit)
  const commitBeside = await timeOf(async () => {
    const asked = ask(365 * DAY)
    await addAndCommit()
    return () => asked
  })
  process.send?.({
    committed,
    appended,
    idleDelay,
    busyDelay,
    commit,
    commitBeside,
    ...questions,
    memory,
  } satisfies Found)
})

function ask(span: number, node?: string): Promise<unknown> {
  return store.history({ vital: 'ram_free', from: end - span, to: end, ...(node !== undefined && { node }) })
}

/** The median of some times, in ms. What the work gives back is waited for, and not counted. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let turn = 0; turn < 15; turn += 1) {
    const began = performance.now()
    const after = await work()
    times.push(performance.now() - began)
    if (typeof after === 'function') await after()
  }
  return median(times)
}

async function delayWhile(work: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await work()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

/** How many values a second. */
async function rate(work: () => unknown): Promise<number> {
  const began = performance.now()
  let turns = 0
  for (; performance.now() - began < WRITE_MS; turns += 1) await work()
  return (turns * VALUES * 1_000) / (performance.now() - began)
}

async function addAndCommit(): Promise<void> {
  for (const { node, at, values } of rows()) store.add({ node, name: node, at, values })
  await store.flush()
}

function appendRows(): number {
  const file = openSync(join(folder, 'rows.txt'), 'a')
  const began = performance.now()
  let turns = 0
  for (; performance.now() - began < WRITE_MS; turns += 1) {
    writeSync(
      file,
      rows()
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    )
    fsyncSync(file)
  }
  closeSync(file)
  return (turns * VALUES * 1_000) / (performance.now() - began)
}

/** What some nodes have measured: a thousand values. */
function rows(): { node: string; at: number; values: Record<string, number> }[] {
  time += 60
  return Array.from({ length: VALUES / vitals.length }, (_, index) => ({
    node: `node-${(index % TWO_YEARS.nodes) + 1}`,
    at: time + Math.floor(index / TWO_YEARS.nodes),
    values: Object.fromEntries(vitals.map((vital) => [vital, Math.random() * 100])),
  }))
}
