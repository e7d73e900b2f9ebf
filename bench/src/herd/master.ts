/** A master that says hello to all who come: `master.ts PORT`. Asked, it tells when each of them came. */
import { listen } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'

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
    await slave.write('hello')
    for await (const _ of slave.chunks());
  },
)
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.(comings))
