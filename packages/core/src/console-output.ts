/**
 * The one way to the console, which never waits for it. Lines go out at once, so that the last one before a
 * crash is there to be read. But a terminal that was stopped with Ctrl-S, or a pipe that nobody reads,
 * takes no more after some time: then a few lines wait, the others are counted, and the program goes on.
 *
 * @since 0.2.0
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { stopIfConsoleIsGone } from './lifecycle.ts'

/** The descriptor of the console. */
const STDOUT = 1

/** How many bytes wait for a console that takes none: as many as a pipe of Linux keeps by itself. */
const MAX_WAITING_BYTES = 64 * 1024

/** How often to look whether the console takes something again, in ms. */
const LOOK_MS = 50

/**
 * How long a program that ends waits for a console to take what waits, in ms: a moment for a reader that is
 * only slow. The program has been asked to end within a second, and may have used 900 ms of it.
 */
const LAST_WAIT_MS = 50

/** How long to sleep between two looks in that time, in ms. */
const NAP_MS = 5

/** Writes lines to the console, and counts those that it does not take. */
export class ConsoleOutput {
  readonly #descriptor: number
  readonly #isTerminal: boolean
  readonly #lostText: (lines: number) => string
  /** What the console has not taken yet. The first may be the rest of a line. */
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined
  #isGone = false
  #isEnding = false

  /**
   * @param lostText the line that says how many lines are missing, written as soon as the console takes
   *   lines again
   * @param descriptor where to write: that of the console, in a way that does not wait
   */
  constructor(lostText: (lines: number) => string, descriptor: number = openWithoutWaiting()) {
    this.#lostText = lostText
    this.#descriptor = descriptor
    this.#isTerminal = isatty(descriptor)
  }

  /** Writes a line, which ends with a line feed. Returns at once, and never throws. */
  write(line: string): void {
    if (this.#isGone) return
    this.#takeUp()
    if (this.#lost > 0 || this.#waitingBytes >= MAX_WAITING_BYTES) {
      this.#lost += 1
      return
    }
    this.#add(line)
    this.#takeUp()
    if (this.#waiting.length > 0) this.#comeBack()
  }

  #add(line: string): void {
    const bytes = Buffer.from(line)
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  /** Writes what waits, as far as the console takes it, and then how many lines are missing behind that. */
  #takeUp(): void {
    try {
      this.#writeWaiting()
      if (this.#lost === 0) return
      this.#add(this.#lostText(this.#lost))
      this.#lost = 0
      this.#writeWaiting()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A file on a full disk, too, may take lines again. But who has gone does not come back.
      if (code !== 'EPIPE' && !(code === 'EIO' && this.#isTerminal)) return
      this.#isGone = true
      this.#waiting.length = 0
      stopIfConsoleIsGone(error as NodeJS.ErrnoException)
    }
  }

  #writeWaiting(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const written = writeSync(this.#descriptor, first)
      this.#waitingBytes -= written
      if (written < first.length) this.#waiting[0] = first.subarray(written)
      else this.#waiting.shift()
    }
  }

  /** Sees to it that somebody looks again: from time to time, and when the program ends. */
  #comeBack(): void {
    if (this.#isEnding) this.#waitALittle()
    if (this.#timer || this.#isEnding) return
    process.on('exit', this.#end)
    this.#timer = setInterval(() => {
      this.#takeUp()
      if (this.#waiting.length === 0) this.#rest()
    }, LOOK_MS).unref()
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    process.off('exit', this.#end)
  }

  readonly #end = () => {
    this.#isEnding = true // lines that are still to come, as from who is told of the end after this, get the same
    this.#waitALittle()
  }

  #waitALittle(): void {
    const began = performance.now()
    while (this.#waiting.length > 0 && performance.now() - began < LAST_WAIT_MS) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS)
      this.#takeUp()
    }
  }
}

/**
 * A descriptor of the console that does not wait. On Linux, a terminal or a pipe is opened once more, since its
 * own descriptor may be shared with other programs, such as the shell, for which it has to go on waiting.
 */
function openWithoutWaiting(): number {
  try {
    const console = fstatSync(STDOUT)
    if (!console.isFIFO() && !console.isSocket() && !isatty(STDOUT)) return STDOUT
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    // A socket cannot be opened, and other systems have no such path. When Node gets ready to write to a socket
    // or a pipe itself, it makes it one that does not wait. A terminal goes on waiting there.
    void process.stdout
    return STDOUT
  }
}
