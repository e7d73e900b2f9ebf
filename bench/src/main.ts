/**
 * `pnpm bench`: measures this project against what a reader would pick instead, in several rounds, and prints
 * one table. See docs/benchmarks.md.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import getPort from 'get-port'
import { contestants } from './contestants/index.ts'
import { pictureOf } from './herd/picture.ts'
import type { Measurement, Sample } from './measurement.ts'
import { compare } from './measurement.ts'
import { measurements } from './measurements.ts'
import { isInstalled, startNatsServer } from './nats-server.ts'
import { readersTimes } from './reader.ts'
import { table } from './table.ts'

const HELP = `pnpm bench [--rounds 5] [--only 62-byte,requests] [--reader] [--herd FILE] [--json FILE]

  --rounds N    how many times each is measured, in turns. Default: 5
  --only NAMES  some of: 62-byte 1KiB 64KiB 8MiB requests idle beats hellos thousand herd crowd page store broadcast tls tasks task-store election replication
  --reader      a reader's times too: install, first line, tests. It works in a copy, and takes minutes
  --herd FILE   draw how the herd came back, as SVG, into FILE
  --json FILE   write every figure of every round to FILE`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    reader: { type: 'boolean', default: false },
    herd: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit()
}

const progress = (what: string) => process.stderr.write(`\r\x1b[K${what}`)
const loadBefore = loadavg()[0] ?? 0

const leftOut: string[] = []
const takePart = [
  'core',
  'python',
  'pythonFed',
  ...Object.keys(contestants).filter((name) => name !== 'core'),
].filter((name) => {
  const missing = whatIsMissing(name)
  if (missing) leftOut.push(`${name}: ${missing}`)
  return !missing
})
const hasRedis = isInstalled('redis-server', '--version')
if (!hasRedis) leftOut.push('bullmq: redis-server is not installed')
const hasEtcd = isInstalled('etcd', '--version')
if (!hasEtcd) leftOut.push('etcd: it is not installed')
const natsPort = await getPort()
const natsServer = takePart.includes('nats') ? await startNatsServer(natsPort) : undefined

const all = [
  ...measurements({ contestants: takePart, natsPort, hasRedis, hasEtcd, progress, leaveOut, onHerd: draw }),
  ...(options.reader ? [readersTimes(progress)] : []),
]
const only = options.only?.split(',')
const unknown = only?.find((name) => !all.some((measurement) => measurement.name === name))
if (unknown)
  throw new Error(`--only knows no ${unknown}. It knows ${all.map(({ name }) => name).join(', ')}.`)
const chosen = all.filter(({ name }) => !only || only.includes(name))

const measured = new Map<Measurement, Sample[]>(chosen.map((measurement) => [measurement, []]))
for (let round = 1; round <= Number(options.rounds); round += 1) {
  for (const [measurement, samples] of measured) {
    if (round > (measurement.mostRounds ?? Infinity)) continue
    try {
      samples.push(await measurement.measure())
    } catch (error) {
      leftOut.push(`${measurement.what}, round ${round}: ${error instanceof Error ? error.message : error}`)
    }
  }
}
natsServer?.kill()
progress('')

console.log(table(measured))
for (const line of leftOut) console.log(`\nLeft out: ${line}`)
console.log(
  `\n${machine()}. Load of the machine before: ${loadBefore.toFixed(1)}, after: ${loadavg()[0]?.toFixed(1)}.`,
)
if (options.json) writeFileSync(fromHere(options.json), report())
process.exit()

/** What is left out in each round is told once. */
function leaveOut(why: string): void {
  if (!leftOut.includes(why)) leftOut.push(why)
}

function draw(herds: Parameters<typeof pictureOf>[0]): void {
  if (options.herd) writeFileSync(fromHere(options.herd), pictureOf(herds))
}

/** A path of the reader's. pnpm runs a script in its package's folder, and leaves the reader's own in INIT_CWD. */
function fromHere(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '', path)
}

function whatIsMissing(name: string): string | undefined {
  if (name.startsWith('python') && !isInstalled('python3', '--version')) return 'python3 is not installed'
  if (name === 'nats' && !isInstalled('nats-server', '--version')) return 'nats-server is not installed'
  return undefined
}

function machine(): string {
  return `${availableParallelism()} cores of ${cpus()[0]?.model.trim()}, ${process.platform}, Node ${process.version}`
}

function report(): string {
  const results = [...measured].map(([{ name, what, unit, comparisons }, samples]) => ({
    name,
    what,
    unit,
    comparisons: comparisons.map((comparison) => ({ ...comparison, ...compare(comparison, samples) })),
    samples,
  }))
  return `${JSON.stringify({ machine: machine(), loadBefore, leftOut, results }, null, 2)}\n`
}
