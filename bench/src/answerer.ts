/** Answers each request with as many bytes: `answerer.ts 'raw echo'` gives them back unread, `core` and `ws` as messages. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'
import { WebSocketServer } from 'ws'
import { noLog } from './no-log.ts'

const answerers: Record<string, () => Promise<number>> = {
  async 'raw echo'() {
    const server = createServer({ noDelay: true }, (socket) =>
      socket.on('data', (bytes) => socket.write(bytes)),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  },

  async core() {
    const stop = new AbortController().signal
    const listener = await listen({ peer: 'slave', host: '127.0.0.1', port: 0, stop, log: noLog }, (slave) =>
      handleMessages(slave, { message: (payload) => send(slave, 'message', payload) }, () => {}),
    )
    return Number(listener.address.split(':').at(-1))
  },

  async ws() {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(JSON.stringify(JSON.parse(data.toString()))))
    })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
}

/** The ways of `secure`, which are loaded by who needs them only. */
async function answersSecurely(name: string): Promise<number> {
  const { listenBy, natsOverTls } = await import('./secure/ways.ts')
  if (name === 'signed' || name === 'encrypted') {
    const { port } = await listenBy(name, 0, (slave) =>
      handleMessages(slave, { message: (payload) => send(slave, 'message', payload) }, () => {}),
    )
    return port
  }
  const port = Number(process.env['BENCH_NATS_TLS'])
  const connection = await natsOverTls(port)
  connection.subscribe('requests', {
    callback: (_error, message) => void message.respond(JSON.stringify(message.json())),
  })
  await connection.flush()
  return port
}

process.on('disconnect', () => process.exit())
process.once('message', async () => {
  const name = process.argv[2] ?? ''
  process.send?.({ port: await (answerers[name]?.() ?? answersSecurely(name)) })
})
