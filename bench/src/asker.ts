/** Asks, one request at a time, and tells how long the answers took: the other end of `answerer.ts`. */
import { once } from 'node:events'
import { connect as openSocket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
import { WebSocket } from 'ws'
import { distinctMessages } from './messages.ts'

const SIZE = 62

/** Sends one request. `answered` is called when its answer is there. */
type Ask = (n: number) => void
let answered = () => {}

const messages = distinctMessages(SIZE)
const messageOf = (n: number) => messages[n % messages.length] as (typeof messages)[number]

const askers: Record<string, (port: number) => Promise<Ask>> = {
  async 'raw echo'(port) {
    const texts = messages.map((message) => JSON.stringify(message))
    const socket = openSocket({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.on('data', () => answered())
    return (n) => socket.write(texts[n % texts.length] ?? '', 'latin1')
  },

  async core(port) {
    const stop = new AbortController().signal
    const master = await connect({ peer: 'master', host: '127.0.0.1', port, stop })
    void handleMessages(master, { message: () => answered() }, () => {})
    return (n) => void send(master, messageOf(n).type, messageOf(n).payload)
  },

  async ws(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    await once(socket, 'open')
    socket.on('message', (data) => JSON.parse(data.toString()) && answered())
    return (n) => socket.send(JSON.stringify(messageOf(n)))
  },
}

/** The ways of `secure`, which are loaded by who needs them only. */
async function asksSecurely(name: string, port: number): Promise<Ask> {
  const { connectingBy, natsOverTls } = await import('./secure/ways.ts')
  if (name === 'signed' || name === 'encrypted') {
    const master = await (await connectingBy(name, port))()
    void handleMessages(master, { message: () => answered() }, () => {})
    return (n) => void send(master, messageOf(n).type, messageOf(n).payload)
  }
  const connection = await natsOverTls(port)
  return (n) =>
    void connection
      .request('requests', JSON.stringify(messageOf(n)))
      .then((reply) => reply.json() && answered())
}

const latencies = createHistogram() // of nanoseconds
let ask: Ask | undefined

process.on('disconnect', () => process.exit())
process.on('message', async (told: { port?: number; requests?: number; forget?: boolean }) => {
  const name = process.argv[2] ?? ''
  if (told.port) ask = await (askers[name]?.(told.port) ?? asksSecurely(name, told.port))
  if (told.requests) await askTimes(told.requests)
  if (told.forget) latencies.reset()
  process.send?.({ p50: latencies.percentile(50) / 1000, p99: latencies.percentile(99) / 1000 })
})

async function askTimes(requests: number): Promise<void> {
  for (let n = 0; n < requests; n += 1) {
    const askedAt = process.hrtime.bigint()
    await new Promise<void>((resolve) => {
      answered = resolve
      ask?.(n)
    })
    latencies.record(Math.max(1, Number(process.hrtime.bigint() - askedAt)))
  }
}
