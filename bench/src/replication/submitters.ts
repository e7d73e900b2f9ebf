/**
 * Those who submit: `submitters.ts CONNECTIONS`, each with a connection of its own, to the port that they are told first. They tell
 * when all are connected, and do what they are told. Nobody waits for the end of a task.
 */
import { setMaxListeners } from 'node:events'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { rateOf } from '../task-store/rate.ts'
import { connecting, SUBMITTER, stop } from '../tasks/keys.ts'
import { medianOf } from '../tasks/latencies.ts'
import { VALUE_SIZE } from './value.ts'

export interface SubmittersOrder {
  /** How many submit at once, a task each. */
  atOnce?: number
  /** How many tasks one after the other, and how many questions. */
  oneByOne?: number
  roundTrips?: number
}

export interface SubmittersReport {
  /** Acknowledged, a second. */
  rate: number
  /** The medians, in µs. */
  oneByOne: number
  roundTrip: number
}

const [port = 0, connections = 0] = process.argv.slice(2).map(Number)
let connected = 0

class Submitter extends ConnectingNode {
  readonly tasks = new TaskClient(this)
  override handlers = this.tasks.handlers

  override async greet() {
    connected += 1
    if (connected === connections) process.send?.({})
  }
}

setMaxListeners(0, stop)
const options = await connecting(SUBMITTER, port)
const submitters = Array.from({ length: connections }, () => new Submitter(options))
const [first] = submitters as [Submitter, ...Submitter[]]
/** With the quotation marks that it has as JSON. */
const input = 'x'.repeat(VALUE_SIZE - 2)

async function submit(who: number): Promise<void> {
  await submitters[who % connections]?.tasks.submit([{ name: 'empty', input }])
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ atOnce = 0, oneByOne = 0, roundTrips = 0 }: SubmittersOrder) => {
  process.send?.({
    rate: atOnce && (await rateOf(atOnce, submit)),
    oneByOne: await medianOf(oneByOne, () => submit(0)),
    roundTrip: await medianOf(roundTrips, () => first.ask('nothing', { answer: 'nothing' })),
  } satisfies SubmittersReport)
})
await Promise.all(submitters.map((submitter) => submitter.run()))
