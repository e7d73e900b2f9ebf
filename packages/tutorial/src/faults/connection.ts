/** A connection through a link: who has connected, who listens, and a flow of bytes in each direction. */
import { connect, type Socket } from 'node:net'
import { checkEndedBy, checkFaults, checkSide, type EndedBy, type Faults, type Side } from './fault.ts'
import { Flow } from './flow.ts'

/** Is told what happens on a connection, as it comes: before a fault delays it. */
export interface Watcher {
  /** The server is connected to, and sees the connection come from this address: `127.0.0.1:44884`. */
  opened?(address: string): void
  /** Bytes have come from one side. */
  bytes?(from: Side, bytes: Buffer): void
  /** One side has ended its direction, or reset the connection. */
  ended?(from: Side, by: EndedBy): void
}

export interface ConnectionOptions {
  client: Socket
  /** The port of this machine that the server listens on. */
  serverPort: number
  faults: Required<Faults>
  watcher: Watcher
  /** Called when nothing is left of it. */
  onOver: () => void
}

/** One connection through a link, with faults of its own. */
export class LinkConnection {
  readonly #options: ConnectionOptions
  readonly #client: Socket
  #server: Socket | undefined
  #faults: Required<Faults>
  #flows: Record<keyof Faults, Flow> | undefined
  /** Who was made to be gone without a word, so that the other believes that the connection is there. */
  #gone: Side | undefined
  /** Whether it was ended on both sides. */
  #isCut = false

  /** @internal a link makes it */
  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#client = options.client
    this.#faults = options.faults
    this.#client.on('close', () => this.#lookWhetherOver())
    // A client that is reset before the server has answered was never connected to it.
    this.#client.on('error', () => {
      if (!this.#flows && !this.#gone) this.#server?.destroy()
    })
  }

  /**
   * Connects to the server. Without either direction nobody can: who has already done so waits.
   *
   * @internal its link does so
   */
  connectIfPossible(): void {
    const { toServer, toClient } = this.#faults
    if (this.#server || this.#gone || this.#isCut || this.#client.destroyed) return
    if (toServer.blackHole || toClient.blackHole) return
    const server = connect({
      host: '127.0.0.1',
      port: this.#options.serverPort,
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#server = server
    server.on('close', () => this.#lookWhetherOver())
    server.on('error', () => {
      if (!this.#flows && !this.#gone) this.#client.resetAndDestroy()
    })
    server.once('connect', () => this.#passOn(server))
  }

  /**
   * Sets what is wrong from now on, for what is under way as well. A direction that is not named stays as it is.
   *
   * @throws TypeError when a name or the kind of a value is wrong, RangeError when a number is
   */
  set(faults: Faults): void {
    checkFaults(faults)
    this.#faults = { ...this.#faults, ...faults }
    this.connectIfPossible()
    if (faults.toServer) this.#flows?.toServer.set(faults.toServer)
    if (faults.toClient) this.#flows?.toClient.set(faults.toClient)
  }

  /**
   * Takes every fault away. What was held arrives. An end that was left alone by {@link halfOpen} is reset as soon as it
   * says something: nobody knows its connection any more.
   */
  heal(): void {
    this.set({ toServer: {}, toClient: {} })
    const left = this.#gone === 'client' ? this.#server : this.#client
    if (!this.#gone || this.#isCut || !left || left.destroyed) return
    const reset = () => void left.resetAndDestroy()
    if (left.readableEnded) reset()
    else left.once('data', reset).once('end', reset).resume()
  }

  /**
   * Ends it on both sides at once. What is under way is lost.
   *
   * @param by `reset`: both get a reset. `end`: both hear that nothing more comes, and whatever they still say is dropped
   * @throws TypeError when it is no such way
   */
  cut(by: EndedBy = 'reset'): void {
    checkEndedBy(by)
    this.#isCut = true
    this.#stop()
    for (const socket of this.#sockets) {
      if (by === 'reset' || socket.connecting) reset(socket)
      else socket.end().resume()
    }
  }

  /**
   * One side is gone, as if its machine had started anew: its connection is reset. The other side is told nothing, and
   * what it says goes nowhere, until the connection is healed or cut.
   *
   * @throws TypeError when it is no side
   */
  halfOpen(gone: Side): void {
    checkSide(gone)
    if (this.#isCut) return
    this.#gone ??= gone
    this.#stop()
    const socket = gone === 'client' ? this.#client : this.#server
    if (socket) reset(socket)
  }

  /** @internal when its link closes */
  destroy(): void {
    this.#isCut = true
    this.#stop()
    for (const socket of this.#sockets) socket.destroy()
  }

  get #sockets(): Socket[] {
    return [this.#client, ...(this.#server ? [this.#server] : [])]
  }

  #stop(): void {
    this.#flows?.toServer.stop()
    this.#flows?.toClient.stop()
  }

  #passOn(server: Socket): void {
    const { watcher } = this.#options
    const client = this.#client
    if (this.#gone || client.destroyed) return
    watcher.opened?.(`${server.localAddress}:${server.localPort}`)
    const flow = (source: Socket, target: Socket, from: Side, to: keyof Faults) =>
      new Flow({
        source,
        target,
        fault: this.#faults[to],
        onBytes: (bytes) => watcher.bytes?.(from, bytes),
        onEnd: (by) => watcher.ended?.(from, by),
      })
    this.#flows = {
      toServer: flow(client, server, 'client', 'toServer'),
      toClient: flow(server, client, 'server', 'toClient'),
    }
  }

  #lookWhetherOver(): void {
    if (this.#sockets.some((socket) => !socket.closed)) return
    this.#stop()
    this.#options.onOver()
  }
}

/** Resets a connection. One that is not there yet is given up. */
function reset(socket: Socket): void {
  if (socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}
