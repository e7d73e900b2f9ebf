/**
 * A node that does what it is handed: it says which tasks it knows and how many it does at once, does them beside its event
 * loop, and says what came of each, also when the connection was away meanwhile.
 *
 * @since 0.24.0
 */
import { availableParallelism, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { OperationalError, stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import type { Handlers } from './messages.ts'
import type { TaskDefinitions } from './task-definition.ts'
import { TaskEnds } from './task-ends.ts'
import type { TaskFailure } from './task-failure.ts'
import { type TakenWork, type TaskListener, TaskPool } from './task-pool.ts'

/** How often is told how far tasks are, in ms. */
const PROGRESS_MS = 250

/** How often a drain looks for tasks that came back from a process, in ms. */
const WITHDRAW_MS = 50

/** How many tasks are named at each greeting: what fits into a frame. Who holds more is handed some of them twice. */
const MOST_HELD_NAMED = 5_000

/** How many are shown as at work. */
const MOST_SHOWN = 100

const MIB = 1024 * 1024

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(100))

const handedTasks = v.array(
  v.object({
    id,
    lease: v.pipe(v.number(), v.safeInteger()),
    name: v.string(),
    input: v.optional(v.unknown(), null),
    attempt: v.fallback(v.pipe(v.number(), v.safeInteger()), 1),
  }),
)

const ids = v.array(v.string())

/** Who sends, as a ConnectingNode does. */
interface Sender {
  send(type: string, payload: unknown): Promise<void>
  /** Aborted when the connection is over. Another one has another. */
  readonly over: AbortSignal
}

export interface TaskWorkerOptions {
  /** The node, which connects to who hands out tasks. */
  node: Sender
  /** The file of the tasks, which exports them as `tasks`: `new URL('./tasks.ts', import.meta.url)`. */
  file: URL
  /** The same tasks, as this program has them. */
  tasks: TaskDefinitions
  /** How many are at work at once. Default: as many as there are cores. */
  slots?: number | undefined
  /** How much memory all of them together may take, in MiB. Default: half of what the machine has. */
  memoryMb?: number | undefined
  /**
   * What this node has that not every node has, for tasks that require it: `camera`. Added are `64-bit` or `32-bit`, and the
   * name of the system, as `linux`.
   */
  has?: readonly string[]
  /** Where is told what tasks print, and what goes wrong. */
  log: Logger
  /** Ends it. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** A task that was handed to this node, until it has ended. */
class Held implements TaskListener {
  readonly id: string
  readonly name: string
  lease: number
  hasBegun = false
  /** What to cancel it by. */
  work: TakenWork | undefined
  readonly #owner: HeldOwner

  constructor(id: string, name: string, lease: number, owner: HeldOwner) {
    this.id = id
    this.name = name
    this.lease = lease
    this.#owner = owner
  }

  begun(): void {
    this.hasBegun = true
  }

  progress(part: number): void {
    this.#owner.progressed(this, part)
  }

  done(result: string, ms: number): void {
    this.#owner.ended(this, ms, { result })
  }

  failed({ kind, message }: TaskFailure, ms = 0): void {
    this.#owner.ended(this, ms, { kind, reason: message })
  }

  stopped(): void {}
}

/** Who holds it, and hears of it. */
interface HeldOwner {
  progressed(held: Held, part: number): void
  ended(held: Held, ms: number, end: Parameters<TaskEnds['add']>[2]): void
}

/**
 * The part of a node that does tasks.
 *
 * | When | What it does |
 * | --- | --- |
 * | a connection is greeted ({@link introduce}) | says what it can do, and what it holds; then what has ended meanwhile |
 * | tasks come | does them, as many at once as there are slots |
 * | one comes that it holds, under another lease | goes on, and answers under that |
 * | tasks have ended | says so, those of one turn of the event loop together |
 * | one is cancelled | ends it, whatever it is at |
 * | the connection is lost | goes on |
 * | it is to drain | gives back what has not begun, takes no more, says what came of the rest |
 */
export class TaskWorker {
  /** For the handlers of the node: `this.handlers = { ...worker.handlers }`. */
  readonly handlers: Handlers = {
    tasks: (payload) => this.#take(payload),
    task_cancel: (payload) => this.#cancel(payload),
  }

  readonly #options: TaskWorkerOptions
  readonly #slots: number
  readonly #memoryMb: number
  readonly #stop: AbortSignal
  readonly #pool: TaskPool
  readonly #held = new Map<string, Held>()
  readonly #ends: TaskEnds
  readonly #owner: HeldOwner = {
    progressed: (held, part) => this.#progressed(held, part),
    ended: (held, ms, end) => this.#ended(held, ms, end),
  }
  readonly #progress = new Map<Held, number>()
  #progressTimer: NodeJS.Timeout | undefined
  #isDraining = false

  constructor(options: TaskWorkerOptions) {
    const { file, tasks, slots = availableParallelism(), memoryMb, log, stop = stopRequest } = options
    this.#options = options
    this.#slots = slots
    this.#memoryMb = memoryMb ?? Math.floor(ownMemory() / 2 / MIB)
    this.#stop = stop
    this.#pool = new TaskPool({ file, tasks, children: slots, log, stop })
    this.#ends = new TaskEnds(options.node, log)
  }

  /** What is at work now, with how long that is so, the first hundred of it. */
  get running(): { id: string; name: string }[] {
    const running: { id: string; name: string }[] = []
    for (const { id, name, hasBegun } of this.#held.values())
      if (hasBegun && running.push({ id, name }) === MOST_SHOWN) break
    return running
  }

  /**
   * Says to the peer what this node can do, and what it holds: to be called in `greet`. Whatever has ended since the last
   * connection is sent then.
   *
   * @throws OperationalError when there is no connection
   */
  async introduce(): Promise<void> {
    const { over } = this.#options.node
    await this.#say()
    this.#ends.sendTo(over)
  }

  /**
   * Takes no more tasks, gives back those that have not begun, and waits for the others, until what came of them is sent. To
   * be called before the node itself drains.
   *
   * @returns when that is so. Never rejects.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    await this.#say().catch(() => {}) // there is no connection: the next greeting says it
    while (this.#held.size > 0 && !this.#stop.aborted) {
      await this.#giveBack()
      if (this.#held.size > 0) await sleep(WITHDRAW_MS, undefined, { signal: this.#stop }).catch(() => {})
    }
    await this.#ends.sent(this.#stop)
  }

  async #say(): Promise<void> {
    const { node, tasks, has = [] } = this.#options
    const versions = Object.entries(tasks).map(([name, { version }]) => [name, version])
    const holds = [...this.#held.values()].map(({ id, lease }): [string, number] => [id, lease])
    await node.send('worker', {
      tasks: Object.fromEntries(versions),
      slots: this.#slots,
      memory_mb: this.#memoryMb,
      has: [...new Set([...has, /64/.test(process.arch) ? '64-bit' : '32-bit', process.platform])],
      draining: this.#isDraining,
      holds: [...holds, ...this.#ends.holds()].slice(0, MOST_HELD_NAMED),
    })
  }

  #take(payload: unknown): void {
    const { success, output, issues } = v.safeParse(handedTasks, payload)
    if (!success)
      throw new OperationalError(
        `Tasks that cannot be read were passed over: ${v.getDotPath(issues[0]) ?? 'all of it'} is not as it should be.`,
      )
    const refused: { id: string; lease: number }[] = []
    for (const task of output) {
      const held = this.#held.get(task.id)
      if (held && !held.work?.isCancelled) held.lease = task.lease
      else if (this.#ends.adopt(task.id, task.lease)) continue
      else if (held || this.#isDraining) refused.push({ id: task.id, lease: task.lease })
      else this.#do(task)
    }
    if (refused.length > 0) void this.#return(refused)
  }

  #do({ id, lease, name, input, attempt }: v.InferOutput<typeof handedTasks>[number]): void {
    const held = new Held(id, name, lease, this.#owner)
    this.#held.set(id, held)
    held.work = this.#pool.take({ id, name, input: JSON.stringify(input), attempt }, held)
  }

  #ended(held: Held, ms: number, end: Parameters<TaskEnds['add']>[2]): void {
    const { id, lease } = held
    if (this.#held.get(id) !== held) return // it was given back
    this.#held.delete(id)
    this.#progress.delete(held)
    this.#ends.add({ id, lease }, ms, end)
  }

  #cancel(payload: unknown): void {
    const { success, output } = v.safeParse(ids, payload)
    if (!success)
      throw new OperationalError('What is to be cancelled cannot be read: it is no list of the ids of tasks.')
    for (const id of output) {
      this.#ends.drop(id)
      const work = this.#held.get(id)?.work
      if (work) this.#pool.cancel(work)
    }
  }

  async #giveBack(): Promise<void> {
    const waiting = new Set(this.#pool.takeBack().map(({ id }) => id))
    const back = [...this.#held.values()].filter(({ id }) => waiting.has(id))
    if (back.length === 0) return
    for (const { id } of back) this.#held.delete(id)
    await this.#return(back.map(({ id, lease }) => ({ id, lease })))
  }

  async #return(tasks: readonly { id: string; lease: number }[]): Promise<void> {
    await this.#options.node.send('task_returns', tasks).catch(ignoreLoss) // it comes back with the lease
  }

  #progressed(held: Held, part: number): void {
    this.#progress.set(held, part)
    this.#progressTimer ??= setTimeout(() => {
      this.#progressTimer = undefined
      const progress = [...this.#progress].map(([{ id, lease }, done]) => ({ id, lease, done }))
      this.#progress.clear()
      if (progress.length > 0 && !this.#options.node.over.aborted)
        void this.#options.node.send('task_progress', progress).catch(ignoreLoss)
    }, PROGRESS_MS).unref()
  }
}

/** Why a connection is lost is told by who reads it. */
function ignoreLoss(error: unknown): void {
  if (!(error instanceof OperationalError || (error as Error).name === 'AbortError')) throw error
}

/** How much memory this program has: that of the machine, or what its group may take. */
function ownMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
