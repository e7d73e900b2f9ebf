/** One direction of a connection: takes bytes from one socket and hands them to the other, as its fault has it. */
import type { Socket } from 'node:net'
import type { EndedBy, Fault } from './fault.ts'

/** How many bytes may be under way. When there are as many, no more are read: the sender has to wait. */
const MOST_BYTES = 1024 * 1024

/** In how many pieces they may be: many small ones cost more than their bytes. */
const MOST_PIECES = 10_000

/** How often bytes arrive when they trickle, in ms. */
const STEP_MS = 50

/** For how much time a trickle may make up when this process comes late, in ms. */
const MAKES_UP_FOR_MS = 2 * STEP_MS

export interface FlowOptions {
  source: Socket
  target: Socket
  fault: Fault
  /** Called with what comes, before it is passed on. */
  onBytes: (bytes: Buffer) => void
  /** Called when the source has ended this direction, before that is passed on. */
  onEnd: (by: EndedBy) => void
}

/** What has come and is not passed on yet. */
interface Piece {
  bytes: Buffer
  /** By `performance.now()`. */
  cameAt: number
}

/** The bytes of one direction. An end and a reset take their turn behind them. */
export class Flow {
  readonly #options: FlowOptions
  #fault: Fault
  readonly #underWay: Piece[] = []
  #bytesUnderWay = 0
  #ending: { by: EndedBy; cameAt: number } | undefined
  /** The time up to which it has used what a trickle lets pass, by `performance.now()`. */
  #usedUntil = 0
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: FlowOptions) {
    const { source, target, fault } = options
    this.#options = options
    this.#fault = fault
    source.on('data', (bytes) => this.#take(bytes))
    source.on('end', () => this.#end('end'))
    source.on('error', () => this.#end('reset'))
    target.on('drain', () => this.#passOn())
    // A source that says nothing and ends can do so before anybody listens.
    if (source.readableEnded) this.#end('end')
    else this.#passOn()
  }

  /** Another fault from now on, for what is under way as well. */
  set(fault: Fault): void {
    this.#fault = fault
    this.#usedUntil = performance.now()
    this.#passOn()
  }

  /** Nothing is read and nothing passed on any more. What was under way is lost. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#underWay.length = 0
    this.#options.source.pause()
  }

  #take(bytes: Buffer): void {
    if (this.#isStopped) return
    this.#options.onBytes(bytes)
    this.#underWay.push({ bytes, cameAt: performance.now() })
    this.#bytesUnderWay += bytes.length
    this.#passOn()
  }

  #end(by: EndedBy): void {
    if (this.#isStopped) return
    this.#options.onEnd(by)
    this.#ending = { by, cameAt: performance.now() }
    this.#passOn()
  }

  #passOn(): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    const waitMs = this.#passOnWhatMay()
    // A timer may fire a little early, and then waits once more.
    if (waitMs !== undefined) this.#timer = setTimeout(() => this.#passOn(), Math.max(1, waitMs))
    this.#readIfThereIsRoom()
  }

  /** Passes on all that may be. Returns after how many ms to go on, or nothing when something else has to happen before. */
  #passOnWhatMay(): number | undefined {
    const { target } = this.#options
    const { delayMs = 0, blackHole = false } = this.#fault
    while (!blackHole && !target.destroyed) {
      const next = this.#underWay[0] ?? this.#ending
      if (!next) return undefined
      const dueAt = next.cameAt + delayMs
      const untilDueMs = dueAt - performance.now()
      if (untilDueMs > 0) return untilDueMs
      if ('by' in next) {
        this.#ending = undefined
        if (next.by === 'end') target.end()
        else target.resetAndDestroy()
        return undefined
      }
      if (target.writableNeedDrain) return undefined
      const waitMs = this.#pass(next, dueAt)
      if (waitMs > 0) return waitMs
    }
    return undefined
  }

  /** Passes on as much of the first piece as may be now. Returns after how many ms there will be more, or 0. */
  #pass({ bytes }: Piece, dueAt: number): number {
    const { bytesPerSecond } = this.#fault
    if (bytesPerSecond === undefined) {
      this.#write(bytes.length)
      return 0
    }
    const bytesPerMs = bytesPerSecond / 1000
    const now = performance.now()
    // A line that was idle has nothing to make up for. A byte has to fit in, however slow it is.
    const earliest = now - Math.max(MAKES_UP_FOR_MS, 1.5 / bytesPerMs)
    this.#usedUntil = Math.max(this.#usedUntil, dueAt, earliest)
    const mayPass = Math.floor((now - this.#usedUntil) * bytesPerMs)
    const wanted = Math.min(bytes.length, Math.max(1, Math.floor(STEP_MS * bytesPerMs)))
    if (mayPass < wanted) return Math.max(1, this.#usedUntil + wanted / bytesPerMs - now)
    const passed = Math.min(bytes.length, mayPass)
    this.#usedUntil += passed / bytesPerMs
    this.#write(passed)
    return 0
  }

  /** Writes so many bytes of the first piece. */
  #write(count: number): void {
    const [piece] = this.#underWay
    if (!piece) return
    this.#options.target.write(piece.bytes.subarray(0, count))
    this.#bytesUnderWay -= count
    if (count === piece.bytes.length) this.#underWay.shift()
    else piece.bytes = piece.bytes.subarray(count)
  }

  #readIfThereIsRoom(): void {
    const { source, target } = this.#options
    const isFull = this.#bytesUnderWay >= MOST_BYTES || this.#underWay.length >= MOST_PIECES
    // Node itself reads a few bytes ahead, and then no more either.
    if (this.#fault.blackHole || isFull || target.destroyed) source.pause()
    else source.resume()
  }
}
