import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import split2 from 'split2'
import type { Contestant } from './contestant.ts'

/** What most would write first: a write a message, and split2 with JSON.parse on the other side. */
export const split2Lines: Contestant = {
  async receive({ port }, take) {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.pipe(split2('\r', JSON.parse)).on('data', take)
    })
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return { port: (server.address() as AddressInfo).port }
  },

  async send({ port }, messages) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    for (;;) {
      for (const message of messages) {
        if (!socket.write(`${JSON.stringify(message)}\r`)) await once(socket, 'drain')
      }
    }
  },
}
