/**
 * Joining: the frames that are sent to a connection in one turn of the event loop go out in one write. What a
 * write costs is the system call, not the bytes.
 *
 * @since 0.5.0
 */
import type { Connection } from './connection.ts'

/**
 * Writes of one turn of the event loop are joined up to this size, in characters. Joining 62-byte
 * messages to 16 KiB was measured 1.5 times as fast as corking the socket; a larger message is
 * written as it is, since to copy it would cost more than it saves.
 */
const JOINED_SIZE = 16 * 1024

/**
 * The outbox of a connection, the same one for all who send to it.
 *
 * @internal
 */
export function outboxOf(connection: Connection): Outbox {
  let outbox = outboxes.get(connection)
  if (!outbox) {
    outbox = new Outbox(connection)
    outboxes.set(connection, outbox)
  }
  return outbox
}

const outboxes = new WeakMap<Connection, Outbox>()

/** Joins the frames that are sent in one turn of the event loop. */
class Outbox {
  readonly #connection: Connection
  #frames = ''
  #wait: Promise<void> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  add(frame: string): Promise<void> | undefined {
    this.#connection.throwIfLost()
    if (this.#frames.length + frame.length > JOINED_SIZE) {
      this.flush()
      if (frame.length > JOINED_SIZE) return this.#keep(this.#connection.write(frame, 'latin1'))
    }
    if (this.#frames === '') process.nextTick(flushAtEndOfTurn, this)
    this.#frames += frame
    return this.#wait
  }

  /** Writes bytes, or text that is ASCII, behind what was added before. Bytes are read when they go out, and may be shared. */
  write(data: string | Uint8Array): Promise<void> | undefined {
    this.flush()
    return this.#keep(this.#connection.write(data, 'latin1'))
  }

  addPieces(pieces: readonly string[]): Promise<void> | undefined {
    this.#connection.throwIfLost()
    this.flush()
    return this.#keep(this.#connection.writePieces(pieces, 'latin1'))
  }

  flush(): void {
    if (this.#frames === '') return
    const frames = this.#frames
    this.#frames = ''
    this.#keep(this.#connection.write(frames, 'latin1'))
  }

  /** Keeps what there is to wait for, for those who send before it has come. */
  #keep(wait: Promise<void> | undefined): Promise<void> | undefined {
    if (wait && wait !== this.#wait) {
      this.#wait = wait
      const done = () => {
        this.#wait = undefined
      }
      wait.then(done, done)
    }
    return wait
  }
}

function flushAtEndOfTurn(outbox: Outbox): void {
  try {
    outbox.flush()
  } catch {
    // Nobody is there to catch it: the next `send` throws it.
  }
}
