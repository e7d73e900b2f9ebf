/** Sockets, as Node has them, over the page's network. */
import { Buffer } from 'node:buffer'
import { Duplex } from 'node:stream'
import type { Address, FromNetwork, ToNetwork } from '../messages.ts'
import { keepAlive, letGo } from './alive.ts'
import { EventEmitter } from './events.ts'
import { process } from './process.ts'
import { clearTimeout, setTimeout, type Timeout } from './timers.ts'

/** How the worker reaches the network. */
export const network = { send: (_message: ToNetwork, _transfer?: Transferable[]) => {} }

const sockets = new Map<number, Socket>()
const servers = new Map<number, Server>()
let nextNumber = 1

/** What the two systems keep of what the other program has not read, in bytes: beyond that, who writes has to wait. */
const SYSTEM_BUFFER = 256 * 1024

interface SocketOptions {
  allowHalfOpen?: boolean
  number?: number
  signal?: AbortSignal
}

interface ConnectOptions extends SocketOptions {
  host?: string
  port: number
  timeout?: number
}

export class Socket extends Duplex {
  connecting = false
  bytesRead = 0
  bytesWritten = 0
  localAddress?: string
  localPort?: number
  remoteAddress?: string
  remotePort?: number
  remoteFamily?: string
  timeout = 0
  readonly #number: number
  #isOpen: boolean
  #isRef = true
  #host = ''
  /** What was written and the other program has not read. */
  #onItsWay = 0
  #whenRoom: (() => void) | undefined
  #wanted = false
  #arrived: (Uint8Array | null)[] = []
  #quiet: Timeout | undefined

  constructor({ allowHalfOpen = false, number }: SocketOptions = {}) {
    super({ allowHalfOpen, autoDestroy: true, emitClose: true, decodeStrings: true })
    this.#number = number ?? nextNumber++
    this.#isOpen = number !== undefined
    if (this.#isOpen) this.#opens()
  }

  #opens(): void {
    sockets.set(this.#number, this)
    if (this.#isRef) keepAlive(this)
  }

  get pending(): boolean {
    return !this.#isOpen
  }

  get readyState(): string {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  get bufferSize(): number {
    return this.writableLength
  }

  connect(options: ConnectOptions | number, ...rest: unknown[]): this {
    const host = rest.find((one) => typeof one === 'string')
    const whenConnected = rest.find((one) => typeof one === 'function') as (() => void) | undefined
    const wanted = typeof options === 'number' ? { port: options, host: host ?? 'localhost' } : options
    this.#host = (wanted as ConnectOptions).host ?? 'localhost'
    this.remotePort = wanted.port
    this.connecting = true
    if (whenConnected) this.once('connect', whenConnected)
    if ('timeout' in wanted && wanted.timeout) this.setTimeout(wanted.timeout)
    this.#opens()
    network.send({ what: 'connect', socket: this.#number, host: this.#host, port: wanted.port })
    return this
  }

  /** What the network says of this socket. */
  arrives(message: FromNetwork): void {
    switch (message.what) {
      case 'connected':
        this.connecting = false
        this.#isOpen = true
        this.knows(message.local, message.remote)
        this.emit('connect')
        this.emit('ready')
        this.read(0)
        return
      case 'not-connected':
        this.connecting = false
        this.destroy(connectError(message.code, this.#host, this.remotePort ?? 0))
        return
      case 'bytes':
        this.bytesRead += message.bytes.length
        this.#sign()
        this.#arrived.push(message.bytes)
        this.#pushArrived()
        return
      case 'end':
        this.#arrived.push(null)
        this.#pushArrived()
        return
      case 'took':
        this.#onItsWay -= message.bytes
        this.#sign()
        this.#room()
        return
      case 'reset':
        this.destroy(systemError('ECONNRESET', 'read'))
    }
  }

  knows(local: Address, remote: Address): void {
    this.localAddress = local.address
    this.localPort = local.port
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.remoteFamily = remote.address.includes(':') ? 'IPv6' : 'IPv4'
  }

  override _read(): void {
    this.#wanted = true
    this.#pushArrived()
  }

  #pushArrived(): void {
    while (this.#wanted) {
      const next = this.#arrived.shift()
      if (next === undefined) return
      if (next === null) {
        this.push(null)
        // Nobody reads what comes no more: the end is noticed all the same.
        if (this.readableLength === 0) this.read(0)
        return
      }
      network.send({ what: 'took', socket: this.#number, bytes: next.length })
      this.#wanted = this.push(Buffer.from(next.buffer, next.byteOffset, next.length))
    }
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#whenOpen(() => this.#send(chunk, done))
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    this.#whenOpen(() => this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done))
  }

  #whenOpen(run: () => void): void {
    if (this.#isOpen) {
      run()
      return
    }
    this.once('connect', run)
  }

  #send(chunk: Uint8Array, done: (error?: Error) => void): void {
    this.bytesWritten += chunk.length
    this.#onItsWay += chunk.length
    network.send({ what: 'bytes', socket: this.#number, bytes: new Uint8Array(chunk) })
    this.#sign()
    this.#whenRoom = done
    this.#room()
  }

  #room(): void {
    if (this.#onItsWay > SYSTEM_BUFFER) return
    const done = this.#whenRoom
    this.#whenRoom = undefined
    done?.()
  }

  override _final(done: (error?: Error) => void): void {
    this.#whenOpen(() => {
      network.send({ what: 'end', socket: this.#number })
      done()
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#quiet)
    this.connecting = false
    if (sockets.delete(this.#number)) network.send({ what: 'closed', socket: this.#number })
    letGo(this)
    done(error)
  }

  resetAndDestroy(): this {
    network.send({ what: 'reset', socket: this.#number })
    return this.destroy()
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  setTimeout(ms: number, tell?: () => void): this {
    this.timeout = ms
    clearTimeout(this.#quiet)
    this.#quiet = undefined
    if (tell) ms === 0 ? this.off('timeout', tell) : this.once('timeout', tell)
    if (ms > 0) this.#quiet = setTimeout(() => this.emit('timeout'), ms).unref()
    return this
  }

  /** Something passes. */
  #sign(): void {
    this.#quiet?.refresh()
  }

  setNoDelay = () => this
  setKeepAlive = () => this
  address = () => ({ address: this.localAddress, port: this.localPort, family: 'IPv4' })

  ref(): this {
    this.#isRef = true
    if (sockets.has(this.#number)) keepAlive(this)
    return this
  }

  unref(): this {
    this.#isRef = false
    letGo(this)
    return this
  }
}

interface ServerOptions {
  allowHalfOpen?: boolean
  pauseOnConnect?: boolean
}

export class Server extends EventEmitter {
  listening = false
  maxConnections?: number
  readonly #number = nextNumber++
  readonly #options: ServerOptions
  readonly #connections = new Set<Socket>()
  #local: Address | undefined
  #asked: Address = { address: '::', port: 0 }
  #isClosing = false

  constructor(options: ServerOptions | ((socket: Socket) => void) = {}, take?: (socket: Socket) => void) {
    super()
    this.#options = typeof options === 'function' ? {} : options
    const taker = typeof options === 'function' ? options : take
    if (taker) this.on('connection', taker)
  }

  listen(options: { host?: string; port?: number } | number = {}, ...rest: unknown[]): this {
    const told = rest.find((one) => typeof one === 'function') as (() => void) | undefined
    const host = rest.find((one) => typeof one === 'string') as string | undefined
    const wanted = typeof options === 'number' ? { port: options, ...(host && { host }) } : options
    this.#asked = { address: wanted.host ?? '::', port: wanted.port ?? 0 }
    if (told) this.once('listening', told)
    servers.set(this.#number, this)
    keepAlive(this)
    network.send({ what: 'listen', server: this.#number, host: this.#asked.address, port: this.#asked.port })
    return this
  }

  arrives(message: FromNetwork): void {
    if (message.what === 'listening') {
      if (this.#isClosing) return
      this.listening = true
      this.#local = message.local
      this.emit('listening')
    } else if (message.what === 'not-listening') {
      servers.delete(this.#number)
      letGo(this)
      const { address, port } = this.#asked
      const error = systemError(message.code, 'listen', ` ${address}:${port}`)
      this.emit('error', Object.assign(error, { address, port }))
    } else if (message.what === 'accepted') this.#accept(message)
  }

  #accept({ socket: number, local, remote }: FromNetwork & { what: 'accepted' }): void {
    const { allowHalfOpen = false, pauseOnConnect = false } = this.#options
    const socket = new Socket({ allowHalfOpen, number })
    socket.knows(local, remote)
    if (this.#isClosing || this.#connections.size >= (this.maxConnections ?? Number.POSITIVE_INFINITY)) {
      socket.destroy()
      return
    }
    this.#connections.add(socket)
    socket.once('close', () => {
      this.#connections.delete(socket)
      this.#closeIfDone()
    })
    if (pauseOnConnect) socket.pause()
    else socket.read(0)
    this.emit('connection', socket)
  }

  address() {
    const local = this.#local
    if (!local || !this.listening) return null
    return { ...local, family: local.address.includes(':') ? 'IPv6' : 'IPv4' }
  }

  close(told?: (error?: Error) => void): this {
    if (!servers.has(this.#number)) {
      const error = Object.assign(new Error('Server is not running.'), { code: 'ERR_SERVER_NOT_RUNNING' })
      if (told) process.nextTick(() => told(error))
      return this
    }
    if (told) this.once('close', () => told())
    this.#isClosing = true
    this.listening = false
    network.send({ what: 'close-server', server: this.#number })
    servers.delete(this.#number)
    letGo(this)
    this.#closeIfDone()
    return this
  }

  #closeIfDone(): void {
    if (!this.#isClosing || this.#connections.size > 0) return
    this.#isClosing = false
    process.nextTick(() => this.emit('close'))
  }

  getConnections(tell: (error: null, count: number) => void): void {
    process.nextTick(() => tell(null, this.#connections.size))
  }

  ref(): this {
    keepAlive(this)
    return this
  }

  unref(): this {
    letGo(this)
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.close(() => resolve()))
  }
}

/** Something came from the network. */
export function fromNetwork(message: FromNetwork): void {
  if ('server' in message) servers.get(message.server)?.arrives(message)
  else sockets.get(message.socket)?.arrives(message)
}

export function connect(options: ConnectOptions | number, ...rest: unknown[]): Socket {
  return new Socket(typeof options === 'number' ? {} : options).connect(options, ...rest)
}

export const createConnection = connect

export function createServer(
  options?: ServerOptions | ((socket: Socket) => void),
  take?: (socket: Socket) => void,
): Server {
  return new Server(options, take)
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/

export function isIPv4(text: string): boolean {
  return IPV4.test(text) && !/(^|\.)0\d/.test(text)
}

export function isIPv6(text: string): boolean {
  const [address = '', zone] = text.split('%')
  return (
    /^[\da-f:.]+$/i.test(address) &&
    zone !== '' &&
    address.includes(':') &&
    URL.canParse(`http://[${address}]`)
  )
}

export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4
  return isIPv6(text) ? 6 : 0
}

/** Linux's numbers of what goes wrong. */
const NUMBERS: Record<string, number> = {
  EADDRINUSE: -98,
  EADDRNOTAVAIL: -99,
  ECONNRESET: -104,
  ECONNREFUSED: -111,
}

function systemError(code: string, syscall: string, where = ''): Error {
  const words =
    code === 'EADDRINUSE'
      ? ': address already in use'
      : code === 'EADDRNOTAVAIL'
        ? ': address not available'
        : ''
  return Object.assign(new Error(`${syscall} ${code}${words}${where}`), {
    code,
    errno: NUMBERS[code],
    syscall,
  })
}

function connectError(code: string, host: string, port: number): Error {
  if (code === 'ENOTFOUND')
    return Object.assign(systemError(code, 'getaddrinfo', ` ${host}`), { hostname: host })
  if (code === 'ECONNRESET') return systemError(code, 'read')
  const address = host === 'localhost' ? '127.0.0.1' : host
  return Object.assign(systemError(code, 'connect', ` ${address}:${port}`), { address, port })
}

export default { Socket, Server, connect, createConnection, createServer, isIP, isIPv4, isIPv6 }
