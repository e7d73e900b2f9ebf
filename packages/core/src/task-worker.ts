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
import { limitsOf, type TaskDefinitions } from './task-definition.ts'
import { keyOf, type Leased, leaseOf, TaskEnds } from './task-ends.ts'
import type { TaskFailure } from './task-failure.ts'
import { type TakenWork, type TaskListener, TaskPool } from './task-pool.ts'

/** How often is told how far tasks are, in ms. */
const PROGRESS_MS = 250

/** How often a drain looks for tasks that came back from a process, and for what is sent, in ms. */
const WITHDRAW_MS = 50

/**
 * How long a drain waits for somebody to tell, when there is nobody any more, in ms: for one who leads next. A leader that stops
 * hands over within some 100 ms. When one is lost, somebody stands for election at the latest after two time-outs of an
 * election (Raft, 5.2), which are of 1,000 ms unless told otherwise; the next one leads after 1.1 to 1.4 s by the median
 * (docs/benchmarks.md).
 */
const NEXT_LEADER_MS = 2_000

/** How many tasks are named at each greeting: what fits into a frame. Who holds more is handed some of them twice. */
const MOST_HELD_NAMED = 5_000

/** How many are shown as at work. */
const MOST_SHOWN = 100

const MIB = 1024 * 1024

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(100))

const whole = v.pipe(v.number(), v.safeInteger())

const handedTasks = v.array(
  v.object({
    id,
    lease: whole,
    name: v.string(),
    input: v.optional(v.unknown(), null),
    attempt: v.fallback(whole, 1),
  }),
)

const ids = v.array(v.string())

/** What a message says of all that is in it, where several nodes hand out tasks, one after the other. */
const byDesk = { term: whole, desk: v.pipe(v.string(), v.minLength(1), v.maxLength(100)) }

/** Where nobody else ever does, there is nothing to say of who it is. */
const byTheOne = { term: undefined, desk: undefined }

const handed = {
  byDesk: v.object({ ...byDesk, tasks: handedTasks }),
  byTheOne: v.pipe(
    handedTasks,
    v.transform((tasks) => ({ ...byTheOne, tasks })),
  ),
}

const recalled = {
  byDesk: v.object({ ...byDesk, tasks: ids }),
  byTheOne: v.pipe(
    ids,
    v.transform((tasks) => ({ ...byTheOne, tasks })),
  ),
}

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
  /**
   * Whose tasks it does now, and in which term that one leads, where several nodes may lead one after the other: what an
   * election says. What it holds is kept by desk, and each hears of its own alone; tasks of a lower term than the highest that
   * was seen are not taken. `node` sends to whoever that is. Default: nobody else ever leads.
   */
  desk?: () => { readonly name: string; readonly term: number } | undefined
  /** Where is told what tasks print, and what goes wrong. */
  log: Logger
  /** Ends it. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** A task that was handed to this node, until it has ended. */
class Held implements TaskListener, Leased {
  readonly id: string
  readonly name: string
  readonly desk: string | undefined
  lease: number
  term: number | undefined
  hasBegun = false
  /** What to cancel it by. */
  work: TakenWork | undefined
  readonly #owner: HeldOwner

  constructor({ id, lease, desk, term }: Leased, name: string, owner: HeldOwner) {
    this.id = id
    this.name = name
    this.desk = desk
    this.lease = lease
    this.term = term
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
 * | another one leads, and hands out its own | goes on with what it has, and keeps the ends until the one who gave it leads again |
 * | tasks, or a word to leave some, come of a lower term | passes them over |
 * | it is to drain | gives back what has not begun, takes no more, says what came of the rest, if there is somebody to be told |
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
  /** Whom it does tasks for, and over which connection it has said so. */
  #desk: { readonly name: string; readonly term: number } | undefined
  #over: AbortSignal | undefined
  #saidSlots = 0
  /** The highest term there has been, and the last lower one of which it was told. */
  #highestTerm = 0
  #toldTerm = 0

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
   * @throws OperationalError when there is no connection, or nobody who leads
   */
  async introduce(): Promise<void> {
    const { node, desk } = this.#options
    const { over } = node
    this.#desk = desk?.()
    if (desk && !this.#desk) throw new OperationalError('Nobody is known to lead now, so there are no tasks.')
    const name = this.#desk?.name
    this.#over = over
    await this.#say()
    if (over === this.#over) this.#ends.sendTo(over, name)
  }

  /**
   * Takes no more tasks, gives back those that have not begun, and waits for the others, until what came of them is sent. When
   * the connection is lost, it waits for another one for 2,000 ms, and no longer, so that nodes which are stopped together do
   * not wait for each other: what was told nobody is done again. To be called before the node itself drains.
   *
   * @returns when that is so. Never rejects.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    if (this.#isConnected) await this.#say().catch(() => {}) // there is no connection: the next greeting says it
    // What came of those of others could not be told any more.
    const isBusy = () => this.#heldOf(this.#desk?.name).length > 0 || !this.#ends.areSent
    while (isBusy() && !this.#stop.aborted) {
      if (this.#ends.aloneMs > NEXT_LEADER_MS) {
        this.#options.log.info(
          'Nobody is there to be told what came of its last tasks: they may be done again',
        )
        return
      }
      await this.#giveBack()
      if (isBusy()) await sleep(WITHDRAW_MS, undefined, { signal: this.#stop }).catch(() => {})
    }
  }

  /** Whether what is sent goes to whom it has introduced itself to. */
  get #isConnected(): boolean {
    return !this.#options.desk || this.#options.node.over === this.#over
  }

  #heldOf(desk: string | undefined): Held[] {
    return [...this.#held.values()].filter((held) => held.desk === desk)
  }

  /** How much it can do now for whom it does tasks, beside what it has of others. One more can always wait here. */
  #room(): { slots: number; memoryMb: number } {
    const { tasks } = this.#options
    const others = [...this.#held.values()].filter(({ desk }) => desk !== this.#desk?.name)
    if (others.length === 0) return { slots: this.#slots, memoryMb: this.#memoryMb }
    const memoryOf = ({ name }: { name: string }) => limitsOf(tasks[name] ?? {}).memoryMb
    const taken = others.reduce((sum, held) => sum + memoryOf(held), 0)
    const largest = Math.max(...Object.keys(tasks).map((name) => memoryOf({ name })))
    return {
      slots: Math.max(1, this.#slots - others.length),
      memoryMb: Math.max(this.#memoryMb - taken, Math.min(this.#memoryMb, largest)),
    }
  }

  async #say(): Promise<void> {
    const { node, tasks, has = [] } = this.#options
    const { name: desk, term } = this.#desk ?? {}
    const versions = Object.entries(tasks).map(([name, { version }]) => [name, version])
    const holds = [...this.#heldOf(desk), ...this.#ends.of(desk)].slice(0, MOST_HELD_NAMED)
    const { slots, memoryMb } = this.#room()
    this.#saidSlots = slots
    await node.send('worker', {
      tasks: Object.fromEntries(versions),
      slots,
      memory_mb: memoryMb,
      has: [...new Set([...has, /64/.test(process.arch) ? '64-bit' : '32-bit', process.platform])],
      draining: this.#isDraining,
      holds: holds.map((held) => Object.values(leaseOf(held))),
      ...(desk !== undefined && { term, desk }),
    })
  }

  /** Whether somebody else leads since: a term is over as soon as there is a higher one. */
  #isOver(term: number | undefined, desk: string | undefined): boolean {
    if (term === undefined) return false
    this.#highestTerm = Math.max(this.#highestTerm, term, this.#options.desk?.()?.term ?? 0)
    if (term === this.#highestTerm) return false
    if (term !== this.#toldTerm)
      this.#options.log.warn(
        `${desk} hands out tasks in term ${term}, and somebody leads in term ${this.#highestTerm}: it is not listened to`,
      )
    this.#toldTerm = term
    return true
  }

  #take(payload: unknown): void {
    const schema = this.#options.desk ? handed.byDesk : handed.byTheOne
    const { success, output, issues } = v.safeParse(schema, payload)
    if (!success)
      throw new OperationalError(
        `Tasks that cannot be read were passed over: ${v.getDotPath(issues[0]) ?? 'all of it'} is not as it should be.`,
      )
    const { term, desk } = output
    if (this.#isOver(term, desk)) return
    const refused: Leased[] = []
    for (const task of output.tasks) {
      const leased = { id: task.id, lease: task.lease, term, desk }
      const held = this.#held.get(keyOf(leased))
      if (held && !held.work?.isCancelled) ({ lease: held.lease, term: held.term } = leased)
      else if (this.#ends.adopt(leased)) continue
      else if (held || this.#isDraining) refused.push(leased)
      else this.#do(leased, task)
    }
    void this.#return(refused)
  }

  #do(leased: Leased, { id, name, input, attempt }: v.InferOutput<typeof handedTasks>[number]): void {
    const held = new Held(leased, name, this.#owner)
    this.#held.set(keyOf(held), held)
    held.work = this.#pool.take({ id, name, input: JSON.stringify(input), attempt }, held)
  }

  #ended(held: Held, ms: number, end: Parameters<TaskEnds['add']>[2]): void {
    if (this.#held.get(keyOf(held)) !== held) return // it was given back
    this.#held.delete(keyOf(held))
    this.#progress.delete(held)
    this.#ends.add(held, ms, end)
    const isRoom = held.desk !== this.#desk?.name && this.#room().slots !== this.#saidSlots
    if (isRoom && this.#isConnected) void this.#say().catch(ignoreLoss)
  }

  #cancel(payload: unknown): void {
    const schema = this.#options.desk ? recalled.byDesk : recalled.byTheOne
    const { success, output } = v.safeParse(schema, payload)
    if (!success)
      throw new OperationalError('What is to be cancelled cannot be read: it is no list of the ids of tasks.')
    const { term, desk } = output
    if (this.#isOver(term, desk)) return
    for (const id of output.tasks) {
      this.#ends.drop({ id, desk })
      const work = this.#held.get(keyOf({ id, desk }))?.work
      if (work) this.#pool.cancel(work)
    }
  }

  async #giveBack(): Promise<void> {
    const waiting = new Set<unknown>(this.#pool.takeBack())
    const back = [...this.#held.values()].filter(({ work }) => waiting.has(work))
    for (const held of back) this.#held.delete(keyOf(held))
    await this.#return(back)
  }

  async #return(tasks: readonly Leased[]): Promise<void> {
    const own = tasks.filter(({ desk }) => desk === this.#desk?.name)
    if (own.length === 0 || !this.#isConnected) return
    await this.#options.node.send('task_returns', own.map(leaseOf)).catch(ignoreLoss) // it comes back with the lease
  }

  #progressed(held: Held, part: number): void {
    this.#progress.set(held, part)
    this.#progressTimer ??= setTimeout(() => {
      this.#progressTimer = undefined
      const progress = [...this.#progress]
        .filter(([{ desk }]) => desk === this.#desk?.name)
        .map(([held, done]) => ({ ...leaseOf(held), done }))
      this.#progress.clear()
      if (progress.length > 0 && this.#isConnected && !this.#options.node.over.aborted)
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
