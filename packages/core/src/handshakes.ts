/**
 * What holds for every newcomer before it has proven who it is: it may say little, must be quick, and few who come from one
 * address are at work at once. A stranger costs little so, and keeps nobody out but its own neighbours.
 *
 * @since 0.21.0
 */
import type { Socket } from 'node:net'
import { addressOf } from './addresses.ts'
import { OperationalError } from './lifecycle.ts'
import { sourceOf } from './network-addresses.ts'

/** How much a newcomer may say before it has proven who it is, in bytes: a proof takes 300, the certificates of TLS some thousand. */
export const NEWCOMER_BYTES = 16 * 1024

/** How long a newcomer may take to prove who it is, in ms, with the wait for its turn: a Pi Zero on a bad wireless network takes one second. */
export const NEWCOMER_MS = 5_000

/** How many newcomers of one address are at work at once. The proof of one takes a few ms, so fifty of them wait a moment. */
const AT_WORK_PER_SOURCE = 8

/** How many newcomers are at work at once in all. What they have said is 4 MiB at most. */
const AT_WORK = 256

/** How many newcomers wait for their turn. Each takes a descriptor; what it says stays with the system until it is its turn. */
const WAITING = 256

/** How often is looked how much has come, in ms. Who reads by itself looks each time. */
const LOOK_MS = 100

/** What each newcomer has at most. */
export interface HandshakesOptions {
  /** How much it may say, in bytes. Default: 16 KiB. */
  maxBytes?: number
  /** How long it may take, in ms. Default: 5,000. */
  timeoutMs?: number
  /** How many that come from one address, or one /64 network of IPv6, are at work at once. Default: 8. */
  perSource?: number
  /** How many are at work at once in all. Default: 256. */
  atWork?: number
  /** How many wait for their turn. Default: 256. */
  waiting?: number
}

/** A newcomer that waits for its turn. */
interface Waiting {
  readonly socket: Socket
  begin(): void
  sendAway(): void
}

/** All handshakes of a listener that are at work, or wait for their turn. */
export class Handshakes {
  readonly #maxBytes: number
  readonly #timeoutMs: number
  readonly #perSource: number
  readonly #mostAtWork: number
  readonly #mostWaiting: number
  /** By where they come from: how many are at work. */
  readonly #atWork = new Map<string, number>()
  /** By where they come from: who waits, in the order in which they came. Whose turn was last is last. */
  readonly #waiting = new Map<string, Waiting[]>()
  #countAtWork = 0
  #countWaiting = 0

  constructor({
    maxBytes = NEWCOMER_BYTES,
    timeoutMs = NEWCOMER_MS,
    perSource = AT_WORK_PER_SOURCE,
    atWork = AT_WORK,
    waiting = WAITING,
  }: HandshakesOptions = {}) {
    this.#maxBytes = maxBytes
    this.#timeoutMs = timeoutMs
    this.#perSource = perSource
    this.#mostAtWork = atWork
    this.#mostWaiting = waiting
  }

  /** How many are at work now. */
  get atWork(): number {
    return this.#countAtWork
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#countWaiting
  }

  /**
   * Has a newcomer shake hands when its turn has come. Until then nothing of what it says is read.
   *
   * @param socket who has just connected
   * @param shake the handshake. It is to reject when the socket is closed.
   * @returns what `shake` does
   * @throws OperationalError when the newcomer says too much, takes too long, or too many wait already: the socket is
   *   destroyed then
   * @throws what `shake` throws
   */
  async run<Result>(socket: Socket, shake: (socket: Socket) => Promise<Result>): Promise<Result> {
    const source = sourceOf(socket.remoteAddress)
    const address = addressOf(socket.remoteAddress, socket.remotePort)
    const ignore = () => {} // who shakes hands hears them itself, and nobody does while it waits
    socket.on('error', ignore)
    let sendAway: (error: OperationalError) => void = () => {}
    const sentAway = new Promise<never>((_, reject) => {
      sendAway = (error) => {
        reject(error)
        socket.destroy()
      }
    })
    sentAway.catch(() => {})
    const seconds = this.#timeoutMs / 1000
    const timeout = setTimeout(
      () => sendAway(new OperationalError(tooSlow(address, seconds))),
      this.#timeoutMs,
    )
    let look: NodeJS.Timeout | undefined
    let isAtWork = false
    try {
      await Promise.race([this.#turn(socket, source, address), sentAway])
      isAtWork = true
      look = setInterval(() => {
        if (socket.bytesRead > this.#maxBytes)
          sendAway(new OperationalError(tooMuch(address, this.#maxBytes)))
      }, LOOK_MS)
      return await Promise.race([shake(socket), sentAway])
    } finally {
      clearTimeout(timeout)
      clearInterval(look)
      socket.off('error', ignore)
      if (isAtWork) this.#finish(source)
    }
  }

  /**
   * For who reads by itself: looks at once whether a newcomer has said too much.
   *
   * @throws OperationalError when it has. The socket is destroyed then.
   */
  check(socket: Socket): void {
    if (socket.bytesRead <= this.#maxBytes) return
    const address = addressOf(socket.remoteAddress, socket.remotePort)
    socket.destroy()
    throw new OperationalError(tooMuch(address, this.#maxBytes))
  }

  /** Resolves when it is a newcomer's turn. It is counted as one at work then. */
  async #turn(socket: Socket, source: string, address: string): Promise<void> {
    if (socket.destroyed) throw new OperationalError(`${address} has gone.`)
    if (this.#mayBegin(source)) {
      this.#count(source)
      return
    }
    if (this.#countWaiting >= this.#mostWaiting) this.#makeRoom(source)
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#leave(source, newcomer)
        reject(new OperationalError(`${address} has gone before its turn came.`))
      }
      const newcomer: Waiting = {
        socket,
        begin: () => {
          socket.off('close', leave)
          resolve()
        },
        sendAway: () => {
          reject(
            new OperationalError(`${address} was sent away: ${this.#mostWaiting} newcomers wait already.`),
          )
          socket.destroy()
        },
      }
      const queue = this.#waiting.get(source) ?? []
      queue.push(newcomer)
      this.#waiting.set(source, queue)
      this.#countWaiting += 1
      socket.once('close', leave)
    })
  }

  #mayBegin(source: string): boolean {
    return this.#countAtWork < this.#mostAtWork && (this.#atWork.get(source) ?? 0) < this.#perSource
  }

  #count(source: string): void {
    this.#countAtWork += 1
    this.#atWork.set(source, (this.#atWork.get(source) ?? 0) + 1)
  }

  #finish(source: string): void {
    this.#countAtWork -= 1
    const left = (this.#atWork.get(source) ?? 0) - 1
    if (left > 0) this.#atWork.set(source, left)
    else this.#atWork.delete(source)
    for (const [next, queue] of this.#waiting) {
      const first = queue.find(({ socket }) => !socket.destroyed)
      if (!first || !this.#mayBegin(next)) continue
      this.#leave(next, first)
      const others = this.#waiting.get(next)
      if (others) {
        this.#waiting.delete(next) // and the next turn is another source's
        this.#waiting.set(next, others)
      }
      this.#count(next)
      first.begin()
      return
    }
  }

  /** Sends the newest of those away of whom most wait: whoever floods, floods its own queue. */
  #makeRoom(source: string): void {
    let most = source
    for (const [other, { length }] of this.#waiting)
      if (length > (this.#waiting.get(most)?.length ?? 0)) most = other
    const newest = this.#waiting.get(most)?.at(-1)
    if (!newest) return
    this.#leave(most, newest)
    newest.sendAway()
  }

  #leave(source: string, newcomer: Waiting): void {
    const queue = this.#waiting.get(source)
    const place = queue?.indexOf(newcomer) ?? -1
    if (!queue || place < 0) return
    queue.splice(place, 1)
    this.#countWaiting -= 1
    if (queue.length === 0) this.#waiting.delete(source)
  }
}

function tooSlow(address: string, seconds: number): string {
  return `${address} has not proven within ${seconds} s who it is, and was closed.`
}

function tooMuch(address: string, maxBytes: number): string {
  return `${address} has said more than ${maxBytes} bytes before it has proven who it is, and was closed.`
}
