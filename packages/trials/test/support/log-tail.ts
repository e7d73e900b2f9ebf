/** Follows a program's log file while the program writes it, also across rotations. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** One line of a log file. */
export interface LogRecord {
  level: string
  msg: string
  /** When it was logged, in ms since 1970. */
  time: number
  /** How many bytes the line has. */
  bytes: number
}

/** How often to look, in ms: far more often than a file rotates. */
const LOOK_MS = 10

/** How long to wait for what must come, in ms. */
const PATIENCE_MS = 30_000

export class LogTail {
  /** What to do with each line as it comes. */
  onRecord: (record: LogRecord) => void = () => {}

  readonly #path: string
  readonly #timer: NodeJS.Timeout
  readonly #buffer = Buffer.alloc(1024 * 1024)
  #descriptor: number
  #inode: number
  /** The beginning of a line whose end has not come yet. */
  #begun = ''

  /** @param path a log file, which exists */
  constructor(path: string) {
    this.#path = path
    this.#descriptor = openSync(path, 'r')
    this.#inode = fstatSync(this.#descriptor).ino
    this.#timer = setInterval(() => this.look(), LOOK_MS)
  }

  /** Reads what is new. Throws when a line is not JSON. */
  look(): void {
    for (;;) {
      // Looked at before reading: what is written to the old file was written before it was rotated.
      const inode = statSync(this.#path, { throwIfNoEntry: false })?.ino
      this.#drain()
      if (inode === undefined || inode === this.#inode) return
      closeSync(this.#descriptor)
      this.#descriptor = openSync(this.#path, 'r')
      this.#inode = fstatSync(this.#descriptor).ino
    }
  }

  /**
   * Waits until something is so, and looks at the file meanwhile.
   *
   * @param failure what to say when it does not come
   */
  async until(condition: () => boolean, failure: () => string): Promise<void> {
    const began = performance.now()
    for (;;) {
      this.look()
      if (condition()) return
      if (performance.now() - began > PATIENCE_MS) throw new Error(`In ${PATIENCE_MS / 1000} s: ${failure()}`)
      await sleep(LOOK_MS)
    }
  }

  close(): void {
    clearInterval(this.#timer)
    closeSync(this.#descriptor)
  }

  #drain(): void {
    for (;;) {
      const bytes = readSync(this.#descriptor, this.#buffer)
      if (bytes === 0) return
      // The log escapes nothing above ASCII, so a character may be cut: latin1 keeps its bytes.
      const lines = (this.#begun + this.#buffer.toString('latin1', 0, bytes)).split('\n')
      this.#begun = lines.pop() ?? ''
      for (const line of lines) {
        const { level, msg, time } = JSON.parse(Buffer.from(line, 'latin1').toString())
        this.onRecord({ level, msg, time: Date.parse(time), bytes: line.length })
      }
    }
  }
}
