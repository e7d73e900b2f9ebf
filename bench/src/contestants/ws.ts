import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import type { Contestant } from './contestant.ts'

/** How many bytes may wait, as much as a socket of Node holds before it asks to wait. */
const WAITING_BYTES = 16 * 1024

/** WebSockets: a frame a message, with its length before it. */
export const webSocket: Contestant = {
  async receive({ port }, take) {
    const server = new WebSocketServer({ host: '127.0.0.1', port })
    server.on('connection', (socket) => {
      socket.on('message', (data) => take(JSON.parse(data.toString())))
    })
    await once(server, 'listening')
    return { port: (server.address() as AddressInfo).port }
  },

  async send({ port }, messages) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    await once(socket, 'open')
    for (;;) {
      for (const message of messages) {
        const text = JSON.stringify(message)
        if (socket.bufferedAmount < WAITING_BYTES) socket.send(text)
        else await new Promise((sent) => socket.send(text, sent))
      }
    }
  },
}
