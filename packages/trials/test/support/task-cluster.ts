/** A primary, workers and a submitter, each a process of its own, each that connects behind a link of its own, to which whatever may go wrong happens. */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '@rpi-cluster/tutorial/harness'
import { FaultyLink } from '@rpi-cluster/tutorial/lab/faulty-link'
import { randomBy } from '@rpi-cluster/tutorial/lab/random'
import { CLOCK_SPEED, freePort, programEnvironment } from '@rpi-cluster/tutorial/run/environment'
import { type RunningProcess, startNode } from '@rpi-cluster/tutorial/run/process'
import type { TaskFault } from './drawn-task-faults.ts'
import type { Note } from './tasks/src/notes.ts'

/** The port that the programs mean. */
const PORT = 7001

export const WORKERS = ['worker-1', 'worker-2', 'worker-3', 'worker-4']
export const SUBMITTER = 'submitter'
const PRIMARY = 'primary'

export interface TaskClusterOptions {
  /** Where the programs are, as JavaScript. */
  programs: string
  seed: number
  /** How many tasks are handed in. */
  tasks: number
}

/** A program, which may have been several processes. */
interface Member {
  readonly link: FaultyLink | undefined
  running: RunningProcess | undefined
  /** Resolves when that process can be asked to end. */
  canEnd: Promise<unknown>
  /** The processes that stand still with it. */
  frozen: number[]
}

export class TaskCluster {
  readonly #options: TaskClusterOptions
  readonly #folder: string
  readonly #port: number
  readonly #members = new Map<string, Member>()
  readonly #lines: { name: string; at: number; line: string }[] = []
  readonly #said = new EventEmitter().setMaxListeners(0)
  /** What lasts still, and how it is ended. */
  readonly #lasting = new Map<NodeJS.Timeout, () => void>()
  #isOver = false

  private constructor(options: TaskClusterOptions, folder: string, port: number) {
    this.#options = options
    this.#folder = folder
    this.#port = port
  }

  /** Starts all of it. Resolves when all tasks are handed in. */
  static async start(options: TaskClusterOptions): Promise<TaskCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'tasks-trial-'))
    const cluster = new TaskCluster(options, folder, await freePort())
    const random = randomBy(options.seed)
    const none = { running: undefined, canEnd: Promise.resolve(), frozen: [] }
    cluster.#members.set(PRIMARY, { ...none, link: undefined })
    for (const name of [...WORKERS, SUBMITTER]) {
      const to = { lane: name, to: PRIMARY, port: cluster.#port, asked: PORT }
      const link = await FaultyLink.open({ ...to, watch: () => ({}), speed: CLOCK_SPEED, random })
      await link.listens(true)
      cluster.#members.set(name, { ...none, link, frozen: [] })
    }
    cluster.#run(PRIMARY)
    await cluster.#says(PRIMARY, /Listening on/)
    for (const name of WORKERS) cluster.#run(name)
    for (const name of WORKERS) await cluster.#says(PRIMARY, new RegExp(`${name} does tasks`))
    cluster.#run(SUBMITTER)
    await cluster.#says(SUBMITTER, /All are handed in/)
    return cluster
  }

  /** Resolves when the submitter has left, since all tasks have ended. Its exit code. */
  async allEnded(): Promise<number | null> {
    const end = await this.#members.get(SUBMITTER)?.running?.ended
    return end?.exitCode ?? null
  }

  /** Lets something happen. It ends after its time, or with {@link heal}. */
  strike(fault: TaskFault): void {
    const name = 'node' in fault ? fault.node : PRIMARY
    const member = this.#members.get(name)
    if (!member) return
    const { running, link } = member
    switch (fault.kind) {
      case 'cut':
        link?.cut()
        break
      case 'black hole':
        link?.blackHole(fault.to)
        break
      case 'delay':
        link?.delay(fault.delayMs, fault.jitterMs)
        break
      case 'trickle':
        link?.trickle(fault.bytesPerSecond)
        break
      default:
        if (running) this.#strikeProcess(fault, name, member, running)
        return
    }
    this.#endAfter(fault.forMs, () => link?.heal())
  }

  /** Ends everything that still lasts. */
  heal(): void {
    for (const [timer, end] of this.#lasting) {
      clearTimeout(timer)
      end()
    }
    this.#lasting.clear()
    for (const { link } of this.#members.values()) link?.heal()
  }

  /** What the programs have noted. */
  async notes(): Promise<Note[]> {
    const text = await readFile(this.#notesFile, 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }

  /** What the programs have printed, each line with who and when, from the start of this test's process, in s. */
  get lines(): string[] {
    return this.#lines.map(({ name, at, line }) => `${(at / 1000).toFixed(2)} ${name} | ${line}`)
  }

  /** Ends all programs as their reader does. How each has ended, by its name. */
  async stop(): Promise<Map<string, number | string | null>> {
    this.#isOver = true
    const ends = new Map<string, number | string | null>()
    const members = [...this.#members].filter(([name]) => name !== PRIMARY)
    const stopped = async ([name, { running, canEnd }]: [string, Member]) => {
      await canEnd
      running?.stop(20_000)
      const end = await running?.ended
      if (end) ends.set(name, end.signal ?? end.exitCode)
    }
    await Promise.all(members.map(stopped))
    for (const member of this.#members) if (member[0] === PRIMARY) await stopped(member)
    return ends
  }

  /** Lets go of all that is this one's. Nothing of it is left then. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const timer of this.#lasting.keys()) clearTimeout(timer)
    for (const member of this.#members.values()) {
      const { running } = member
      for (const pid of [...member.frozen, ...childrenOf(running?.pid)]) signal(pid, 'SIGKILL')
      running?.signal('SIGKILL')
      await running?.ended
      await member.link?.close()
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #notesFile(): string {
    return join(this.#folder, 'notes.jsonl')
  }

  #strikeProcess({ kind, forMs }: TaskFault, name: string, member: Member, running: RunningProcess): void {
    if (kind === 'killed' || kind === 'power cut' || kind === 'drained') {
      const children = childrenOf(running.pid)
      member.running = undefined
      if (kind === 'drained') {
        // It has to go on to end.
        this.#thaw(member, running)
        running.stop(60_000)
      } else running.signal('SIGKILL')
      if (kind === 'power cut') for (const pid of children) signal(pid, 'SIGKILL')
      for (const pid of member.frozen.splice(0)) signal(pid, 'SIGKILL')
      this.#endAfter(forMs, () => void running.ended.then(() => this.#run(name)))
      return
    }
    if (kind === 'frozen') member.frozen = childrenOf(running.pid)
    for (const pid of member.frozen) signal(pid, 'SIGSTOP')
    running.signal('SIGSTOP')
    this.#endAfter(forMs, () => this.#thaw(member, running))
  }

  #thaw(member: Member, running: RunningProcess): void {
    running.signal('SIGCONT')
    for (const pid of member.frozen.splice(0)) signal(pid, 'SIGCONT')
  }

  #endAfter(ms: number, end: () => void): void {
    const timer = setTimeout(() => {
      this.#lasting.delete(timer)
      end()
    }, ms / CLOCK_SPEED)
    this.#lasting.set(timer, end)
  }

  #run(name: string): void {
    const member = this.#members.get(name)
    if (!member || member.running || this.#isOver) return
    const { programs, tasks } = this.#options
    const { link } = member
    const taps = link ? [{ lane: name, port: PORT, tapPort: link.port }] : []
    const running = startNode([join(programs, `${name.replace(/-\d+$/, '')}.js`)], {
      cwd: this.#folder,
      detached: true,
      env: {
        ...programEnvironment({ ports: new Map([[PORT, this.#port]]), taps }),
        TUTORIAL_PROGRAM: name,
        STATE_DIRECTORY: this.#folder,
        NODES: [...WORKERS, SUBMITTER].join(),
        NOTES: this.#notesFile,
        TASKS: String(tasks),
      },
      onLine: (line) => {
        this.#lines.push({ name, at: performance.now(), line })
        this.#said.emit('line', name, line)
      },
    })
    member.running = running
    member.canEnd = Promise.race([running.ended, this.#says(name, /Connecting to|Listening on/, true)])
  }

  /** Resolves when a program prints a line, or has done so already. */
  #says(name: string, pattern: RegExp, isNew = false): Promise<void> {
    return new Promise((resolve) => {
      const isIt = (who: string, line: string) => who === name && pattern.test(line)
      if (!isNew && this.#lines.some((said) => isIt(said.name, said.line))) return resolve()
      const take = (who: string, line: string) => {
        if (!isIt(who, line)) return
        this.#said.off('line', take)
        resolve()
      }
      this.#said.on('line', take)
    })
  }
}

/** Those that a process has started itself, as Linux tells it. */
function childrenOf(pid: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number)
  } catch {
    return [] // it has ended
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (isAlive(pid)) process.kill(pid, name)
}
