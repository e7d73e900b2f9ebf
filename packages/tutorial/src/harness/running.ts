/** A process that a test has started: what it prints, and how it ends. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CLOCK_SPEED } from '../run/environment.ts'
import { HarnessError, PATIENCE_MS } from './patience.ts'

/** A process that a test has started: a program, or a whole cluster. */
export class Running {
  readonly #process: ChildProcess
  readonly #closed: Promise<void>
  readonly #lines: string[] = []
  #onChange: () => void = () => {}
  #hasEnded = false
  readonly #startedAt = performance.now()

  constructor(child: ChildProcess) {
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line)
        this.#onChange()
      })
    }
    this.#closed = once(child, 'close').then(() => {
      this.#hasEnded = true
      this.#onChange()
    })
  }

  /** Everything it has printed so far, on stdout and stderr, a line each. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The messages of the log lines it has printed so far: what stands after time, level and name. */
  get messages(): string[] {
    return this.#lines.map((line) => line.replace(/^.*?\] \w+(?: \(\w+\))?: /, ''))
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new HarnessError('The process could not be started')
    return this.#process.pid
  }

  /** The exit code, or the name of the signal that ended it. */
  get exitCode(): number | string | null {
    return this.#process.exitCode ?? this.#process.signalCode
  }

  /** How many times at most it can have done by now what it does every so many ms of its own clock. */
  mostTurns(everyMs: number): number {
    return Math.floor(((performance.now() - this.#startedAt) * CLOCK_SPEED) / everyMs)
  }

  /** Waits for a line, or for `times` of them. */
  async says(pattern: RegExp, times = 1): Promise<void> {
    await this.#until(
      () => this.#lines.filter((line) => pattern.test(line)).length >= times,
      `say ${pattern}`,
    )
  }

  /** Waits for its first line, or for its end. */
  async saidSomething(): Promise<void> {
    await this.#until(() => this.#lines.length > 0 || this.#hasEnded, 'say anything')
  }

  /** Waits until it has ended by itself. */
  async ends(): Promise<void> {
    await this.#until(() => this.#hasEnded, 'end')
  }

  /** Sends a signal, to it or to its whole process group, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', to: 'process' | 'group' = 'process'): Promise<void> {
    if (!this.#hasEnded) this.signal(signal, to)
    await this.ends()
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals, to: 'process' | 'group' = 'process'): void {
    try {
      process.kill(to === 'group' ? -this.pid : this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
    }
  }

  /** Closes this end of its stdout and stderr, as `| head` does. */
  closeConsole(): void {
    this.#process.stdout?.destroy()
    this.#process.stderr?.destroy()
  }

  /** Ends it and all that it has started, at once. */
  async kill(): Promise<void> {
    this.signal('SIGKILL', 'group')
    await this.#closed
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const said = () => `It said:\n${this.#lines.join('\n')}`
    let timeout: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        timeout = setTimeout(
          () => reject(new HarnessError(`In ${PATIENCE_MS / 1000} s it did not ${what}. ${said()}`)),
          PATIENCE_MS,
        )
        this.#onChange = () => {
          if (condition()) resolve()
          else if (this.#hasEnded)
            reject(new HarnessError(`It ended (${this.exitCode}) and did not ${what}. ${said()}`))
        }
        this.#onChange()
      })
    } finally {
      clearTimeout(timeout)
      this.#onChange = () => {}
    }
  }
}

/** True while there is a process with this pid. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
