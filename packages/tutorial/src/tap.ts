/**
 * A tap on the wire: a small TCP proxy that a slave connects to in the master's place. It passes every
 * byte on as it comes, in both directions, and takes down what it saw. The programs do not know.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { WireLog } from './wire.ts'

export interface TapOptions {
  /** Who connects here. Each slave has a tap of its own, so that it is known whose connection this is. */
  lane: string
  /** The port of this machine that the master listens on. */
  masterPort: number
  /** Where it is taken down. */
  log: WireLog
}

export interface Tap {
  /** The port of this machine to connect to in the master's place. */
  readonly port: number
  /** Takes no more connections, and resolves when the last has ended. */
  close(): Promise<void>
}

/** Opens a tap on a free port of this machine. */
export async function openTap(options: TapOptions): Promise<Tap> {
  // Either side may end its direction and still read: that is the programs' affair, not the tap's.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (slave) => passOn(slave, options))
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}

function passOn(slave: Socket, { lane, masterPort, log }: TapOptions): void {
  const master = connect({ host: '127.0.0.1', port: masterPort, allowHalfOpen: true, noDelay: true })
  // A slave that is reset before the master has answered was never connected to it, and the other way round.
  slave.on('error', () => master.resetAndDestroy())
  master.on('error', () => slave.resetAndDestroy())

  master.once('connect', () => {
    const wire = log.opened({ lane, address: `${master.localAddress}:${master.localPort}` })
    for (const [from, to, by] of [
      [slave, master, 'lane'],
      [master, slave, 'master'],
    ] as const) {
      from.on('error', () => wire.ended(by, { reset: true }))
      from.on('end', () => wire.ended(by))
      // Taken down first, then passed on: nobody can have answered what is not yet in the log. `pipe`
      // passes on the end too, and reads no more while the other side does not take it.
      from.on('data', (bytes) => wire.bytes(by, bytes))
      from.pipe(to)
    }
  })
}
