/**
 * What started this program, if that was systemd: it waits to hear that the program is ready, shows what it does, and
 * watches that its event loop still turns. Without systemd nothing happens.
 *
 * @since 0.12.0
 */
import { execFile } from 'node:child_process'
import { addAbortListener } from 'node:events'
import { stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How often in its time the watchdog is told that the loop turns. systemd.service(5) asks for twice at least. */
const TOLD_PER_WATCHDOG_TIME = 3

/** How long one message may take to reach systemd, in ms. A busy Pi takes seconds to start a program. */
const NOTIFY_TIMEOUT_MS = 10_000

export interface ServiceManagerOptions {
  /** Where is told that systemd cannot be reached. */
  log: Logger
  /** Whether it tells the watchdog, and the end: of several managers in one program one does. Default: yes. */
  tellsWatchdog?: boolean
  /** At its abort systemd is told that the program is stopping. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/**
 * Speaks to systemd by `systemd-notify`, as sd_notify(3) has it: Node has no sockets of the kind that systemd listens on.
 * For each message a program is started, so few are sent: of what happens while one is on its way, the last counts. That
 * takes about 6 ms of a core each time, and the watchdog is told three times in its time. The unit has to say `NotifyAccess=all`.
 *
 * From when it is made, the watchdog is told by a timer. A loop that hangs turns no timer, and systemd ends the program.
 */
export class ServiceManager {
  readonly #log: Logger
  readonly #stop: AbortSignal
  readonly #isThere = process.env['NOTIFY_SOCKET'] !== undefined
  /** What is to be said, by its name: `STATUS`. */
  readonly #pending = new Map<string, string>()
  #isSaying = false
  #hasFailed = false

  constructor({ log, tellsWatchdog = true, stop = stopRequest }: ServiceManagerOptions) {
    this.#log = log
    this.#stop = stop
    if (!this.#isThere || !tellsWatchdog) return
    const everyMs = watchdogTimeMs() / TOLD_PER_WATCHDOG_TIME
    const timer = everyMs > 0 ? setInterval(() => this.#say('WATCHDOG', '1'), everyMs).unref() : undefined
    addAbortListener(stop, () => {
      clearInterval(timer)
      this.#say('STOPPING', '1')
    })
  }

  /**
   * Says that the program does now what it is for, which ends its start: what waits for it is started, and `systemctl
   * start` returns.
   *
   * @param status as {@link status} takes it
   */
  ready(status: string): void {
    this.#say('READY', '1')
    this.status(status)
  }

  /** Says that the program reads its configuration again: until {@link reloaded}, `systemctl status` shows it as reloading. */
  reloading(): void {
    // The time, in µs of the clock that does not jump, tells a later systemd than 252 which reload this is.
    this.#pending.delete('READY')
    this.#say('RELOADING', '1')
    this.#say('MONOTONIC_USEC', String(process.hrtime.bigint() / 1_000n))
  }

  /** Says that it has done so, whatever came of it. */
  reloaded(): void {
    // One message cannot say both.
    const isTold = !this.#pending.delete('RELOADING')
    this.#pending.delete('MONOTONIC_USEC')
    if (isTold) this.#say('READY', '1')
  }

  /** Says what the program does, for `systemctl status`: `Connected to 192.168.1.20:12345`. One line. */
  status(status: string): void {
    this.#say('STATUS', status.replace(/\s+/g, ' '))
  }

  #say(name: string, value: string): void {
    if (!this.#isThere) return
    this.#pending.set(name, value)
    if (!this.#isSaying) void this.#sayAll()
  }

  async #sayAll(): Promise<void> {
    this.#isSaying = true
    // What else is said in this turn goes with it.
    await Promise.resolve()
    while (this.#pending.size > 0) {
      const words = [...this.#pending].map(([name, value]) => `${name}=${value}`)
      this.#pending.clear()
      const problem = await notify(words)
      // At the end systemd may stop the one that tells it, too.
      if (problem !== undefined && !this.#hasFailed && !this.#stop.aborted) {
        this.#hasFailed = true
        this.#log.warn(`systemd waits for word from this program, and cannot be told: ${problem}`)
      }
    }
    this.#isSaying = false
  }
}

/** How long systemd waits for word of this program before it ends it, in ms; 0 when it does not watch it. */
function watchdogTimeMs(): number {
  const { WATCHDOG_USEC, WATCHDOG_PID } = process.env
  // The watched one may be another process, which this one was started by.
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid) return 0
  const microseconds = Number(WATCHDOG_USEC)
  return microseconds > 0 ? microseconds / 1_000 : 0
}

/** @returns what went wrong, if anything did */
function notify(words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('systemd-notify', words, { timeout: NOTIFY_TIMEOUT_MS }, (error, _, stderr) => {
      if (!error) resolve(undefined)
      else if (error.code === 'ENOENT') resolve('systemd-notify, which belongs to systemd, is not installed.')
      else resolve(stderr.trim() || (error.killed ? 'systemd-notify takes too long.' : error.message))
    })
  })
}
