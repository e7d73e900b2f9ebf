/** The link of a node to the one that it connects to, and all that is wrong with it at once. */
import { setInterval } from 'node:timers'
import type { Watcher } from '../faults/connection.ts'
import type { Direction, Fault } from '../faults/fault.ts'
import { Link } from '../faults/link.ts'
import { freePort } from '../run/environment.ts'

export interface FaultyLinkOptions {
  /** The port of this machine that the other listens on. */
  port: number
  /** Called for each connection when it comes: what it returns is told what happens there. */
  watch: () => Watcher
  /** Who connects. */
  lane: string
  /** Who listens. */
  to: string
  /** The port that the program means. */
  asked: number
  /** How many times as fast as real time its programs' time goes by: what is wrong is told in their time. */
  speed: number
  random: () => number
}

/** How often a delay with jitter becomes another one, in ms of real time. */
const JITTER_EVERY_MS = 100

/** A link on which several faults may be at once, until it is healed. */
export class FaultyLink {
  readonly lane: string
  readonly to: string
  readonly asked: number
  readonly #link: Link
  readonly #speed: number
  readonly #random: () => number
  #delayMs = 0
  #jitterMs = 0
  #bytesPerSecond: number | undefined
  readonly #blackHoles = new Set<Direction>()
  #isParted = false
  #jitter: NodeJS.Timeout | undefined
  /** Who is told of the connections that have not ended. */
  readonly #open: Set<Watcher>

  private constructor(link: Link, open: Set<Watcher>, { lane, to, asked, speed, random }: FaultyLinkOptions) {
    this.#link = link
    this.#open = open
    this.lane = lane
    this.to = to
    this.asked = asked
    this.#speed = speed
    this.#random = random
  }

  /** Opens a link without faults. Nobody listens behind it yet. */
  static async open(options: FaultyLinkOptions): Promise<FaultyLink> {
    const open = new Set<Watcher>()
    const { port, watch } = options
    const link = await Link.open({
      port,
      at: await freePort(),
      watch() {
        const told = watch()
        return {
          opened(address) {
            open.add(told)
            told.opened?.(address)
          },
          bytes: (from, bytes) => told.bytes?.(from, bytes),
          ended(from, by) {
            if (by === 'reset') open.delete(told)
            told.ended?.(from, by)
          },
        }
      },
    })
    link.refuse()
    return new FaultyLink(link, open, options)
  }

  /** The port that the other listens on. */
  get serverPort(): number {
    return this.#link.serverPort
  }

  /** The port to connect to in the other's place. */
  get port(): number {
    return this.#link.port
  }

  /** Whether the other listens. Where it does not, this machine's system refuses who connects, as it would without a link. */
  async listens(isListening: boolean): Promise<void> {
    if (isListening) await this.#link.accept()
    else this.#link.refuse()
  }

  /** Resets every connection, and each that comes. */
  cut(): void {
    this.#link.cut('reset')
    // Nobody but the link itself has ended them, so nobody else says so.
    for (const told of this.#open) told.ended?.('server', 'reset')
    this.#open.clear()
  }

  /** Nothing arrives in this direction, or in both. */
  blackHole(direction: Direction | 'both'): void {
    if (direction !== 'toClient') this.#blackHoles.add('toServer')
    if (direction !== 'toServer') this.#blackHoles.add('toClient')
    this.#set()
  }

  /** Each direction is so late, give or take the jitter. */
  delay(delayMs: number, jitterMs = 0): void {
    this.#delayMs = delayMs
    this.#jitterMs = jitterMs
    clearInterval(this.#jitter)
    if (jitterMs > 0) this.#jitter = setInterval(() => this.#set(), JITTER_EVERY_MS)
    this.#set()
  }

  /** Each direction passes on so many bytes in a second. */
  trickle(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond
    this.#set()
  }

  /** The two ends are in different parts of a network that has come apart, or in one again. */
  part(isParted: boolean): void {
    if (isParted === this.#isParted) return
    this.#isParted = isParted
    this.#set()
  }

  /** Takes every fault away. */
  heal(): void {
    clearInterval(this.#jitter)
    this.#delayMs = this.#jitterMs = 0
    this.#bytesPerSecond = undefined
    this.#blackHoles.clear()
    this.#isParted = false
    this.#link.heal()
  }

  async close(): Promise<void> {
    clearInterval(this.#jitter)
    await this.#link.close()
  }

  #set(): void {
    this.#link.set({ toServer: this.#fault('toServer'), toClient: this.#fault('toClient') })
  }

  #fault(direction: Direction): Fault {
    const jitterMs = (this.#random() * 2 - 1) * this.#jitterMs
    return {
      delayMs: Math.max(0, this.#delayMs + jitterMs) / this.#speed,
      blackHole: this.#isParted || this.#blackHoles.has(direction),
      ...(this.#bytesPerSecond !== undefined && {
        bytesPerSecond: Math.max(1, Math.round(this.#bytesPerSecond * this.#speed)),
      }),
    }
  }
}
