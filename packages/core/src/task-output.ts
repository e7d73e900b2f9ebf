/**
 * What tasks print, as lines of the log of the node that does them: so many of each task, and so fast that the node does not
 * notice. One that prints without end waits for that, until its time is over.
 *
 * @since 0.24.0
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Logger } from './logging.ts'

/** How much of what a task prints is logged, in lines and in characters for each. */
const MOST_LINES = 100
const LONGEST_LINE = 1_000

/** How long is waited after each piece of some size, in ms and characters: so a process prints 6 MB a second at most. */
const PAUSE_MS = 10
const LARGE = 16 * 1024

/** How much of the last errors is kept, in characters: what V8 prints when it has no memory is less. */
const KEPT_ERRORS = 16 * 1024

/** Which task prints. */
interface Printing {
  readonly id: string
  readonly name: string
}

/**
 * What one process prints.
 *
 * @internal
 */
export class TaskOutput {
  /** The end of what it has printed as errors. */
  lastErrors = ''
  /** Resolves when it prints no more. Never rejects. */
  readonly ended: Promise<unknown>

  readonly #log: Logger
  readonly #current: () => Printing | undefined
  #printing: Printing | undefined
  #lines = 0

  /** @param current which task is at work */
  constructor({ stdout, stderr }: ChildProcess, log: Logger, current: () => Printing | undefined) {
    this.#log = log
    this.#current = current
    this.ended = Promise.all([this.#read(stdout, 'info'), this.#read(stderr, 'warn')])
  }

  async #read(stream: Readable | null, level: 'info' | 'warn'): Promise<void> {
    let unfinished = ''
    stream?.setEncoding('utf8').on('data', (text: string) => {
      if (level === 'warn') this.lastErrors = (this.lastErrors + text).slice(-KEPT_ERRORS)
      const lines = (unfinished + text).split('\n')
      unfinished = lines.pop() ?? ''
      if (unfinished.length > LONGEST_LINE) {
        lines.push(unfinished)
        unfinished = ''
      }
      for (const line of lines) this.#tell(level, line)
      if (text.length < LARGE) return
      stream.pause()
      setTimeout(() => stream.resume(), PAUSE_MS)
    })
    if (stream) await once(stream, 'close').catch(() => {})
    if (unfinished) this.#tell(level, unfinished)
  }

  #tell(level: 'info' | 'warn', line: string): void {
    // What is printed last comes when the task has ended.
    const printing = this.#current() ?? this.#printing
    if (printing !== this.#printing) {
      this.#printing = printing
      this.#lines = 0
    }
    this.#lines += 1
    if (this.#lines > MOST_LINES + 1 || line === '') return
    const who = printing ? `The task ${printing.name} (${printing.id})` : 'A process for tasks'
    if (this.#lines > MOST_LINES)
      this.#log.warn(`${who} prints more than ${MOST_LINES} lines: the rest is left out`)
    else this.#log[level](`${who} prints: ${line.slice(0, LONGEST_LINE)}`)
  }
}
