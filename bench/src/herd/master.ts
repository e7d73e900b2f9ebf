/** A master that says hello to all who come: `master.ts PORT`. Asked, it tells when each of them came. */
import { send } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'

/** By the clock of the machine, which all its programs share, in ms. */
export interface MasterSays {
  listeningAt: number
  comings: number[]
}

const comings: number[] = []
await listen(
  {
    peer: 'slave',
    host: '127.0.0.1',
    port: Number(process.argv[2]),
    stop: new AbortController().signal,
    log: noLog,
  },
  async (slave) => {
    comings.push(Date.now())
    await send(slave, 'message', 'hello')
    for await (const _ of slave.chunks());
  },
)
const listeningAt = Date.now()
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.({ listeningAt, comings } satisfies MasterSays))
