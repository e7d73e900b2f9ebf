/** A peer that knows the port, and nothing of manners: a bare socket. */
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** How many of the addresses were given to peers that wanted one of their own. */
let addresses = 0

export class BadPeer {
  readonly socket: Socket
  /** How the master knows it: `127.0.0.1:51234`. */
  readonly address: string
  /** Resolves when the connection is closed, by whichever end and however. */
  readonly gone: Promise<unknown>

  private constructor(socket: Socket) {
    this.socket = socket
    const { address, port } = socket.address() as AddressInfo
    this.address = `${address}:${port}`
    this.gone = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {}).resume()
  }

  /** @param options `ownAddress`: no other peer has this one's address, where the system has many for itself: on Linux */
  static async connect(
    port: number,
    { allowHalfOpen = false, ownAddress = false }: { allowHalfOpen?: boolean; ownAddress?: boolean } = {},
  ): Promise<BadPeer> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      allowHalfOpen,
      ...(ownAddress && process.platform === 'linux' && { localAddress: nextAddress() }),
    })
    await once(socket, 'connect')
    return new BadPeer(socket)
  }

  /** Sends each piece by itself, and resolves when all have left, or the connection is closed. */
  async says(...pieces: (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      if (!this.socket.writable) return
      await Promise.race([new Promise((resolve) => this.socket.write(piece, resolve)), this.gone])
    }
  }

  /** Ends its side, and waits until the master has ended the other. */
  async leaves(): Promise<void> {
    this.socket.end()
    await this.gone
  }

  /** Resets the connection: what is on the way is lost. */
  resets(): void {
    this.socket.resetAndDestroy()
  }
}

function nextAddress(): string {
  addresses = (addresses + 1) % 0x10000
  return `127.1.${addresses >> 8}.${addresses & 0xff}`
}

/** Connects so many times, fifty at a time. All of these peers have one address. */
export async function manyPeers(
  port: number,
  times: number,
  behave: (peer: BadPeer) => Promise<unknown>,
): Promise<void> {
  for (let left = times; left > 0; left -= 50)
    await Promise.all(Array.from({ length: 50 }, () => BadPeer.connect(port).then(behave)))
}

/** A frame of chapter 06. */
export function message(payload: unknown, type = 'message'): string {
  return `${JSON.stringify({ type, payload })}\r`
}
