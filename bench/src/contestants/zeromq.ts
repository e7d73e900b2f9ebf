import { Pull, Push } from 'zeromq'
import type { Contestant } from './contestant.ts'

/** ZeroMQ's PUSH and PULL: its own threads do the network's work. */
export const zeromq: Contestant = {
  async receive({ port }, take) {
    const pull = new Pull()
    await pull.bind(`tcp://127.0.0.1:${port || '*'}`)
    void (async () => {
      for await (const [message] of pull) take(JSON.parse(String(message)))
    })()
    return { port: Number(pull.lastEndpoint?.split(':').at(-1)) }
  },

  async send({ port }, messages) {
    const push = new Push()
    push.connect(`tcp://127.0.0.1:${port}`)
    for (;;) {
      for (const message of messages) await push.send(JSON.stringify(message))
    }
  },
}
