/**
 * What has come over one connection and has to wait: until the rest of its frame comes, or until the program has
 * time for it. It is counted in the budget that all connections share, and dropped when that refuses it.
 *
 * @since 0.5.0
 */
import type { Connection } from './connection.ts'
import { Decoder, type ParseOptions } from './decoder.ts'
import { type BudgetOptions, type FrameBudget, type Holder, PROCESS_BUDGET } from './frame-budget.ts'
import type { FrameOptions } from './frames.ts'

/**
 * A decoder of what a connection brings, which is counted. `close` it in the end.
 *
 * @internal
 */
export class Intake implements Holder {
  readonly #connection: Connection
  readonly #decoder: Decoder
  readonly #budget: FrameBudget
  #bytes = 0
  #since = 0
  /** The size of the last chunk, until it was counted. */
  #newBytes = 0
  #bytesInWork = 0
  #heldByLayer = 0
  #isClosed = false

  constructor(connection: Connection, options: FrameOptions & ParseOptions & BudgetOptions) {
    this.#connection = connection
    this.#decoder = new Decoder({ ...options, from: connection, ownsChunks: true })
    this.#budget = options.budget ?? PROCESS_BUDGET
  }

  /** How many bytes it was last counted with. */
  get heldBytes(): number {
    return this.#bytes
  }

  /** Since when it has held the frame that it holds, in ms of performance.now(). */
  get heldSince(): number {
    return this.#since
  }

  /** Takes the next chunk. */
  add(chunk: Buffer): void {
    const { heldByLayer } = this.#connection
    // A layer gives whole frames: what has begun then stands there.
    if (heldByLayer > 0 && (chunk.length > 0 || this.#heldByLayer === 0)) this.#since = performance.now()
    this.#heldByLayer = heldByLayer
    this.#newBytes = chunk.length
    this.#decoder.add(chunk)
  }

  /**
   * Hands over each message that was completed, until the function returns false.
   *
   * @returns whether all were handed over
   * @throws FrameError when a frame breaks the protocol, or the budget has refused it
   */
  handOver(take: (message: unknown) => boolean): boolean {
    if (!this.#decoder.handOver(take)) return false
    this.count()
    return this.#decoder.handOver(take) // nothing more, but when it was refused just now, its error
  }

  /** @throws FrameError when the stream ended in the middle of a frame, or the budget has refused it */
  end(): void {
    this.#decoder.end()
  }

  /** Says that work on the last message has begun. Call {@link finish} in the end. */
  begin(): void {
    this.count() // without the message, which is not to be counted twice
    this.#bytesInWork = this.#decoder.messageBytes
    this.#budget.begin(this, this.#bytesInWork)
  }

  finish(): void {
    this.#budget.finish(this, this.#bytesInWork)
  }

  /** A promise to wait for while handlers have so much to do that what has come here must wait. */
  whenThereIsTime(): Promise<void> | undefined {
    return this.#budget.hasToWait(this.#decoder.allocatedBytes) ? this.#wait() : undefined
  }

  async #wait(): Promise<void> {
    while (this.#budget.hasToWait(this.#decoder.allocatedBytes)) {
      this.count()
      await this.#budget.wait(this)
    }
    // Its own turn may need no work at all, and then nobody else would tell the next.
    process.nextTick(() => this.#budget.letNextGoOn())
  }

  /** Tells the budget what it holds now, with what Node has read ahead. */
  count(): void {
    if (this.#isClosed) return
    const { heldByLayer, socket } = this.#connection
    const bytes = this.#decoder.allocatedBytes + heldByLayer + socket.readableLength
    if (bytes === this.#bytes) return
    const beganInLastChunk = this.#newBytes > 0 && this.#decoder.heldBytes <= this.#newBytes
    if (beganInLastChunk) this.#since = performance.now()
    this.#newBytes = 0
    const more = bytes - this.#bytes
    this.#bytes = bytes
    this.#budget.change(this, more)
  }

  refuse(maxBytes: number): void {
    const seconds = ((performance.now() - this.#since) / 1000).toFixed(1)
    const detail = `all connections together may hold ${maxBytes} bytes of frames, and this one, which had held ${this.#bytes} for ${seconds} s, was closed`
    this.#bytes = 0
    this.#connection.fail(this.#decoder.fail('over the budget', detail))
    this.#connection.socket.read() // what Node has read ahead is let go, too
  }

  /** Lets go of all that it holds. */
  close(): void {
    this.#isClosed = true
    const bytes = this.#bytes
    this.#bytes = 0
    this.#budget.change(this, -bytes)
  }
}
