/** What submits tasks: `submitter.ts PORT`. It tells when it is connected, and does what it is told. */
import { ConnectingNode } from '@rpi-cluster/core/node'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { HEIGHT, TILE, WIDTH } from './definitions.ts'
import { connecting, SUBMITTER } from './keys.ts'
import { medianOf } from './latencies.ts'

export interface SubmitterOrder {
  /** How many empty tasks at once. */
  empty?: number
  /** How many empty tasks whose end nobody waits for, each with an input of its own. */
  queued?: number
  /** How many empty tasks one after the other, and how many questions. */
  oneByOne?: number
  roundTrips?: number
  picture?: boolean
}

export interface SubmitterReport {
  /** From the first that was submitted to the last whose end has come, in ms. */
  tookMs: number
  /** The medians, in µs. */
  oneByOne: number
  roundTrip: number
  /** Of all inputs, in bytes. */
  inputBytes: number
}

/** The parts of the picture. */
const picture = Array.from({ length: (WIDTH * HEIGHT) / TILE ** 2 }, (_, n) => {
  const x = (n * TILE) % WIDTH
  return { name: 'tile', input: { x, y: TILE * Math.floor((n * TILE) / WIDTH) } }
})

class Submitter extends ConnectingNode {
  readonly tasks = new TaskClient(this)
  override handlers = this.tasks.handlers

  override async greet() {
    process.send?.({})
  }
}

const submitter = new Submitter(await connecting(SUBMITTER, Number(process.argv[2])))
const { tasks: client } = submitter

process.on('disconnect', () => process.exit())
process.on('message', async (order: SubmitterOrder) => {
  const inputs = Array.from({ length: order.queued ?? 0 }, (_, n) => ({ tile: n, of: 'a picture', n }))
  await client.submit(inputs.map((input) => ({ name: 'empty', input })))
  const began = performance.now()
  if (order.empty) await allOf(Array.from({ length: order.empty }, () => ({ name: 'empty', input: null })))
  if (order.picture) await allOf(picture)
  const tookMs = performance.now() - began
  process.send?.({
    tookMs,
    oneByOne: await medianOf(order.oneByOne ?? 0, () => allOf([{ name: 'empty', input: null }])),
    roundTrip: await medianOf(order.roundTrips ?? 0, () => submitter.ask('nothing', { answer: 'nothing' })),
    inputBytes: inputs.reduce((sum, input) => sum + JSON.stringify(input).length, 0),
  } satisfies SubmitterReport)
})
await submitter.run()

/** Submits tasks, and waits for the ends of all. */
async function allOf(tasks: { name: string; input: unknown }[]): Promise<void> {
  await client.submit(tasks, { follow: true })
  for await (const { state } of client.ends()) if (state !== 'done') throw new Error(`A task is ${state}`)
}
