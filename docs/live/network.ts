/**
 * The network of a cluster in the page: it joins sockets as TCP does, on one machine, and does what a reader asks of
 * it. Bytes arrive in order or not at all; what a black hole holds arrives once it is healed, as TCP sends again.
 */
import type { Clock, Due } from './clock.ts'
import type { Address, FromNetwork, OnConnection, ToNetwork } from './messages.ts'

export type { Clock } from './clock.ts'

/** What is wrong with one direction of a link. */
export interface LinkFault {
  delayMs?: number
  jitterMs?: number
  bytesPerSecond?: number
  blackHole?: boolean
}

/** What is wrong with the link of a lane that connects. */
export interface Link {
  toServer: LinkFault
  toClient: LinkFault
  /** Whether its connections are reset, and each that it tries to make. */
  isCut: boolean
}

/** Who is told of what passes. */
export interface WireWatcher {
  opened(connection: number, lane: string, to: string, address: string): void
  bytes(connection: number, from: string, to: string, bytes: Uint8Array): void
  ended(connection: number, from: string, to: string, reset: boolean): void
}

type Give = (message: FromNetwork) => void

interface Listening extends Address {
  node: Node
  server: number
}

interface Node {
  lane: string
  give: Give
  ends: Map<number, End>
}

/** Where a system begins with the ports that it gives to those who connect. */
const FIRST_FREE_PORT = 32_768
const LAST_FREE_PORT = 60_999

/** What a program gets at once, at most, as Node reads it. */
const MOST_AT_ONCE = 64 * 1024

/** How often a slow line lets bytes through, in ms. */
const TRICKLE_MS = 50

export class Network {
  readonly #clock: Clock
  readonly #watcher: WireWatcher
  readonly #nodes = new Map<string, Node>()
  readonly #links = new Map<string, Link>()
  readonly #pipes = new Set<Pipe>()
  #listening: Listening[] = []
  #groups: readonly (readonly string[])[] = []
  #nextPort = FIRST_FREE_PORT
  #nextConnection = 0
  #nextAccepted = -1

  constructor(clock: Clock, watcher: WireWatcher) {
    this.#clock = clock
    this.#watcher = watcher
  }

  /** A program has started. What it says to the network goes to what this returns. */
  attach(lane: string, give: Give): (message: ToNetwork) => void {
    const node: Node = { lane, give, ends: new Map() }
    this.#nodes.set(lane, node)
    return (message) => {
      if (this.#nodes.get(lane) === node) this.#take(node, message)
    }
  }

  /** A program has ended: its system closes what it had open. */
  detach(lane: string): void {
    const node = this.#nodes.get(lane)
    if (!node) return
    this.#nodes.delete(lane)
    this.#listening = this.#listening.filter((one) => one.node !== node)
    for (const end of node.ends.values()) end.close()
    node.give = () => {}
  }

  link(lane: string): Link {
    const known = this.#links.get(lane) ?? { toServer: {}, toClient: {}, isCut: false }
    this.#links.set(lane, known)
    return known
  }

  /** Something is wrong with a link now, or no more. */
  change(lane: string, change: Partial<Link>): void {
    this.#links.set(lane, { ...this.link(lane), ...change })
    if (change.isCut)
      for (const pipe of this.#pipes) if (pipe.client === lane && pipe.isToServer) pipe.breakOff()
    this.#lookAgain()
  }

  /** Nodes reach only those of their own group. Who is in none reaches everybody. */
  partition(groups: readonly (readonly string[])[]): void {
    this.#groups = groups
    this.#lookAgain()
  }

  healAll(): void {
    this.#links.clear()
    this.partition([])
  }

  #lookAgain(): void {
    for (const pipe of [...this.#pipes]) pipe.goOn()
  }

  #take(node: Node, message: ToNetwork): void {
    switch (message.what) {
      case 'listen':
        this.#listen(node, message)
        return
      case 'close-server':
        this.#listening = this.#listening.filter((one) => one.node !== node || one.server !== message.server)
        return
      case 'connect':
        this.#connect(node, message)
        return
      case 'closed':
        node.ends.get(message.socket)?.close()
        return
      default:
        node.ends.get(message.socket)?.send(message)
        return
    }
  }

  #listen(node: Node, { server, host, port }: { server: number; host: string; port: number }): void {
    const address = host === 'localhost' ? '127.0.0.1' : host
    const code = !isOwn(address) ? 'EADDRNOTAVAIL' : this.#isTaken(address, port) ? 'EADDRINUSE' : undefined
    if (code) {
      node.give({ what: 'not-listening', server, code })
      return
    }
    const local = { address, port: port === 0 ? this.#freePort() : port }
    this.#listening.push({ node, server, ...local })
    node.give({ what: 'listening', server, local })
  }

  #isTaken(address: string, port: number): boolean {
    return (
      port !== 0 &&
      this.#listening.some(
        (one) => one.port === port && (one.address === address || isAny(one.address) || isAny(address)),
      )
    )
  }

  #freePort(): number {
    const port = this.#nextPort
    this.#nextPort = port === LAST_FREE_PORT ? FIRST_FREE_PORT : port + 1
    return this.#listening.some((one) => one.port === port) ? this.#freePort() : port
  }

  #connect(client: Node, { socket, host, port }: { socket: number; host: string; port: number }): void {
    const address = host === 'localhost' || isAny(host) ? '127.0.0.1' : host
    if (!/^[\d.]+$/.test(address) && !address.includes(':')) {
      client.give({ what: 'not-connected', socket, code: 'ENOTFOUND' })
      return
    }
    const local = { address: '127.0.0.1', port: this.#freePort() }
    const remote = { address, port }
    const end = new End(client, socket)
    client.ends.set(socket, end)
    // Nobody answers from an address that no machine has.
    if (!isOwn(address)) return
    const heard = this.#heard(remote)
    const link = () => this.link(client.lane)
    const isApart = () => areApart(this.#groups, client.lane, heard?.node.lane ?? client.lane)
    const open = () => this.#arrive(end, heard, local, remote)
    const pipeOf = (isToServer: boolean) =>
      new Pipe(
        this.#clock,
        client.lane,
        isToServer,
        () => ({
          ...(isToServer ? link().toServer : link().toClient),
          ...(isApart() && { blackHole: true }),
        }),
        this.#pipes,
      )
    const [toServer, toClient] = [pipeOf(true), pipeOf(false)]
    end.joins(toServer, toClient)
    if (link().isCut) toClient.put(() => end.refuse('ECONNRESET'))
    else toServer.put(open)
  }

  /** What asks for a connection has come to the other machine. */
  #arrive(client: End, heard: Listening | undefined, local: Address, remote: Address): void {
    if (client.isClosed) {
      client.forget()
      return
    }
    // Who listened when it set out may have gone, and another may have come.
    const there = heard && this.#listening.includes(heard) ? heard : this.#heard(remote)
    if (!there) {
      client.reply(() => client.refuse('ECONNREFUSED'))
      return
    }
    const server = new End(there.node, this.#nextAccepted--)
    there.node.ends.set(server.socket, server)
    const number = this.#nextConnection++
    client.meets(server, number, this.#watcher)
    this.#watcher.opened(number, client.lane, server.lane, `${local.address}:${local.port}`)
    client.reply(() => {
      if (!client.isClosed) client.node.give({ what: 'connected', socket: client.socket, local, remote })
    })
    there.node.give({
      what: 'accepted',
      server: there.server,
      socket: server.socket,
      local: remote,
      remote: local,
    })
  }

  #heard({ address, port }: Address): Listening | undefined {
    return this.#listening.find((one) => one.port === port && (one.address === address || isAny(one.address)))
  }
}

/** One end of a connection. */
class End {
  readonly node: Node
  readonly socket: number
  isClosed = false
  #out: Pipe | undefined
  #in: Pipe | undefined
  #peer: End | undefined
  #number = -1
  #watcher: WireWatcher | undefined
  /** What has come, and the program has not read. */
  #unread = 0
  #hasEnded = false
  #isOver = false

  constructor(node: Node, socket: number) {
    this.node = node
    this.socket = socket
  }

  get lane(): string {
    return this.node.lane
  }

  joins(out: Pipe, into: Pipe): void {
    this.#out = out
    this.#in = into
    out.onBreak = () => this.#breakOff()
  }

  meets(server: End, number: number, watcher: WireWatcher): void {
    this.#peer = server
    server.#peer = this
    server.#out = this.#in
    server.#in = this.#out
    this.#number = server.#number = number
    this.#watcher = server.#watcher = watcher
  }

  /** Something that goes the way back to this end. */
  reply(deliver: () => void): void {
    this.#in?.put(deliver)
  }

  refuse(code: string): void {
    if (!this.isClosed) this.node.give({ what: 'not-connected', socket: this.socket, code })
    this.forget()
  }

  send(message: OnConnection): void {
    const peer = this.#peer
    if (!peer || this.#isOver) return
    if (message.what === 'took') {
      this.#unread -= message.bytes
      this.#out?.put(() => {
        if (!peer.isClosed) peer.node.give({ ...message, socket: peer.socket })
      })
    } else if (message.what === 'bytes') {
      this.#watcher?.bytes(this.#number, this.lane, peer.lane, message.bytes)
      for (let from = 0; from < message.bytes.length; from += MOST_AT_ONCE)
        this.#out?.putBytes(message.bytes.subarray(from, from + MOST_AT_ONCE), (bytes) => peer.#bytes(bytes))
    } else if (message.what === 'end') this.#end()
    else this.#reset()
  }

  #bytes(bytes: Uint8Array): void {
    if (this.#isOver) return
    // Who writes to a socket that was closed gets a reset.
    if (this.isClosed) {
      this.#reset()
      return
    }
    this.#unread += bytes.length
    this.node.give({ what: 'bytes', socket: this.socket, bytes })
  }

  #end(): void {
    const peer = this.#peer
    if (this.#hasEnded || !peer || this.#isOver) return
    this.#hasEnded = true
    this.#watcher?.ended(this.#number, this.lane, peer.lane, false)
    this.#out?.put(() => {
      if (!peer.isClosed) peer.node.give({ what: 'end', socket: peer.socket })
      peer.#forgetIfDone()
      this.#forgetIfDone()
    })
  }

  #reset(): void {
    const peer = this.#peer
    if (!peer || this.#isOver) return
    this.#isOver = true
    this.#watcher?.ended(this.#number, this.lane, peer.lane, true)
    this.#out?.put(() => {
      if (!peer.isClosed) peer.node.give({ what: 'reset', socket: peer.socket })
      peer.#isOver = true
      peer.forget()
      this.forget()
    })
  }

  /** The program has closed it. What it has not read is a reason to break off: the other may not believe that it was read. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    if (!this.#out) this.forget()
    if (!this.#peer) return // what asks for the connection is still on its way
    if (this.#unread > 0) this.#reset()
    else this.#end()
    this.#forgetIfDone()
  }

  #forgetIfDone(): void {
    const peer = this.#peer
    if (peer && this.isClosed && peer.isClosed && this.#hasEnded && peer.#hasEnded) {
      this.forget()
      peer.forget()
    }
  }

  forget(): void {
    this.node.ends.delete(this.socket)
    this.#out?.close()
    this.#in?.close()
  }

  /** The link is cut: both ends are reset at once. */
  #breakOff(): void {
    const peer = this.#peer
    if (!peer) {
      this.refuse('ECONNRESET')
      return
    }
    this.#watcher?.ended(this.#number, this.lane, peer.lane, true)
    for (const end of [this, peer]) {
      end.#isOver = true
      if (!end.isClosed) end.node.give({ what: 'reset', socket: end.socket })
      end.forget()
    }
  }
}

interface Piece {
  due: number
  bytes?: Uint8Array
  deliver: (bytes: Uint8Array) => void
}

const NOTHING = new Uint8Array()

/** One direction of a connection: what is put in comes out in the same order, when the link lets it. */
class Pipe {
  readonly client: string
  readonly isToServer: boolean
  onBreak = () => {}
  readonly #clock: Clock
  readonly #fault: () => LinkFault
  readonly #all: Set<Pipe>
  readonly #pieces: Piece[] = []
  #due: Due | undefined
  #nextTrickle = 0

  constructor(clock: Clock, client: string, isToServer: boolean, fault: () => LinkFault, all: Set<Pipe>) {
    this.#clock = clock
    this.client = client
    this.isToServer = isToServer
    this.#fault = fault
    this.#all = all
    all.add(this)
  }

  put(deliver: () => void): void {
    this.#add({ due: this.#dueOf(), deliver })
  }

  putBytes(bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    this.#add({ due: this.#dueOf(), bytes, deliver })
  }

  #dueOf(): number {
    const { delayMs = 0, jitterMs = 0 } = this.#fault()
    return this.#clock.now() + delayMs + Math.random() * jitterMs
  }

  #add(piece: Piece): void {
    this.#pieces.push(piece)
    if (this.#pieces.length === 1) this.goOn()
  }

  breakOff(): void {
    this.onBreak()
  }

  close(): void {
    this.#pieces.length = 0
    if (this.#due) this.#clock.cancel(this.#due)
    this.#all.delete(this)
  }

  goOn(): void {
    if (this.#due) this.#clock.cancel(this.#due)
    this.#due = undefined
    for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
      const { blackHole, bytesPerSecond } = this.#fault()
      if (blackHole) return
      const now = this.#clock.now()
      const due = bytesPerSecond && piece.bytes ? Math.max(piece.due, this.#nextTrickle) : piece.due
      if (due > now) {
        this.#due = this.#clock.at(due, () => this.goOn())
        return
      }
      const { bytes = NOTHING } = piece
      const most = bytesPerSecond
        ? Math.max(1, Math.floor((bytesPerSecond * TRICKLE_MS) / 1000))
        : bytes.length
      if (bytesPerSecond && piece.bytes)
        this.#nextTrickle = now + (Math.min(most, bytes.length) * 1000) / bytesPerSecond
      if (most < bytes.length) piece.bytes = bytes.subarray(most)
      else this.#pieces.shift()
      piece.deliver(bytes.subarray(0, most))
    }
  }
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === ''
}

/** Whether the one machine has it. */
function isOwn(address: string): boolean {
  return isAny(address) || address.startsWith('127.') || address === '::1'
}

function areApart(groups: readonly (readonly string[])[], one: string, other: string): boolean {
  const [a, b] = [one, other].map((lane) => groups.findIndex((group) => group.includes(lane)))
  return a !== b && a !== -1 && b !== -1
}
