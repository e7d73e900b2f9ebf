/**
 * The room for a frame that has begun, and whose end has not come yet. Only for speed: to join each piece with
 * those before it would cost time with the square of their number, and memory for each.
 *
 * @since 0.5.0
 */

const NOTHING = Buffer.alloc(0)

/** A piece of as many bytes is kept as it came, and not copied. Node reads up to 64 KiB at once. */
const LARGE_PIECE = 16 * 1024

/** The first room for small pieces, and the largest: when that is full, they get another. */
const FIRST_ROOM = 256
const LARGEST_ROOM = 64 * 1024

/** Where the pieces of a frame are joined, one place for all: as large as the largest frame that came in several. */
let joined: Buffer = NOTHING

/**
 * A frame's pieces: large ones as they came, small ones copied behind each other.
 *
 * @internal
 */
export class FrameRoom {
  readonly #ownsPieces: boolean
  #pieces: Buffer[] | undefined
  /** Room for small pieces that come behind those, and how much of it is used. */
  #room: Buffer = NOTHING
  #used = 0
  #bytes = 0
  #allocatedBytes = 0

  /** @param ownsPieces whether nobody else uses the memory of the pieces again, so that large ones need no copy */
  constructor(ownsPieces: boolean) {
    this.#ownsPieces = ownsPieces
  }

  /** How many bytes it holds. */
  get bytes(): number {
    return this.#bytes
  }

  /** How much memory that takes, in bytes: all of a room, and all of what a piece was cut from. */
  get allocatedBytes(): number {
    return this.#allocatedBytes
  }

  /** Adds a piece behind those before it. */
  add(piece: Buffer): void {
    this.#bytes += piece.length
    if (piece.length >= LARGE_PIECE) {
      this.#closeRoom()
      const isMostOfItsMemory = 2 * piece.length > piece.buffer.byteLength
      const kept = this.#ownsPieces && isMostOfItsMemory ? piece : Buffer.from(piece)
      this.#pieces ??= []
      this.#pieces.push(kept)
      this.#allocatedBytes += kept.buffer.byteLength
    } else {
      if (this.#used + piece.length > this.#room.length) this.#makeRoomFor(piece.length)
      this.#used += piece.copy(this.#room, this.#used)
    }
  }

  /** The whole, which is to be used before another decoder takes its own. It is empty afterwards. */
  take(): Buffer {
    const frame = this.#whole()
    this.drop()
    return frame
  }

  /** Forgets what it holds. */
  drop(): void {
    this.#pieces = undefined
    this.#room = NOTHING
    this.#used = 0
    this.#bytes = 0
    this.#allocatedBytes = 0
  }

  #whole(): Buffer {
    this.#room = this.#room.subarray(0, this.#used)
    if (!this.#pieces) return this.#room
    if (joined.length < this.#bytes) joined = Buffer.allocUnsafeSlow(this.#bytes)
    let end = 0
    for (const piece of [...this.#pieces, this.#room]) end += piece.copy(joined, end)
    return joined.subarray(0, end)
  }

  #makeRoomFor(bytes: number): void {
    if (this.#used + bytes > LARGEST_ROOM) this.#closeRoom()
    const old = this.#room
    const size = Math.min(LARGEST_ROOM, Math.max(FIRST_ROOM, 2 * old.length, this.#used + bytes))
    this.#room = Buffer.allocUnsafeSlow(size)
    old.copy(this.#room, 0, 0, this.#used)
    this.#allocatedBytes += size - old.length
  }

  /** Makes a piece of the room for small ones, so that another piece can come behind it. */
  #closeRoom(): void {
    if (this.#used > 0) {
      this.#pieces ??= []
      this.#pieces.push(this.#room.subarray(0, this.#used))
    } else this.#allocatedBytes -= this.#room.length
    this.#room = NOTHING
    this.#used = 0
  }
}
