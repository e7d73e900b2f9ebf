import { handleMessages, send } from '@rpi-cluster/core/messages'
import { connect, listen } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'
import type { Contestant } from './contestant.ts'

const HOST = '127.0.0.1'
const never = new AbortController().signal

/** The limit of one message, raised for the row of 8 MiB. It costs nothing where messages are small. */
const maxFrameBytes = 16 * 1024 * 1024

/** This project: `send` called once a message, and `handleMessages` with its check of the envelope. */
export const core: Contestant = {
  async receive({ port }, take) {
    const handlers = { message: (payload: unknown) => take(payload) }
    const listener = await listen({ peer: 'slave', host: HOST, port, stop: never, log: noLog }, (slave) =>
      handleMessages(slave, handlers, () => {}, { maxFrameBytes }),
    )
    return { port: Number(listener.address.split(':').at(-1)) }
  },

  async send({ port }, messages) {
    const master = await connect({ peer: 'master', host: HOST, port, stop: never })
    for (;;) {
      for (const { type, payload } of messages) {
        const wait = send(master, type, payload, { maxFrameBytes })
        if (wait) await wait
      }
    }
  },
}
