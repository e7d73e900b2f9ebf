/**
 * Many who listen: `subscribers.ts WAY PORT ACK-PORT COUNT BURST`. It tells when all have subscribed, says on a connection
 * of its own each time all have a burst, and tells how long messages took when it is asked.
 */
import { once, setMaxListeners } from 'node:events'
import { connect as open } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectNats } from '@nats-io/transport-node'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
import { TOPIC } from './topic.ts'

/** How they read: with the core, each message checked; bytes alone; with the client of NATS; or not at all. */
export type Reads = 'core' | 'bytes' | 'nats' | 'frozen'

/** How long messages took, in ms, sorted. */
export interface Heard {
  delays: number[]
}

/** How many connect at once. */
const AT_A_TIME = 100

const [reads, port, ackPort, count, burst] = process.argv.slice(2) as [Reads, ...string[]]
const ack = open(Number(ackPort), '127.0.0.1').setNoDelay()
await once(ack, 'connect')
const { signal: stop } = new AbortController()
setMaxListeners(0, stop)
let came = 0
let delays: number[] = []

for (let n = 0; n < Number(count); n += AT_A_TIME)
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, Number(count) - n) }, subscribe))
await sleep(500) // what they have said has arrived
process.send?.({})
process.on('disconnect', () => process.exit())
process.on('message', () => {
  process.send?.({ delays: delays.sort((a, b) => a - b) } satisfies Heard)
  delays = []
})

function take(messages: number) {
  came += messages
  if (came < Number(count) * Number(burst)) return
  came = 0
  ack.write('a')
}

async function subscribe(): Promise<void> {
  if (reads === 'nats') {
    const nats = await connectNats({ port: Number(port) })
    const callback = (_error: Error | null, message: { json(): unknown }) => {
      message.json()
      take(1)
    }
    nats.subscribe(TOPIC, { callback })
    await nats.flush()
    return
  }
  const peer = await connect({ peer: 'publisher', host: '127.0.0.1', port: Number(port), stop })
  await send(peer, 'subscribe', TOPIC)
  if (reads === 'core') {
    const message = (payload: unknown) => {
      const { at } = payload as { at?: number }
      if (at !== undefined) delays.push(performance.timeOrigin + performance.now() - at)
      take(1)
    }
    void handleMessages(peer, { [TOPIC]: message }, () => {})
  } else if (reads === 'bytes') {
    let bytes = 0
    // A message has 1,024 bytes and its separator.
    peer.socket.on('data', ({ length }) => {
      bytes += length
      const whole = Math.floor(bytes / 1025)
      bytes -= whole * 1025
      if (whole > 0) take(whole)
    })
  }
}
