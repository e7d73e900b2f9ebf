/** Throughput over each way, sent and received as by the contestant `core`. */
import { handleMessages, send } from '@rpi-cluster/core/messages'
import type { Contestant } from '../contestants/contestant.ts'
import { natsBy } from '../contestants/nats.ts'
import { connectingBy, listenBy, natsOverTls } from './ways.ts'

const by = (way: 'signed' | 'encrypted'): Contestant => ({
  receive: ({ port }, take) => {
    const handlers = { message: (payload: unknown) => take(payload) }
    return listenBy(way, port, (slave) => handleMessages(slave, handlers, () => {}))
  },

  async send({ port }, messages) {
    const master = await (await connectingBy(way, port))()
    for (;;) {
      for (const { type, payload } of messages) {
        const wait = send(master, type, payload)
        if (wait) await wait
      }
    }
  },
})

export const secureContestants: Record<string, Contestant> = {
  signed: by('signed'),
  encrypted: by('encrypted'),
  natsOverTls: natsBy(({ port }) => natsOverTls(port)),
}
