/**
 * Reading a socket with a function, for speed: what {@link forEachChunk} does is what a loop over the chunks of
 * a connection does too, but without a promise and a wait for every chunk.
 *
 * @since 0.3.0
 */
import type { Socket } from 'node:net'
import type { ChunkSource } from './chunks.ts'

/**
 * Calls a function with each chunk as soon as it arrives, until either end closes the connection. While a promise
 * that the function returned is pending, nothing more is read.
 *
 * @throws what {@link ChunkSource.throwIfLost} throws, and whatever the function throws
 * @internal
 */
export async function forEachChunk(
  source: ChunkSource,
  take: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  await new Promise<void>((resolve, reject) => new ChunkReader(source, take, resolve, reject).begin())
  if (!source.socket.readableEnded && !source.closedHere) source.throwIfLost()
}

class ChunkReader {
  readonly #source: ChunkSource
  readonly #take: (chunk: Buffer) => void | Promise<void>
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  #working = false

  constructor(
    source: ChunkSource,
    take: (chunk: Buffer) => void | Promise<void>,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#source = source
    this.#take = take
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(): void {
    const { socket } = this.#source
    chunkReaders.set(socket, this)
    socket.on('data', giveChunk).on('end', endChunks).on('close', endChunks)
    this.#goOn()
  }

  give(chunk: Buffer): void {
    if (this.#source.closedHere) return // What still arrives is not wanted.
    try {
      const work = this.#take(chunk) ?? this.#source.giveWayAfter(chunk)
      if (!(work instanceof Promise)) return
      this.#working = true
      this.#source.socket.pause()
      work.then(
        () => this.#goOn(),
        (error) => this.#fail(error),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  end(): void {
    if (this.#working) return // #goOn looks again
    this.#letGo()
    const rest: Buffer | null = this.#source.socket.read() // what had arrived before the connection was lost
    if (rest) this.give(rest)
    if (!this.#working) this.#resolve()
  }

  #goOn(): void {
    const { socket } = this.#source
    this.#working = false
    if (socket.readableEnded || socket.destroyed) this.end()
    else socket.resume()
  }

  #fail(error: unknown): void {
    this.#letGo()
    this.#source.socket.pause()
    this.#reject(error)
  }

  #letGo(): void {
    this.#source.socket.off('data', giveChunk).off('end', endChunks).off('close', endChunks)
  }
}

/** By socket, so that all of them share their listeners: closures would take a kilobyte more of every connection. */
const chunkReaders = new WeakMap<Socket, ChunkReader>()

function giveChunk(this: Socket, chunk: Buffer): void {
  chunkReaders.get(this)?.give(chunk)
}

function endChunks(this: Socket): void {
  chunkReaders.get(this)?.end()
}
