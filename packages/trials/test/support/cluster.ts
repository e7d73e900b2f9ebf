/**
 * A master of chapter 06 in good company: a real slave process, and ten slaves that count what they
 * send, so that a test can tell whether a bad peer has cost them anything.
 */
import { join } from 'node:path'
import { send } from '@rpi-cluster/core/messages'
import { type Connection, connect } from '@rpi-cluster/core/sockets'
import { ChapterCopy, type Running } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'
import { type LogRecord, LogTail } from './log-tail.ts'
import { MemoryWatch } from './memory.ts'

const SLAVES = 10

/** How often each of the ten sends, in ms. */
const PACE_MS = 10

/** The largest frame that a master takes, in bytes. */
export const MAX_FRAME_BYTES = 1024 * 1024

/** How many warnings are too many, whatever one peer did: ten, and a count each half second of the fast clock. */
const TOO_MANY_WARNINGS = 100

/**
 * How much more memory a master may hold at any moment than when it was calm: garbage of some
 * frames that it has not collected yet, and nothing near what the bad peers send.
 */
const MORE_MEMORY_BYTES = 160 * 1024 * 1024

/** How many of the costliest frames one may have to wait for. One, when nothing else uses the processor. */
const WAIT_IN_FRAMES = 3

/** What happened to the cluster while a bad peer was at it. */
export interface Report {
  /** What the master logged, without the lines about messages of its good slaves. */
  lines: LogRecord[]
  /** The longest time from the sending of a message by one of the ten to its line in the log, in ms. */
  longestDelayMs: number
  /** How much more memory the master had at its peak than before, in bytes. */
  moreMemoryBytes: number
}

export class Cluster {
  readonly chapter: ChapterCopy
  readonly master: Running
  readonly #realSlave: Running
  readonly #tail: LogTail
  readonly #slaves: CountingSlave[] = []
  readonly #stop = new AbortController()
  /** What the master has logged, without the lines about messages of its good slaves. */
  #lines: LogRecord[] = []
  #heartbeats = 0
  #longestDelayMs = 0
  #costliestFrameMs = 0

  private constructor(chapter: ChapterCopy, master: Running, realSlave: Running) {
    this.chapter = chapter
    this.master = master
    this.#realSlave = realSlave
    this.#tail = new LogTail(join(chapter.folder, 'master.log'))
    this.#tail.onRecord = (record) => this.#take(record)
  }

  /** Starts a master, a slave, and the ten. */
  static async start(): Promise<Cluster> {
    const chapter = await ChapterCopy.make('06-slave-details')
    const master = await chapter.run('master')
    await master.says(/Listening on/)
    const cluster = new Cluster(chapter, master, await chapter.run('slave'))
    for (let number = 0; number < SLAVES; number += 1) {
      const { signal: stop } = cluster.#stop
      const master = await connect({ peer: 'master', host: '127.0.0.1', port: chapter.port, stop })
      cluster.#slaves.push(new CountingSlave(number, master))
    }
    await cluster.#nothingIsLost()
    for (let times = 0; times < 5; times += 1) cluster.#lookAtFrame()
    return cluster
  }

  get port(): number {
    return this.chapter.port
  }

  /** Waits for two more heartbeats of the slave process. */
  async hearsItsSlave(): Promise<void> {
    const heartbeats = this.#heartbeats
    await this.#tail.until(
      () => this.#heartbeats > heartbeats + 1,
      () => 'no heartbeat came of the slave process',
    )
  }

  async end(): Promise<void> {
    for (const slave of this.#slaves) slave.rest()
    this.#stop.abort()
    this.#tail.close()
    await this.chapter.remove()
  }

  /** Ends the master as its reader does, and expects that it ends well. */
  async stopMaster(): Promise<void> {
    for (const slave of this.#slaves) slave.rest()
    await this.master.stop('SIGTERM')
    expect(this.master.exitCode).toBe(0)
    expect(this.master.messages.at(-1)).toBe('Stopped')
  }

  /** Waits for lines of the master's log, among those since the last {@link survives} began. */
  async logs(pattern: RegExp, times = 1): Promise<LogRecord[]> {
    const found = () => this.#lines.filter(({ msg }) => pattern.test(msg))
    await this.#tail.until(
      () => found().length >= times,
      () =>
        `the master did not log ${pattern}, but:\n${this.#lines.map(({ msg }) => msg.slice(0, 300)).join('\n')}`,
    )
    return found()
  }

  /** Waits until lines of the log and the counts in it make up all that happened, and expects that the lines are few. */
  async countsAll(all: number, line: RegExp, count: RegExp): Promise<void> {
    const shown = () => this.#lines.filter(({ msg }) => line.test(msg)).length
    const counted = () => this.#lines.reduce((sum, { msg }) => sum + Number(count.exec(msg)?.[1] ?? 0), 0)
    await this.#tail.until(
      () => shown() + counted() >= all,
      () => `${shown()} lines and a count of ${counted()} are not ${all}`,
    )
    expect(shown() + counted()).toBe(all)
    expect(shown()).toBeLessThan(all / 20)
  }

  /**
   * Lets a bad peer have its way, and expects that the good ones lose nothing and wait no longer than
   * the costliest frame takes, that the master's memory stays bounded, that it makes no mistake and
   * few words about it, and that it serves on.
   *
   * @param options `atOnce`: how many bad peers there are at the same time. Default: 1. `waitInFrames`: how many of
   *   the costliest frames a good one may have to wait for. Default: 3.
   */
  async survives(
    badPeer: () => Promise<unknown>,
    { atOnce = 1, waitInFrames = WAIT_IN_FRAMES } = {},
  ): Promise<Report> {
    await this.#nothingIsLost()
    this.#lines = []
    this.#longestDelayMs = 0
    const memory = new MemoryWatch(this.master.pid)

    await badPeer()
    await this.#nothingIsLost()

    const longestDelayMs = this.#longestDelayMs
    if (longestDelayMs > waitInFrames * atOnce * this.#costliestFrameMs) this.#lookAtFrame() // the machine may be busier now
    expect(
      longestDelayMs / this.#costliestFrameMs,
      'the wait of a good slave, in costliest frames',
    ).toBeLessThan(waitInFrames)
    expect(memory.more, 'more memory at the peak').toBeLessThan(MORE_MEMORY_BYTES)
    expect(this.#lines.filter(({ level }) => level !== 'info' && level !== 'warn')).toEqual([])
    if (atOnce === 1)
      expect(this.#lines.filter(({ level }) => level === 'warn').length).toBeLessThan(TOO_MANY_WARNINGS)
    expect(this.#realSlave.exitCode).toBe(null)
    return { lines: this.#lines, longestDelayMs, moreMemoryBytes: memory.more }
  }

  /** How long the costliest frame takes to parse on this machine, as busy as it is, in ms. */
  get costliestFrameMs(): number {
    this.#lookAtFrame()
    return this.#costliestFrameMs
  }

  /** Takes the longest time so far, because machines have their moods. */
  #lookAtFrame(): void {
    this.#costliestFrameMs = Math.max(this.#costliestFrameMs, costliestFrameMs())
  }

  /** Waits until the log has every message that was sent so far, and one more of each slave. */
  async #nothingIsLost(): Promise<void> {
    const sent = this.#slaves.map((slave) => slave.sent + 1)
    await this.#tail.until(
      () => this.#slaves.every(({ logged }, index) => logged >= (sent[index] ?? 0)),
      () => 'not every message that was sent is in the log',
    )
    expect(this.#slaves.flatMap(({ disorder }) => disorder)).toEqual([])
  }

  #take(record: LogRecord): void {
    const [, slave, message, sentAt] =
      /^Received message from \S+: slave (\d+), message (\d+), sent at (\d+)$/.exec(record.msg) ?? []
    if (slave !== undefined) {
      this.#longestDelayMs = Math.max(this.#longestDelayMs, record.time - Number(sentAt))
      this.#slaves[Number(slave)]?.wasLogged(Number(message))
    } else if (/^Received message from \S+: I am still alive/.test(record.msg)) this.#heartbeats += 1
    else this.#lines.push(record)
  }
}

/** Sends numbered messages at a steady pace. */
class CountingSlave {
  /** The number of the last message that was sent. */
  sent = 0
  /** The number of the last message that the master has logged. */
  logged = 0
  /** Where a message was missing, or came twice, or in the wrong order. */
  readonly disorder: string[] = []
  readonly #number: number
  readonly #master: Connection
  readonly #timer: NodeJS.Timeout

  constructor(number: number, master: Connection) {
    this.#number = number
    this.#master = master
    this.#timer = setInterval(() => this.#send(), PACE_MS)
  }

  rest(): void {
    clearInterval(this.#timer)
  }

  wasLogged(message: number): void {
    if (message !== this.logged + 1) this.disorder.push(`${message} after ${this.logged}`)
    this.logged = message
  }

  #send(): void {
    this.sent += 1
    void send(
      this.#master,
      'message',
      `slave ${this.#number}, message ${this.sent}, sent at ${Date.now()}`,
    )?.catch(() => {})
  }
}

/** The costliest frame that I know: nothing but opening brackets, then as many closing ones. */
export const COSTLIEST_FRAME = nested(MAX_FRAME_BYTES / 2 - 20)

/** A message whose payload is nested so deep. */
export function nested(depth: number): string {
  return `{"type":"message","payload":${'['.repeat(depth)}${']'.repeat(depth)}}`
}

/** How long the costliest frame takes to parse, in ms, here and now. */
function costliestFrameMs(): number {
  const began = performance.now()
  JSON.parse(COSTLIEST_FRAME)
  return performance.now() - began
}
