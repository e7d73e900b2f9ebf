/**
 * A tap on the wire: a small TCP proxy that a program connects to in another's place. It passes every
 * byte on as it comes, in both directions, and takes down what it saw. The programs do not know.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { WireLog } from './wire.ts'

export interface TapOptions {
  /** Who connects here. Each program has a tap of its own, so that it is known whose connection this is. */
  lane: string
  /** Who listens behind it. */
  to: string
  /** The port of this machine that they listen on. */
  port: number
  /** Where it is taken down. */
  log: WireLog
}

export interface Tap {
  /** The port of this machine to connect to in their place. */
  readonly port: number
  /** Takes no more connections, and resolves when the last has ended. */
  close(): Promise<void>
}

/** Opens a tap on a free port of this machine. */
export async function openTap(options: TapOptions): Promise<Tap> {
  // Either side may end its direction and still read: that is the programs' affair, not the tap's.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => passOn(client, options))
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

function passOn(client: Socket, { lane, to, port, log }: TapOptions): void {
  // Who is connected to may log it before this process hears that the connection is there.
  const at = log.now()
  const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  // A client that is reset before the server has answered was never connected to it, and the other way round.
  client.on('error', () => server.resetAndDestroy())
  server.on('error', () => client.resetAndDestroy())

  server.once('connect', () => {
    const wire = log.opened({ at, lane, to, address: `${server.localAddress}:${server.localPort}` })
    for (const [source, target, by] of [
      [client, server, 'lane'],
      [server, client, 'to'],
    ] as const) {
      source.on('error', () => wire.ended(by, { reset: true }))
      source.on('end', () => wire.ended(by))
      // Taken down first, then passed on: nobody can have answered what is not yet in the log. `pipe`
      // passes on the end too, and reads no more while the other side does not take it.
      source.on('data', (bytes) => wire.bytes(by, bytes))
      source.pipe(target)
    }
  })
}
