/**
 * A tap on the wire: a link without faults that takes down what it passes on. The programs do not know.
 */
import type { Watcher } from '../faults/connection.ts'
import { Link } from '../faults/link.ts'
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
export async function openTap({ port, ...tapped }: TapOptions): Promise<Tap> {
  const link = await Link.open({ port, watch: () => tapOn(tapped) })
  return { port: link.port, close: () => link.drain() }
}

/** Takes down what happens on one connection of a link. */
export function tapOn({ lane, to, log }: Omit<TapOptions, 'port'>): Watcher {
  // Who is connected to may log it before this process hears that the connection is there.
  const at = log.now()
  let wire: ReturnType<WireLog['opened']> | undefined
  return {
    opened(address) {
      wire = log.opened({ at, lane, to, address })
    },
    // Taken down first, then passed on: nobody can have answered what is not yet in the log.
    bytes: (from, bytes) => wire?.bytes(from === 'client' ? 'lane' : 'to', bytes),
    ended: (from, by) => wire?.ended(from === 'client' ? 'lane' : 'to', { reset: by === 'reset' }),
  }
}
