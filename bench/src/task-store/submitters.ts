/**
 * Those who submit: `submitters.ts PORT CONNECTIONS`. They tell when all are connected, and do what they are told. Nobody waits
 * for the end of a task.
 */
import { setMaxListeners } from 'node:events'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { connecting, SUBMITTER, stop } from '../tasks/keys.ts'
import { medianOf } from '../tasks/latencies.ts'
import { rateOf } from './rate.ts'

export interface SubmittersOrder {
  /** How many submit at once, a task each, over how many of the connections. */
  atOnce?: number
  over?: number
  /** How many tasks one after the other, and how many questions. */
  oneByOne?: number
  roundTrips?: number
  /** How many tasks together, each with an input that is not short. */
  together?: number
}

export interface SubmittersReport {
  /** Acknowledged, a second. */
  rate: number
  /** The medians, in µs. */
  oneByOne: number
  roundTrip: number
}

/** What a longer input has beside its number. */
const LONG = 'x'.repeat(300)

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
let submitted = 0

async function submit(who: number): Promise<void> {
  submitted += 1
  await submitters[who]?.tasks.submit([{ name: 'empty', input: { tile: submitted } }])
}

process.on('disconnect', () => process.exit())
process.on(
  'message',
  async ({ atOnce = 0, over = 1, oneByOne = 0, roundTrips = 0, together = 0 }: SubmittersOrder) => {
    const many = Array.from({ length: together }, (_, tile) => ({
      name: 'empty',
      input: { tile, of: LONG },
    }))
    await first.tasks.submit(many)
    process.send?.({
      rate: atOnce && (await rateOf(atOnce, (who) => submit(who % over))),
      oneByOne: await medianOf(oneByOne, () => submit(0)),
      roundTrip: await medianOf(roundTrips, () => first.ask('nothing', { answer: 'nothing' })),
    } satisfies SubmittersReport)
  },
)
await Promise.all(submitters.map((submitter) => submitter.run()))
