/**
 * What is told to one peer, gathered: all of one type that there is to say in a turn is one message, and a peer that does not
 * read has nothing written to it until it does.
 *
 * @since 0.24.0
 */
import type { Connection } from './connection.ts'
import { asciiJson } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import { outboxOf } from './outbox.ts'
import { sendJson } from './sending.ts'

/** How large a message becomes, in bytes, unless one thing to say is larger by itself. */
const MESSAGE_BYTES = 128 * 1024

/** How much may wait in the peer's socket when something is written, in bytes: with a message more it is far from being cut off. */
const MOST_IN_SOCKET = 256 * 1024

/** How often is looked whether there is room for something large, in ms. */
const LOOK_MS = 10

/**
 * Things to say to a peer, each JSON that is ASCII.
 *
 * @internal
 */
export class TaskStream {
  readonly #peer: Connection
  readonly #hasRoom: () => void
  readonly #mayWrite: () => boolean
  readonly #about: string | undefined
  #types: string[] = []
  #texts: string[] = []
  #waiting = false
  /** How many bytes wait here. */
  bytes = 0

  /**
   * @param hasRoom called when the peer reads again, and all has been written that waited here
   * @param mayWrite asked before anything is written: what waits goes on waiting while it is false
   * @param about what each message says of all that is in it, as the inside of a JSON object: then that has the list as its
   *   `tasks`. By default the list is all that there is
   */
  constructor(
    peer: Connection,
    {
      hasRoom = () => {},
      mayWrite = () => true,
      about,
    }: { hasRoom?: () => void; mayWrite?: () => boolean; about?: string | undefined } = {},
  ) {
    this.#peer = peer
    this.#hasRoom = hasRoom
    this.#mayWrite = mayWrite
    this.#about = about
  }

  /** Whether something waits for the peer to read. */
  get isFull(): boolean {
    return this.#waiting
  }

  /** Says something with the next {@link flush}: in a message of this type, which has an array of such things. */
  add(type: string, json: string): void {
    if (this.#peer.socket.destroyed) return
    this.#types.push(type)
    this.#texts.push(json)
    this.bytes += json.length
  }

  /** Writes what there is, as far as the peer reads. Never throws: that a connection is lost is told by whoever reads it. */
  flush(): void {
    if (this.#waiting || this.#texts.length === 0 || !this.#mayWrite()) return
    try {
      this.#write()
    } catch (error) {
      if (!(error instanceof OperationalError) && !(error instanceof Error && error.name === 'AbortError'))
        throw error
      this.#forget()
    }
  }

  #write(): void {
    const [types, texts] = [this.#types, this.#texts]
    const { socket } = this.#peer
    let from = 0
    while (from < texts.length) {
      const type = types[from] as string
      let to = from
      let bytes = 0
      do {
        bytes += (texts[to] as string).length + 1
        to += 1
      } while (
        to < texts.length &&
        types[to] === type &&
        bytes + (texts[to] as string).length < MESSAGE_BYTES
      )
      if (!this.#hasRoomFor(bytes)) break
      const list = to - from === 1 ? texts[from] : texts.slice(from, to).join(',')
      const payload = this.#about === undefined ? `[${list}]` : `{${this.#about},"tasks":[${list}]}`
      void sendJson(this.#peer, `{"type":${asciiJson(type)},"payload":${payload}}`)?.catch(() => {})
      this.bytes -= bytes - (to - from)
      from = to
    }
    if (from === texts.length) this.#forget()
    else {
      this.#types = types.slice(from)
      this.#texts = texts.slice(from)
      this.#wait(socket)
    }
  }

  /** What is large is written when nothing else waits: with something, it would be more than may wait. */
  #hasRoomFor(bytes: number): boolean {
    const { socket } = this.#peer
    if (bytes > MESSAGE_BYTES) outboxOf(this.#peer).flush()
    return socket.writableLength === 0 || (bytes <= MESSAGE_BYTES && socket.writableLength < MOST_IN_SOCKET)
  }

  #wait(socket: Connection['socket']): void {
    this.#waiting = true
    const goOn = () => {
      clearInterval(look)
      socket.off('drain', goOn)
      this.#waiting = false
      this.flush()
      if (!this.#waiting) this.#hasRoom()
    }
    // A socket that was never full says nothing when it is empty.
    const look = setInterval(() => {
      if (socket.writableLength === 0 || socket.destroyed) goOn()
    }, LOOK_MS).unref()
    socket.once('drain', goOn)
  }

  #forget(): void {
    this.#types = []
    this.#texts = []
    this.bytes = 0
  }
}
