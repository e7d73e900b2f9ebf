/**
 * One budget for all connections of a process: how much memory peers can make it hold with frames that are not
 * finished, or that wait until a handler has time. The limit of one frame alone does not bound that: a thousand
 * connections may each begin one.
 *
 * @since 0.5.0
 */

/**
 * How many bytes frames may hold in all connections of a process together, unless told otherwise: 64 MiB. The
 * smallest machine in mind is a Pi Zero 2 W, of whose 512 MB some 350 are free: that is room for a program with
 * this, and with as much again of what was given back and is not yet collected. It is room for 64 of the largest
 * frames at the same moment.
 */
export const DEFAULT_MAX_HELD_BYTES = 64 * 1024 * 1024

/** A frame as small as this never waits for handlers: all that 16,384 connections could have of them is 64 MiB. */
const SMALL_FRAME = 4 * 1024

/** How often to look at what Node has read ahead where a handler takes its time, in ms. It is one piece of 64 KiB for each connection. */
const RECOUNT_MS = 100

/** Which budget frames are counted in. */
export interface BudgetOptions {
  /** What the frames of all connections share. Default: one for the whole process, of 64 MiB. */
  budget?: FrameBudget
}

/**
 * What holds frames, and can be made to give up.
 *
 * @internal
 */
export interface Holder {
  /** How many bytes it holds: as much as was allocated for them. */
  readonly heldBytes: number
  /** Since when, in ms of performance.now(). */
  readonly heldSince: number
  /** Says by `change` what it holds now. */
  count(): void
  /** Drops all that it holds. */
  refuse(maxBytes: number): void
}

/**
 * A budget in bytes, for any number of connections. When frames would hold more, the connection that has held
 * most for longest (bytes times seconds) is refused with a FrameError: slow and large ones go before small ones and
 * those that are on their way. While handlers have half of it in their hands, no further message of more than
 * 4 KiB is given to one, and its peer waits.
 */
export class FrameBudget {
  readonly maxBytes: number
  #heldBytes = 0
  #bytesInWork = 0
  readonly #holders = new Set<Holder>()
  /** Whose handlers are at work: while they are, Node reads ahead, and tells nobody. */
  readonly #atWork = new Set<Holder>()
  #recount: NodeJS.Timeout | undefined
  /** Who waits until handlers have less in their hands. */
  readonly #waiting = new Map<Holder, () => void>()

  constructor(maxBytes: number = DEFAULT_MAX_HELD_BYTES) {
    this.maxBytes = maxBytes
  }

  /** How many bytes frames hold now, those that handlers work on included. */
  get heldBytes(): number {
    return this.#heldBytes + this.#bytesInWork
  }

  /**
   * Says that a holder holds more, or less, and refuses the worst while that is too much.
   *
   * @internal
   */
  change(holder: Holder, moreBytes: number): void {
    this.#heldBytes += moreBytes
    if (holder.heldBytes > 0) this.#holders.add(holder)
    else this.#holders.delete(holder)
    if (moreBytes > 0) this.#refuseTheWorst()
  }

  /**
   * Says that a handler has begun to work on a message, of a frame of so many bytes.
   *
   * @internal
   */
  begin(holder: Holder, bytes: number): void {
    this.#bytesInWork += bytes
    this.#atWork.add(holder)
    this.#recount ??= setInterval(() => this.#countAll(), RECOUNT_MS).unref()
    this.#refuseTheWorst()
  }

  /**
   * Says that it has finished.
   *
   * @internal
   */
  finish(holder: Holder, bytes: number): void {
    this.#bytesInWork -= bytes
    this.#atWork.delete(holder)
    this.letNextGoOn()
  }

  /**
   * Whether a frame that may be as large as this has to wait until handlers have finished others.
   *
   * @internal
   */
  hasToWait(bytes: number): boolean {
    return bytes > SMALL_FRAME && this.#bytesInWork > this.maxBytes / 2
  }

  /**
   * Waits until it is worth to ask again, or the holder was refused.
   *
   * @internal
   */
  wait(holder: Holder): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(holder, resolve))
  }

  /**
   * Lets one of those who wait ask again, when there is room.
   *
   * @internal
   */
  letNextGoOn(): void {
    if (this.#bytesInWork > this.maxBytes / 2) return
    const [next] = this.#waiting.keys()
    if (next) this.#letGoOn(next)
  }

  #letGoOn(holder: Holder): void {
    this.#waiting.get(holder)?.()
    this.#waiting.delete(holder)
  }

  #countAll(): void {
    for (const holder of this.#atWork) holder.count()
    if (this.#atWork.size > 0) return
    clearInterval(this.#recount)
    this.#recount = undefined
  }

  #refuseTheWorst(): void {
    while (this.#heldBytes + this.#bytesInWork > this.maxBytes) {
      const worst = this.#worst()
      if (!worst) return
      this.#holders.delete(worst)
      this.#heldBytes -= worst.heldBytes
      worst.refuse(this.maxBytes)
      this.#letGoOn(worst)
    }
  }

  #worst(): Holder | undefined {
    const now = performance.now()
    let worst: Holder | undefined
    let most = 0
    for (const holder of this.#holders) {
      const byteMs = holder.heldBytes * (now - holder.heldSince + 1)
      if (byteMs <= most) continue
      worst = holder
      most = byteMs
    }
    return worst
  }
}

/**
 * The budget of a process.
 *
 * @internal
 */
export const PROCESS_BUDGET = new FrameBudget()
