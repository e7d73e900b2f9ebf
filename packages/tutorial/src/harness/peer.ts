/** A peer that a test plays: it connects to a program and says what the test likes. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Received } from './received.ts'

/** A peer that a test plays. */
export interface Peer {
  /** Its own address, as the program's log has it: `127.0.0.1:51234`. */
  address: string
  /** Waits until what the program has said to it matches a pattern. */
  hears(pattern: RegExp): Promise<void>
  /** Everything that the program has said to it so far. */
  readonly heard: string
  /** Ends the connection, and waits until the program has closed it too. */
  leaves(): Promise<void>
}

/** Connects to a listening program and sends pieces, one at a time. Resolves when the system has taken the last. */
export async function sayTo(port: number, ...pieces: (string | Buffer)[]): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const gone = Promise.race([once(socket, 'close'), once(socket, 'error')])
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve))
  }
  const received = new Received()
  received.from(socket)
  return {
    address: `${socket.localAddress}:${socket.localPort}`,
    hears: (pattern) => received.until(pattern),
    get heard() {
      return received.text
    },
    async leaves() {
      socket.end()
      await gone
    },
  }
}

/** The same, and ends the connection. Resolves with the address that it had, when the program has closed it too. */
export async function talkTo(port: number, ...pieces: (string | Buffer)[]): Promise<string> {
  const peer = await sayTo(port, ...pieces)
  await peer.leaves()
  return peer.address
}

/** True when somebody listens on a port of this machine. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
