/** A node of a lab, or a command: a program that is started, and started again, and what is made of its lines and its ends. */
import type { ProcessEnd, RunningProcess } from '../run/process.ts'
import { startNode } from '../run/process.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ENDED_WELL, type LabEvent, type Lane } from './events.ts'

export interface NodeOptions {
  lane: Lane
  /** What Node is to run. `args`: what a command was given. */
  command: (args: readonly string[]) => Promise<readonly string[]>
  /** The word that starts it: nodes are there, and start again; a command runs and ends by itself. */
  startedBy: 'restart' | 'run'
  cwd: string
  env: Record<string, string>
  /** What a line of it says when it is up; one of these. */
  ready: readonly string[]
  seconds: () => number
  emit: (event: LabEvent) => void
  /** Called with each process when it has started. */
  onStarted: (pid: number, ended: Promise<unknown>) => void
  /** Why a process could not be started, for the reader. */
  whyNot: (error: NodeJS.ErrnoException) => string
}

/** How long a program may take to end after it was asked to, in ms, before it is killed. They promise a second. */
const KILL_AFTER_MS = 5_000

const LEVELS = { DEBUG: 'debug', INFO: 'info', WARN: 'warning', ERROR: 'error', FATAL: 'error' } as const

/** One node. It has a process, or none. */
export class LabNode {
  readonly lane: Lane
  readonly #options: NodeOptions
  #process: RunningProcess | undefined
  /** It writes into the folder, which must not be removed meanwhile. */
  #preparing: Promise<readonly string[]> | undefined
  #isStopped = false
  #isRestarting = false
  #isClosed = false

  constructor(options: NodeOptions) {
    this.lane = options.lane
    this.#options = options
  }

  /** Starts its program. Resolves when it is up, or has ended. */
  async start(): Promise<void> {
    const begun = await this.#begin([])
    await begun?.isUp
  }

  /** Starts a command. Resolves when it is started. */
  async run(args: readonly string[]): Promise<void> {
    await this.#begin(args)
  }

  async #begin(args: readonly string[]): Promise<{ isUp: Promise<void> } | undefined> {
    const { cwd, env, ready, command, onStarted } = this.#options
    if (this.#isClosed) return undefined
    this.#preparing = command(args)
    const line = await this.#preparing
      .catch((error: unknown) => {
        if (!this.#isClosed) throw error
      })
      .finally(() => {
        this.#preparing = undefined
      })
    if (this.#isClosed || this.#process || !line) return undefined
    const isUp = new Promise<void>((resolve) => {
      let isReady = false
      const started = startNode(line, {
        cwd,
        env,
        detached: true,
        onLine: (line) => {
          this.#say(line)
          if (isReady || !ready.some((text) => line.includes(text))) return
          isReady = true
          this.#became('ready')
          resolve()
        },
      })
      this.#process = started
      this.#isStopped = false
      if (started.pid !== undefined) {
        onStarted(started.pid, started.ended)
        this.#became('started')
      }
      void started.ended.then((end) => {
        if (this.#process === started) this.#process = undefined
        this.#isStopped = false
        this.#became('ended', this.#howOf(end))
        resolve()
      })
    })
    return { isUp }
  }

  /** @throws ReaderError when it cannot be done to it now */
  checkCan(word: 'kill' | 'stop' | 'continue' | 'restart' | 'run'): void {
    const { name } = this.lane
    const { startedBy } = this.#options
    if (word === 'run') {
      if (startedBy !== word)
        throw new ReaderError(`${name} is a node of the cluster. restart ${name} starts it.`)
      if (this.#process || this.#preparing)
        throw new ReaderError(`${name} runs already. Once it has ended, it can be run again.`)
      return
    }
    if (word === 'restart' && startedBy === 'run')
      throw new ReaderError(`${name} is a command, which ends by itself. run ${name} starts it.`)
    if (this.#isRestarting)
      throw new ReaderError(`${name} is being restarted. Try that again when it has started.`)
    if (word === 'restart') return
    if (!this.#process)
      throw new ReaderError(
        `${name} does not run, so there is nothing to ${word}. ${startedBy} ${name} starts it.`,
      )
    if (word === 'stop' && this.#isStopped)
      throw new ReaderError(`${name} is stopped already. continue ${name} lets it go on.`)
    if (word === 'continue' && !this.#isStopped)
      throw new ReaderError(`${name} is not stopped, so it cannot continue.`)
  }

  /** As if its power was cut. */
  kill(): void {
    this.#process?.signal('SIGKILL')
  }

  /** It hangs: its system still answers for it. */
  stop(): void {
    this.#process?.signal('SIGSTOP')
    this.#isStopped = true
    this.#became('stopped')
  }

  continue(): void {
    this.#isStopped = false
    this.#became('continued')
    this.#process?.signal('SIGCONT')
  }

  /** Ends its process in order, if there is one, and starts another. Resolves when that is started. */
  async restart(): Promise<void> {
    this.#isRestarting = true
    try {
      await this.#end()
      void this.start()
    } finally {
      this.#isRestarting = false
    }
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#preparing?.catch(() => {})
    await this.#end()
  }

  async #end(): Promise<void> {
    const running = this.#process
    if (!running) return
    running.stop(KILL_AFTER_MS)
    if (this.#isStopped) running.signal('SIGCONT')
    await running.ended
  }

  #say(text: string): void {
    const [, name] = /\] (DEBUG|INFO|WARN|ERROR|FATAL)\b/.exec(text) ?? []
    const level = LEVELS[name as keyof typeof LEVELS]
    const { emit, seconds } = this.#options
    emit({ type: 'line', at: seconds(), lane: this.lane.name, text, ...(level && { level }) })
  }

  #became(state: 'started' | 'ready' | 'stopped' | 'continued' | 'ended', how?: string): void {
    const { emit, seconds } = this.#options
    emit({ type: 'state', at: seconds(), lane: this.lane.name, state, ...(how !== undefined && { how }) })
  }

  #howOf({ exitCode, signal, notStarted }: ProcessEnd): string {
    if (notStarted) return this.#options.whyNot(notStarted)
    if (signal) return `by ${signal}`
    return exitCode === 0 ? ENDED_WELL : `with exit code ${exitCode}`
  }
}
