/**
 * Runs a chapter's whole cluster on this machine: its programs one kind after the other, each when those
 * before it are up, each line with the name of who said it, the pid of each, and one Ctrl-C that ends them all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { Chapter } from '../chapters/chapters.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { type Copies, isNeeded, type Member, membersOf } from './members.ts'
import { lackIn, whyNotStarted } from './not-started.ts'
import { type ProcessEnd, type RunningProcess, startNode } from './process.ts'
import { realTime } from './real-time.ts'

export interface StartOptions {
  /** How many of each program. Default: what the chapter says. */
  copies?: Copies
  /** End the cluster when it has been up for this long, in ms. Without this, it runs until it is stopped. */
  forMs?: number
  /** A configuration file for every program that has none of its own. */
  config?: string
  /** What else is in the environment of each program. */
  env?: Readonly<Record<string, string>>
}

/** How long `--for` waits for the cluster to come up before it starts to count all the same, in ms. */
const UP_TIMEOUT_MS = 30_000

/** How long a program may take to end after it was asked to, in ms, before it is killed. They promise a second. */
const KILL_AFTER_MS = 10_000

/** The width of the names, in columns, where none is longer: so that it is the same from chapter to chapter. */
const NAME_WIDTH = 6

/** The colours of the programs' names, in the order in which the programs start. */
const COLORS = ['cyan', 'magenta', 'yellow', 'green', 'blue'] as const

/**
 * Runs the cluster until it is stopped, its time is over, or it cannot go on.
 *
 * @returns the exit code: 0, or that of the first program that failed
 */
export async function startCluster(chapter: Chapter, options: StartOptions): Promise<number> {
  const members = membersOf(chapter, options.copies)
  if (members.length === 0) throw new ReaderError(`${chapter.name} has no program that could be started.`)
  const cluster = new Cluster(chapter, members, options)
  const stopped = new Promise<void>((resolve) => {
    process.on('SIGINT', () => resolve())
    process.on('SIGTERM', () => resolve())
    process.stdout.on('error', () => resolve()) // the console is gone: `pnpm start | head`
  })

  const ends = [stopped, cluster.ended]
  const up = cluster.start()
  const { forMs } = options
  if (forMs !== undefined) ends.push(Promise.race([up, realTime(UP_TIMEOUT_MS)]).then(() => sleep(forMs)))
  await Promise.race(ends)
  await cluster.stop()
  return cluster.exitCode
}

/** The processes of one cluster, and who prints what. */
class Cluster {
  readonly #chapter: Chapter
  readonly #members: readonly Member[]
  readonly #config: string | undefined
  readonly #env: StartOptions['env']
  readonly #running: { member: Member; process: RunningProcess }[] = []
  readonly #nameWidth: number
  /** Those that have not ended: those that are still to start, too. */
  readonly #left: Set<Member>
  #stopping = false
  #end: () => void = () => {}

  /** 0, or the exit code of the program whose failure ended the cluster. */
  exitCode = 0
  /** Resolves when the cluster cannot go on: a program did not come up, or one that others need has ended, or the last. */
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  constructor(chapter: Chapter, members: readonly Member[], { config, env }: StartOptions) {
    this.#chapter = chapter
    this.#members = members
    this.#left = new Set(members)
    this.#config = config
    this.#env = env
    this.#nameWidth = Math.max(NAME_WIDTH, ...members.map(({ name }) => name.length))
  }

  /** Starts one kind of program after the other, and resolves when all are up; never when one ends before. */
  async start(): Promise<void> {
    for (const { name } of this.#chapter.programs) {
      const members = this.#members.filter(({ program }) => program.name === name)
      await Promise.all(members.map((member) => this.#run(member)))
    }
  }

  /**
   * Ends all programs, and resolves when the last has ended. Those that came last go first: they would
   * take the end of a peer for a loss.
   */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const { name } of this.#chapter.programs.toReversed()) {
      const running = this.#running.filter(({ member }) => member.program.name === name)
      for (const { process } of running) process.stop(KILL_AFTER_MS)
      await Promise.all(running.map(({ process }) => process.ended))
    }
  }

  /** Starts a program, and resolves when one of its lines says that it is up; never when it ends before. */
  #run(member: Member): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopping) return
      const { program, name, args } = member
      const config = this.#config !== undefined && !program.config ? ['--config', this.#config] : []
      let up = false
      let lack: NodeJS.ErrnoException | undefined
      const process = startNode(['--import', 'tsx', `src/${program.name}.ts`, ...args, ...config], {
        cwd: this.#chapter.folder,
        env: { ...globalThis.process.env, ...this.#env, TUTORIAL_PROGRAM: name }, // for preload.js: whose connection is recorded
        onLine: (line) => {
          this.#say(member, line)
          if (!up) lack ??= lackIn(line)
          if (up || !program.ready.some((text) => line.includes(text))) return
          up = true
          resolve()
        },
      })
      this.#running.push({ member, process })
      // Its lines come later: none can be there before this one.
      if (process.pid !== undefined) this.#say(member, `(started, pid ${process.pid})`)
      void process.ended.then((end) => {
        this.#hasEnded(member, { ...(!up && lack && { notStarted: lack }), ...end }, up)
      })
    })
  }

  #hasEnded(member: Member, { exitCode, signal, notStarted }: ProcessEnd, wasUp: boolean): void {
    this.#left.delete(member)
    // Ctrl-C reaches a program twice: from the terminal, and as the runner's SIGTERM. Either may find it
    // past its last line, where Node listens to signals no more, or before its first, where it does not yet.
    const wasAsked = signal === 'SIGTERM' || signal === 'SIGINT'
    if (this.#stopping && (notStarted || exitCode === 0 || wasAsked)) return
    if (notStarted) {
      // Those after it would say the same.
      this.#stopping = true
      console.error(whyNotStarted(member.name, notStarted, this.#members.length))
    } else this.#say(member, `(ended, ${signal ? `by ${signal}` : `with exit code ${exitCode}`})`)
    // A reader's experiment: the others go on without it.
    if (wasUp && this.#left.size > 0 && !isNeeded(member.program, this.#chapter)) {
      if (!this.#stopping) this.#sayWhoIsLeft(member)
      return
    }
    this.exitCode ||= exitCode ?? 1
    this.#end()
  }

  /** When the last of a kind has ended, and nobody is left that the others could talk to: nothing more may come. */
  #sayWhoIsLeft({ program }: Member): void {
    const left = [...this.#left]
    const [one] = left
    const kinds = new Set(left.map((member) => member.program))
    if (!one || kinds.size > 1 || kinds.has(program)) return
    const [who, them] =
      left.length === 1
        ? [`${one.name} is`, 'it']
        : [`${left.length} ${one.program.many ?? one.program.name} are`, 'them']
    process.stdout.write(`Only ${who} left. Ctrl-C ends ${them}.\n`)
  }

  #say({ name, program }: Member, line: string): void {
    const prefix = name.padEnd(this.#nameWidth)
    const kind = this.#chapter.programs.indexOf(program)
    const color = COLORS[kind % COLORS.length] ?? 'cyan'
    process.stdout.write(`${process.stdout.hasColors?.() ? styleText(color, prefix) : prefix} | ${line}\n`)
  }
}
