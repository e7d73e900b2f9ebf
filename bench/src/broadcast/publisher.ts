/**
 * Says the same to all: `publisher.ts WAY [NATS-PORT]`. It tells its ports, and then what each thing that it is asked for
 * took. Who reads says on a connection of its own when all have everything: the next burst begins then.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@nats-io/transport-node'
import { Broadcast } from '@rpi-cluster/core/broadcast'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { type Connection, listen } from '@rpi-cluster/core/sockets'
import { distinctMessages } from '../messages.ts'
import { noLog } from '../no-log.ts'
import { TOPIC } from './topic.ts'

/** Topics as they are used, a loop that sends to each, or a NATS server with its Node client. */
export type Way = 'broadcast' | 'loop' | 'nats'

export interface Ports {
  port: number
  /** Where is told that all have everything. */
  ackPort: number
}

/** What to do: bursts for a while, or a message every so often; or nothing, but to collect garbage. */
export type Order = { burst: number; forMs: number } | { everyMs: number; count: number } | { collect: true }

export interface Published {
  perSecond: number
  /** What is in memory, in bytes. */
  memory: number
  /** Who has subscribed. */
  subscribers: number
}

const [way, natsPort] = process.argv.slice(2) as [Way, string | undefined]
const messages = distinctMessages(1024)

const acks = createServer((socket) => (ack = socket.setNoDelay()))
let ack: Socket | undefined
acks.listen(0, '127.0.0.1')
await once(acks, 'listening')

const broadcast = new Broadcast({ log: noLog, topics: { [TOPIC]: {} } })
const { port, publish, flushed, subscribers } = way === 'nats' ? await throughNats() : await byOurselves()
process.send?.({ port, ackPort: (acks.address() as AddressInfo).port } satisfies Ports)
process.on('disconnect', () => process.exit())
process.on('message', async (order: Order) => {
  const perSecond = 'collect' in order ? 0 : 'burst' in order ? await bursts(order) : await steadily(order)
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  process.send?.({ perSecond, memory: heapUsed + external, subscribers: subscribers() } satisfies Published)
})

async function byOurselves() {
  const peers = new Set<Connection>()
  const { signal: stop } = new AbortController()
  const listener = await listen(
    { peer: 'node', host: '127.0.0.1', port: 0, stop, log: noLog },
    async (peer) => {
      peers.add(peer)
      peer.socket.once('close', () => peers.delete(peer))
      await handleMessages(peer, { subscribe: broadcast.subscribe }, () => {})
    },
  )
  const toAll = (payload: unknown) => {
    for (const peer of peers) void send(peer, TOPIC, payload)
  }
  return {
    port: Number(listener.address.split(':').at(-1)),
    publish: way === 'loop' ? toAll : (payload: unknown) => broadcast.publish(TOPIC, payload),
    flushed: async () => {},
    subscribers: () => peers.size,
  }
}

async function throughNats() {
  const nats = await connect({ port: Number(natsPort) })
  return {
    port: Number(natsPort),
    publish: (payload: unknown) => nats.publish(TOPIC, JSON.stringify({ type: TOPIC, payload })),
    flushed: () => nats.flush(),
    subscribers: () => 0,
  }
}

/** Burst after burst, each when the one before has reached all. Returns how many a second that were. */
async function bursts({ burst, forMs }: { burst: number; forMs: number }): Promise<number> {
  const began = performance.now()
  let count = 0
  while (performance.now() - began < forMs) {
    for (let n = 0; n < burst; n += 1) publish(messages[(count + n) % messages.length]?.payload)
    count += burst
    await Promise.all([ack && once(ack, 'data'), flushed()])
  }
  return (count * 1_000) / (performance.now() - began)
}

/** A message every so often, each with the time at which it was published. */
async function steadily({ everyMs, count }: { everyMs: number; count: number }): Promise<number> {
  const filling = 'x'.repeat(980)
  for (let n = 0; n < count; n += 1) {
    publish({ at: performance.timeOrigin + performance.now(), filling })
    await sleep(everyMs)
  }
  return 1_000 / everyMs
}
