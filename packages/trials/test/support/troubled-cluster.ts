/** A master and many slaves, each a process of its own and behind a link of its own, to which whatever may go wrong happens. */
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from '@rpi-cluster/tutorial/faults/fault'
import type { ChapterCopy, Link, Running } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import type { Drawn } from './drawn-faults.ts'
import { LogTail } from './log-tail.ts'
import { RosterLog } from './roster-log.ts'

/** A line of the console of a program that does what it should: nothing that nobody caught, no stack, no mistake. */
const GOOD_LINE = /^\[\d\d:\d\d:\d\d[^\]]*\] (INFO|WARN) \(\w+\): (?!A mistake)/

/** How many processes start at a time. */
const START_AT_ONCE = 4

/** How often is looked whether all are back, in ms. */
const LOOK_MS = 200

/** What a master holds, without its garbage: memory in bytes, and sockets. */
export interface Held {
  heapUsed: number
  rss: number
  /** Connections, as the system has them. */
  open: number
  /** As objects, whether open or not. */
  sockets: number
}

export interface ClusterOptions {
  slaves: number
  /** How many times as fast as real time the programs' timers run. */
  speed: number
}

/** A slave, which may have been several processes. */
interface Slave {
  readonly link: Link
  running: Running | undefined
}

export class TroubledCluster {
  readonly #chapter: ChapterCopy
  readonly #speed: number
  readonly #slaves: Slave[] = []
  readonly #roster = new RosterLog()
  readonly #memoryFile: string
  #tail: LogTail | undefined
  #master: Running | undefined
  /** What lasts still, and how it is ended. */
  readonly #lasting = new Map<NodeJS.Timeout, () => Promise<void> | void>()
  /** What is being started. */
  readonly #starting = new Set<Promise<void>>()

  private constructor(chapter: ChapterCopy, speed: number) {
    this.#chapter = chapter
    this.#speed = speed
    this.#memoryFile = join(chapter.folder, 'memory.json')
  }

  /** Starts it. Resolves when all programs run. */
  static async start(chapter: ChapterCopy, { slaves, speed }: ClusterOptions): Promise<TroubledCluster> {
    const cluster = new TroubledCluster(chapter, speed)
    await cluster.#startMaster()
    cluster.#tail = new LogTail(join(chapter.folder, 'master.log'))
    cluster.#tail.onRecord = (record) => cluster.#roster.take(record)
    for (let index = 0; index < slaves; index += 1)
      cluster.#slaves.push({ link: await chapter.link(), running: undefined })
    const waiting = [...cluster.#slaves]
    const startSome = async () => {
      for (let slave = waiting.shift(); slave; slave = waiting.shift()) await cluster.#startSlave(slave)
    }
    await Promise.all(Array.from({ length: START_AT_ONCE }, startSome))
    return cluster
  }

  /** Lets something happen. It ends after its time, or with {@link heal}. */
  strike(drawn: Drawn): void {
    for (const [index, slave] of this.#slaves.entries()) {
      if ('slaves' in drawn && drawn.slaves.includes(index)) this.#strikeSlave(slave, drawn)
    }
    if (drawn.kind === 'master stopped') this.#freeze(this.#master, drawn.forMs)
    if (drawn.kind === 'master restarted') this.#restartMaster(drawn)
  }

  /** Ends everything that still lasts. Resolves when all programs run again. */
  async heal(): Promise<void> {
    for (const [timer, end] of this.#lasting) {
      clearTimeout(timer)
      void end()
    }
    this.#lasting.clear()
    for (const { link } of this.#slaves) link.heal()
    while (this.#starting.size > 0) await Promise.all(this.#starting)
  }

  /**
   * Waits until every slave is back and the roster is right, and sees that it stays so for some time.
   *
   * @param steadyMs how long it has to stay so: longer than a silence that ends a connection
   * @param patienceMs how long to wait for it
   * @returns after how many ms the last was back
   * @throws Error what is not as before
   */
  async isWhole({ steadyMs, patienceMs }: { steadyMs: number; patienceMs: number }): Promise<number> {
    const began = performance.now()
    const answered = this.#slaves.map(({ running }) => answersOf(running))
    let whole: number | undefined
    for (;;) {
      const wrong = this.#whatIsWrong(answered)
      const now = performance.now()
      if (wrong.length > 0) whole = undefined
      else whole ??= now
      if (whole !== undefined && now - whole > steadyMs) return whole - began
      if (now - began > patienceMs + steadyMs)
        throw new Error(`In ${patienceMs / 1000} s not all was as before: ${wrong.join('; ')}`)
      await sleep(LOOK_MS)
    }
  }

  /** What the master holds, without its garbage. */
  async held(): Promise<Held> {
    await rm(this.#memoryFile, { force: true })
    this.#master?.signal('SIGUSR2')
    await vi.waitFor(() => expect(existsSync(this.#memoryFile)).toBe(true), { timeout: 20_000 })
    return JSON.parse(await readFile(this.#memoryFile, 'utf8'))
  }

  /** Ends all programs as their reader does, and expects that they end well, and have said nothing that they should not. */
  async stop(): Promise<void> {
    for (const { running } of this.#slaves) running?.signal('SIGTERM')
    await Promise.all(this.#slaves.map(({ running }) => running?.ends()))
    await this.#master?.stop('SIGTERM')
    for (const running of [this.#master, ...this.#slaves.map(({ running }) => running)])
      expect(running?.exitCode).toBe(0)
    this.#tail?.look()
    expect(this.#roster.contradictions).toEqual([])
    const bad = this.#chapter.outputs.flatMap(({ lines }) => lines.filter((line) => !GOOD_LINE.test(line)))
    expect(bad, 'lines that no program should print').toEqual([])
    for (const name of ['master', 'slave']) {
      const records = await this.#chapter.log(`${name}.log`)
      expect(records.filter(({ err, level }) => err !== undefined || level === 'error')).toEqual([])
    }
  }

  /** Lets go of all that is this one's. The programs are their chapter's. */
  end(): void {
    for (const timer of this.#lasting.keys()) clearTimeout(timer)
    this.#tail?.close()
  }

  /** Where its programs run, and their logs are. */
  get folder(): string {
    return this.#chapter.folder
  }

  /** How many processes there were, and how many connections the master that runs now has had. */
  get figures(): { processes: number; connections: number } {
    const joined = this.#master?.messages.filter((line) => / has joined, from /.test(line)).length ?? 0
    return { processes: this.#chapter.outputs.length, connections: joined }
  }

  #strikeSlave(slave: Slave, drawn: Drawn): void {
    const { link, running } = slave
    if (drawn.kind === 'cut') link.cut(drawn.by)
    if (drawn.kind === 'half-open') link.halfOpen(drawn.gone)
    if ('fault' in drawn) {
      const { to, fault } = drawn
      link.set((to === 'both' ? { toServer: fault, toClient: fault } : { [to]: fault }) as Faults)
    }
    if (drawn.kind === 'slave stopped') this.#freeze(running, drawn.forMs)
    else if (drawn.kind === 'slave killed') {
      if (!running) return // it is gone already
      slave.running = undefined
      void running.kill()
      this.#endAfter(drawn.forMs, () => this.#startSlave(slave))
    } else this.#endAfter(drawn.forMs, () => link.heal())
  }

  #freeze(running: Running | undefined, forMs: number): void {
    if (!running) return
    running.signal('SIGSTOP')
    this.#endAfter(forMs, () => running.signal('SIGCONT'))
  }

  #restartMaster({ by, forMs }: { by: NodeJS.Signals; forMs: number }): void {
    const master = this.#master
    if (!master) return // it is gone already
    this.#master = undefined
    const stopped = master.stop(by)
    master.signal('SIGCONT')
    // Its port is its own until it has ended.
    this.#endAfter(forMs, () => this.#startMaster(stopped))
  }

  #endAfter(ms: number, end: () => Promise<void> | void): void {
    const timer = setTimeout(() => {
      this.#lasting.delete(timer)
      void end()
    }, ms)
    this.#lasting.set(timer, end)
  }

  #startMaster(after?: Promise<void>): Promise<void> {
    return this.#isStarting(async () => {
      await after
      this.#master = await this.#chapter.run('master', {
        preload: join(import.meta.dirname, 'tells-memory.js'),
        env: { ...this.#clock, MEMORY_FILE: this.#memoryFile },
      })
    })
  }

  #startSlave(slave: Slave): Promise<void> {
    return this.#isStarting(async () => {
      slave.running = await this.#chapter.run('slave', { through: slave.link, env: this.#clock })
    })
  }

  get #clock() {
    return { TUTORIAL_CLOCK_SPEED: String(this.#speed), LOG_EVERY_LINE: '1' }
  }

  #isStarting(start: () => Promise<void>): Promise<void> {
    const starting = start().finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
    return starting
  }

  /** @param answered how many answers each slave had when all was healed */
  #whatIsWrong(answered: readonly number[]): string[] {
    this.#tail?.look()
    const wrong = this.#slaves.flatMap(({ running }, index) =>
      whatIsWrongWith(running, answered[index] ?? 0).map((what) => `slave ${index + 1} ${what}`),
    )
    const { names, count } = this.#roster
    const numbers = this.#slaves.map(({ running }) => numberOf(running))
    for (const number of new Set(numbers)) {
      const called = names.filter((name) => new RegExp(` #${number}(?: \\(\\d+\\))?$`).test(name))
      const namesakes = numbers.filter((other) => other === number).length
      if (called.length !== namesakes || !called.some((name) => name.endsWith(` #${number}`)))
        wrong.push(`the roster has ${called.join(', ') || 'nobody'} for the slave that is #${number}`)
    }
    if (names.length > numbers.length) wrong.push(`the roster has ${names.length}, ghosts among them`)
    if (count !== numbers.length) wrong.push(`the last table has ${count} rows`)
    return wrong
  }
}

const answersOf = (running: Running | undefined): number =>
  running?.messages.filter((line) => line.startsWith('We have information')).length ?? 0

/** The number that a slave's process has picked for itself. */
const numberOf = (running: Running | undefined): string =>
  /as client (\d+)/.exec(running?.messages.join('\n') ?? '')?.[1] ?? 'nobody'

function whatIsWrongWith(running: Running | undefined, answered: number): string[] {
  if (!running) return ['is not there']
  if (running.exitCode !== null) return [`has ended, with ${running.exitCode}`]
  const { lines } = running
  const connectedAt = lines.findLastIndex((line) => line.includes('): Connected to '))
  const troubledAt = lines.findLastIndex((line) => line.includes('] WARN ('))
  if (connectedAt < 0 || connectedAt < troubledAt) return [`is not connected: ${lines.at(-1)}`]
  const hasAnswer = lines.slice(connectedAt).some((line) => line.includes('We have information'))
  return hasAnswer && answersOf(running) > answered ? [] : [`has had no answer since: ${lines.at(-1)}`]
}
