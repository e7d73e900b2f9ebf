/**
 * Runs a chapter's whole cluster on this machine: the master first, the slaves when it listens, each
 * line with the name of who said it, and one Ctrl-C that ends them all.
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { execa } from 'execa'
import type { Chapter } from './chapters.ts'
import { ReaderError } from './reader-error.ts'

export interface StartOptions {
  /** How many slaves. */
  slaves: number
  /** End the cluster when it has been up for this long, in ms. Without this, it runs until it is stopped. */
  forMs?: number
  /** A configuration file for every program. */
  config?: string
}

/** What a program logs when it is up: for a master, that others can connect to it. */
const UP = { master: /Listening on \S/, slave: /Connected to \S/, other: /./ }

/** How long `--for` waits for the cluster to come up before it starts to count all the same, in ms. */
const UP_TIMEOUT_MS = 15_000

/** How long a program may take to end after it was asked to, in ms, before it is killed. They promise a second. */
const KILL_AFTER_MS = 10_000

/**
 * Runs the cluster until it is stopped, its time is over, or a program ends by itself.
 *
 * @returns the exit code: 0, or that of the first program that failed
 */
export async function startCluster(chapter: Chapter, options: StartOptions): Promise<number> {
  const [first] = chapter.programs
  if (!first) throw new ReaderError(`${chapter.name} has no program that could be started.`)
  const cluster = new Cluster(chapter, options)
  const stopped = new Promise<void>((resolve) => {
    process.on('SIGINT', () => resolve())
    process.on('SIGTERM', () => resolve())
    process.stdout.on('error', () => resolve()) // the console is gone: `pnpm start | head`
  })

  const up = (async () => {
    if (chapter.programs.includes('slave')) {
      await cluster.run('master', 'master', UP.master)
      const names = Array.from({ length: options.slaves }, (_, index) => `slave ${index + 1}`)
      await Promise.all(
        names.map((name) => cluster.run('slave', options.slaves === 1 ? 'slave' : name, UP.slave)),
      )
    } else {
      await cluster.run(first, first, UP.other)
    }
  })()

  const ends = [stopped, cluster.ended]
  const { forMs } = options
  if (forMs !== undefined) ends.push(Promise.race([up, realTime(UP_TIMEOUT_MS)]).then(() => sleep(forMs)))
  await Promise.race(ends)
  await cluster.stop()
  return cluster.exitCode
}

/** Waits by the clock rather than by one timer: the tests' timers are faster, their processes are not. */
async function realTime(ms: number): Promise<void> {
  const start = performance.now()
  while (performance.now() - start < ms) await sleep(1000)
}

/** The processes of one cluster, and who prints what. */
class Cluster {
  readonly #chapter: Chapter
  readonly #arguments: string[]
  /** The programs in the order in which they were started, each with how to end it. */
  readonly #programs: { kill(): void; closed: Promise<void> }[] = []
  readonly #nameWidth: number
  #stopping = false
  #end: () => void = () => {}

  /** 0, or the exit code of the program whose failure ended the cluster. */
  exitCode = 0
  /** Resolves when the cluster cannot go on: a program did not come up, or the one that the others use has ended. */
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  constructor(chapter: Chapter, { slaves, config }: StartOptions) {
    this.#chapter = chapter
    this.#nameWidth = slaves === 1 ? 'master'.length : `slave ${slaves}`.length
    this.#arguments = config === undefined ? [] : ['--config', config]
  }

  /** Starts a program, and resolves when one of its lines matches `ready`; never when it ends before. */
  async run(program: string, name: string, ready: RegExp): Promise<void> {
    if (this.#stopping) return
    const child = execa(process.execPath, ['--import', 'tsx', `src/${program}.ts`, ...this.#arguments], {
      cwd: this.#chapter.folder,
      env: { TUTORIAL_PROGRAM: name }, // for preload.js: whose connection is recorded
      stdio: ['ignore', 'pipe', 'pipe'],
      buffer: false,
      reject: false,
      forceKillAfterDelay: KILL_AFTER_MS,
    })
    const isFirst = this.#programs.length === 0
    await new Promise<void>((resolve) => {
      let up = false
      const streams = [child.stdout, child.stderr].map(async (stream) => {
        for await (const line of createInterface({ input: stream })) {
          this.#say(name, line)
          if (up || !ready.test(line)) continue
          up = true
          resolve()
        }
      })
      const closed = Promise.all([child, ...streams]).then(([{ exitCode, signal }]) => {
        // Ctrl-C reaches a program twice: from the terminal, and as the runner's SIGTERM, which may
        // find it past its last line, where Node listens to signals no more.
        if (this.#stopping && (exitCode === 0 || signal === 'SIGTERM')) return
        if (!this.#stopping)
          this.#say(name, `(ended, ${signal ? `by ${signal}` : `with exit code ${exitCode}`})`)
        if (up && !isFirst) return // a reader's experiment: the others go on without it
        this.exitCode ||= exitCode ?? 1
        this.#end()
      })
      this.#programs.push({ kill: () => child.kill('SIGTERM'), closed })
    })
  }

  /** Ends all programs, and resolves when the last has ended. The first goes last: the others would take its end for a loss. */
  async stop(): Promise<void> {
    this.#stopping = true
    const [first, ...others] = this.#programs
    for (const { kill } of others) kill()
    await Promise.all(others.map(({ closed }) => closed))
    first?.kill()
    await first?.closed
  }

  #say(name: string, line: string): void {
    const prefix = name.padEnd(this.#nameWidth)
    const color = name === 'master' ? 'cyan' : 'magenta'
    process.stdout.write(`${process.stdout.hasColors?.() ? styleText(color, prefix) : prefix} | ${line}\n`)
  }
}
