/**
 * A link between a node and its peer, on which faults are made: a TCP proxy on 127.0.0.1 that the node connects to in
 * its peer's place. Each direction can be slow, far away or dead, and the whole be cut, at any moment, while it is used.
 * The programs do not know.
 *
 * It stands between programs, and not between their systems. So a black hole is not quite a pulled cable: what goes into it
 * is confirmed by this system until its buffers are full, and who connects is connected. (`pulled-cable.ts` of the core's
 * tests pulls a real one, in a network namespace.)
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { LinkConnection, type Watcher } from './connection.ts'
import { checkEndedBy, checkFaults, checkSide, type EndedBy, type Faults, type Side } from './fault.ts'

export interface LinkOptions {
  /** The port of this machine that the server listens on: 1 to 65535. Nobody needs to listen there yet. */
  port: number
  /** Called for each connection when it comes: what it returns is told what happens there. */
  watch?: () => Watcher
  /** The port of its own. Default: one that is free. One that is to be refused for a while should be none that outgoing connections get. */
  at?: number
}

/** A link. What is set here holds for all of its connections, those to come included; each has faults of its own besides. */
export class Link {
  /** The port of this machine that the server listens on. */
  readonly serverPort: number
  readonly #watch: () => Watcher
  readonly #listener: Server
  readonly #connections = new Set<LinkConnection>()
  #faults: Required<Faults> = { toServer: {}, toClient: {} }
  #cutBy: EndedBy | undefined
  #port = 0
  #drained: Promise<unknown> | undefined

  private constructor({ port, watch = () => ({}) }: LinkOptions) {
    this.serverPort = port
    this.#watch = watch
    // Either side may end its direction and still read: that is the programs' affair, not the link's.
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#take(client))
  }

  /**
   * Opens a link without faults, on a free port.
   *
   * @throws RangeError when there is no such port
   */
  static async open(options: LinkOptions): Promise<Link> {
    const { port, at = 0 } = options
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new RangeError(`A link leads to a port from 1 to 65535, and not to ${port}.`)
    const link = new Link(options)
    link.#port = at
    await link.accept()
    return link
  }

  /** Nobody can connect from now on: this system refuses it, as where nobody listens. The connections that there are stay. */
  refuse(): void {
    if (this.#listener.listening) this.#listener.close()
  }

  /** Who connects is connected, also after they were refused. */
  async accept(): Promise<void> {
    if (this.#listener.listening) return
    this.#listener.listen({ host: '127.0.0.1', port: this.#port })
    await once(this.#listener, 'listening')
    this.#port = (this.#listener.address() as AddressInfo).port
  }

  /** The port to connect to in the server's place. */
  get port(): number {
    return this.#port
  }

  /** The connections that there are, in the order in which they came. */
  get connections(): readonly LinkConnection[] {
    return [...this.#connections]
  }

  /**
   * Sets what is wrong from now on, for what is under way as well. A direction that is not named stays as it is. While
   * either direction is a black hole, who connects hears nothing, and the server hears of it when that is over.
   *
   * @throws TypeError when a name or the kind of a value is wrong, RangeError when a number is
   */
  set(faults: Faults): void {
    checkFaults(faults)
    this.#faults = { ...this.#faults, ...faults }
    for (const connection of this.#connections) connection.set(faults)
  }

  /** Takes every fault away, of each connection too: what was held arrives, and who connects is connected. */
  heal(): void {
    this.#cutBy = undefined
    this.#faults = { toServer: {}, toClient: {} }
    for (const connection of this.#connections) connection.heal()
  }

  /**
   * Ends every connection on both sides at once, as {@link LinkConnection.cut} does. Who connects is ended in the same way
   * at once, and the server does not hear of it, until the link is healed. (The port stays its own: it is not refused.)
   *
   * @throws TypeError when it is no such way
   */
  cut(by: EndedBy = 'reset'): void {
    checkEndedBy(by)
    this.#cutBy = by
    for (const connection of this.#connections) connection.cut(by)
  }

  /**
   * One side of every connection is gone, and the other is told nothing, as {@link LinkConnection.halfOpen} has it. Who
   * connects from now on is connected.
   *
   * @throws TypeError when it is no side
   */
  halfOpen(gone: Side): void {
    checkSide(gone)
    for (const connection of this.#connections) connection.halfOpen(gone)
  }

  /** Takes no more connections, and resolves when the last has ended. */
  async drain(): Promise<void> {
    this.#drained ??= once(this.#listener.close(), 'close')
    await this.#drained
  }

  /** Ends everything at once: connections, timers, and the port. What is under way is lost. */
  async close(): Promise<void> {
    const drained = this.drain()
    for (const connection of this.#connections) connection.destroy()
    await drained
  }

  #take(client: Socket): void {
    const connection = new LinkConnection({
      client,
      serverPort: this.serverPort,
      faults: this.#faults,
      watcher: this.#watch(),
      onOver: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
    if (this.#cutBy) connection.cut(this.#cutBy)
    else connection.connectIfPossible()
  }
}
