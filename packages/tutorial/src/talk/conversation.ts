/**
 * One connection, and somebody who is told what goes and comes over it. Nothing here knows what the bytes
 * mean.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import ms from 'ms'
import { hexRows, shown } from './bytes.ts'

/** A large message is handed to the system in pieces of so many bytes, to know how much of it has gone. */
const PIECE = 64 * 1024

/** How many characters of a message are shown, and how many rows of numbers. */
const SHOWN_CHARACTERS = 200
const SHOWN_ROWS = 32

/** How many pieces a slow message goes out in, each second, at most. */
const SLOW_PIECES = 20

/** How long nothing may go out before it is told that the other end does not read, in ms. */
const STALLED_MS = 2000

/** How long the other end may be silent and not close, when this end has, in ms. */
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000

/** How long a connection may take to close when this end leaves, in ms. */
const LEAVE_MS = 500

/** What was lost, by the code of the error that said so. */
const LOSSES: Record<string, string> = {
  ECONNRESET: 'The other end reset the connection.',
  ECONNABORTED: 'The other end reset the connection.',
  EPIPE: 'The other end has closed the connection, and takes no more.',
  ETIMEDOUT: 'The other end answers no more.',
}

/** How the bytes of a connection are told. */
export interface Telling {
  /** Takes a line. */
  say(line: string): void
  /** What ends a message, so that each one that comes gets a line of its own. Empty: a line for each piece that comes. */
  separator(): string
}

export interface ConversationOptions {
  /** Show bytes as numbers. */
  hex: boolean
  /** How long the other end may be silent and not close, when this end has, in ms. Default: 10,000. */
  closeTimeoutMs?: number
}

export class Conversation {
  readonly #closeTimeoutMs: number
  readonly #socket: Socket
  readonly #telling: Telling
  readonly #closed: Promise<unknown>
  /** Resolves when nothing more can be sent: the other end has closed, or the connection is lost, or this end leaves. */
  readonly over: Promise<void>
  /** Ends what waits for a time to pass. */
  readonly #timers = new AbortController()
  #isOver = false
  #end: () => void = () => {}
  #endedHere = false
  #bytesPerSecond: number | undefined
  #inHex: boolean
  /** Whether something has come since the last send, and who waits for it. */
  #hasCome = false
  #come: () => void = () => {}
  /** Resolves when the last that was sent is told. Each is told after those before it. */
  #told: Promise<void> = Promise.resolve()
  /** When something last went or came, in ms of performance.now(). */
  #lastSign = performance.now()

  /** Whether it did not go as asked: the connection was lost, not all that was to be sent has gone, or the other end did not close. */
  failed = false

  /** @param socket a connected socket that stays open in one direction when the other ends (`allowHalfOpen`) */
  constructor(
    socket: Socket,
    telling: Telling,
    { hex, closeTimeoutMs = DEFAULT_CLOSE_TIMEOUT_MS }: ConversationOptions,
  ) {
    this.#closeTimeoutMs = closeTimeoutMs
    this.#socket = socket
    this.#telling = telling
    this.#inHex = hex
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('data', (bytes) => this.#take(bytes))
    socket.once('end', () => this.#otherEnds())
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#finish(LOSSES[error.code ?? ''] ?? `The connection is lost: ${error.message}.`)
      this.failed = true
    })
  }

  /** Whether nothing more can be sent. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * Sends bytes, and tells it when the system has taken them. (Whether the other end has read them, nobody
   * knows.) What is sent in one turn of the event loop goes out in one write, as a busy program's messages do:
   * so two of them arrive in one piece whenever that is tried, and not only now and then.
   *
   * @returns when more may be sent
   */
  async send(bytes: Buffer): Promise<void> {
    this.#hasCome = false
    if (bytes.length === 0) return
    const { size, pauseMs } = this.#pace(bytes.length)
    let gone = 0
    let isTold = false
    let resolve = () => {}
    this.#told = new Promise((done) => {
      resolve = done
    })
    const tell = () => {
      if (isTold) return
      isTold = true
      resolve()
      const all = gone === bytes.length
      if (!all) this.failed = true
      this.#tell('->', bytes.subarray(0, gone), all ? '' : ` of ${bytes.length}`)
    }
    for (let at = 0; at < bytes.length; at += size) {
      if (at > 0 && this.#isOver) return tell()
      const piece = bytes.subarray(at, at + size)
      this.#hold()
      const goesOn = this.#socket.write(piece, (error) => {
        if (!error) gone += piece.length
        this.#lastSign = performance.now()
        if (error || gone === bytes.length) tell()
      })
      if (!goesOn) await this.#drained(bytes.length - at)
      if (pauseMs > 0 && at + size < bytes.length) await this.#sleep(pauseMs)
    }
  }

  /** Waits until all that was sent is told, so that what is said next stands below it. */
  async told(): Promise<void> {
    await this.#orOver(this.#told)
  }

  /** Waits so long, in ms, or until something has come since the last send. In any case no longer than there is somebody to send to. */
  async wait(ms?: number): Promise<void> {
    if (ms !== undefined) await this.#sleep(ms)
    else if (!this.#hasCome)
      await this.#orOver(
        new Promise<void>((resolve) => {
          this.#come = resolve
        }),
      )
  }

  /** Sends so many bytes a second from now on, or as fast as it goes. */
  slow(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Shows bytes as numbers, or no longer. */
  hex(): void {
    this.#inHex = !this.#inHex
  }

  /** Says to the other end that no more will be sent, and waits until it closes too; not longer than it is silent for `closeTimeoutMs`. */
  async end(): Promise<void> {
    this.#endedHere = true
    this.#socket.end(() => {
      if (!this.#isOver) this.#telling.say('This end closes.')
    })
    this.#lastSign = performance.now()
    while (!this.#socket.closed) {
      const silentMs = performance.now() - this.#lastSign
      if (silentMs >= this.#closeTimeoutMs) {
        this.#finish(
          `The other end has not closed, and is silent for ${ms(this.#closeTimeoutMs)}: this end leaves.`,
        )
        this.failed = true
        this.#socket.destroy()
      } else await Promise.race([this.#closed, realTime(this.#closeTimeoutMs - silentMs)])
    }
  }

  /** Breaks the connection off. */
  reset(): void {
    this.#finish('This end resets the connection.')
    this.#socket.resetAndDestroy()
  }

  /** Ends the connection without waiting for much. */
  leave(): void {
    if (!this.#isOver) this.#finish('This end leaves.')
    this.#socket.end()
    void realTime(LEAVE_MS).then(() => this.#socket.destroy())
  }

  /** Resolves when both ends have closed, which takes no longer than `closeTimeoutMs` after the conversation is over. */
  async closed(): Promise<void> {
    if (!this.#endedHere) this.#socket.end()
    await Promise.race([this.#closed, realTime(this.#closeTimeoutMs)])
    this.#socket.destroy()
    await this.#closed
  }

  #otherEnds(): void {
    if (!this.#isOver)
      this.#finish(this.#endedHere ? 'The other end closed, too.' : 'The other end closed the connection.')
  }

  #finish(line: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#telling.say(line)
    this.#timers.abort()
    this.#end()
  }

  #take(bytes: Buffer): void {
    this.#lastSign = performance.now()
    for (const message of messagesIn(bytes, this.#telling.separator())) this.#tell('<-', message)
    this.#hasCome = true
    this.#come()
  }

  #tell(direction: '->' | '<-', bytes: Buffer, of = ''): void {
    const count = `${bytes.length}${of} ${bytes.length === 1 && of === '' ? 'byte' : 'bytes'}`
    if (!this.#inHex) {
      this.#telling.say(`${direction} ${count.padEnd(8)}  ${shown(bytes, SHOWN_CHARACTERS)}`.trimEnd())
      return
    }
    this.#telling.say(`${direction} ${count}`)
    for (const row of hexRows(bytes, SHOWN_ROWS)) this.#telling.say(`   ${row}`)
  }

  /** In pieces of how many bytes a message goes out, and how long to wait between them, in ms. */
  #pace(bytes: number): { size: number; pauseMs: number } {
    const speed = this.#bytesPerSecond
    if (speed === undefined) return { size: PIECE, pauseMs: 0 }
    const size = Math.ceil(speed / SLOW_PIECES)
    const seconds = ms(Math.round((1000 * bytes) / speed))
    this.#telling.say(`${bytes} bytes go out slowly, ${speed} a second, which takes ${seconds}`)
    return { size, pauseMs: (1000 * size) / speed }
  }

  /** Holds back what is written until the turn of the event loop ends. */
  #hold(): void {
    if (this.#socket.writableCorked > 0) return
    this.#socket.cork()
    process.nextTick(() => this.#socket.uncork())
  }

  /** Waits until the system takes more, and tells it when that takes long. */
  async #drained(waiting: number): Promise<void> {
    const drained = this.#orOver(once(this.#socket, 'drain').catch(() => {}))
    const isStalled = Symbol('stalled')
    if ((await Promise.race([drained, realTime(STALLED_MS).then(() => isStalled)])) !== isStalled) return
    this.#telling.say(`${waiting} bytes wait here: the other end does not read. Ctrl-C leaves.`)
    await drained
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#timers.signal }).catch(() => {})
  }

  async #orOver(promise: Promise<unknown>): Promise<void> {
    await Promise.race([promise, this.over])
  }
}

/** The messages in a piece that came, each with its separator; what stands after the last one, too. */
function messagesIn(bytes: Buffer, separator: string): Buffer[] {
  const messages: Buffer[] = []
  let from = 0
  while (from < bytes.length) {
    const at = separator === '' ? -1 : bytes.indexOf(separator, from)
    const end = at < 0 ? bytes.length : at + separator.length
    messages.push(bytes.subarray(from, end))
    from = end
  }
  return messages
}

/** Waits so many ms of real time, also where the timers of a test are faster: what other processes need is not. */
async function realTime(ms: number): Promise<void> {
  const signal = AbortSignal.timeout(Math.ceil(ms))
  if (!signal.aborted) await once(signal, 'abort')
}
