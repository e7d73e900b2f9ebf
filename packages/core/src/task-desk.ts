/**
 * The desk at which tasks are handed in and out: the primary's part. It takes them from submitters, gives each to a node, and
 * again to another one when that is lost, until it has ended, and tells who wants to know.
 *
 * @since 0.24.0
 */
import { addAbortListener } from 'node:events'
import type { Answers } from './dialogue.ts'
import { stopRequest } from './lifecycle.ts'
import type { ListeningNode } from './listening-node.ts'
import type { LiveTable } from './live-table.ts'
import type { Logger } from './logging.ts'
import type { Handlers } from './messages.ts'
import { TaskFollowers } from './task-followers.ts'
import type { TaskEvent, TaskJournal } from './task-journal.ts'
import { TaskNotes } from './task-notes.ts'
import { type TakenTask, TaskQueue } from './task-queue.ts'
import type { Task, TaskShape } from './task-records.ts'
import { recover, recoverInTurns } from './task-recovery.ts'
import type { TaskEnd } from './task-states.ts'
import { TaskSubmitters } from './task-submitters.ts'
import { type FailedRow, type QueueRow, TaskTables, type WorkerRow } from './task-tables.ts'
import { stateJson } from './task-texts.ts'
import { TaskWorkers, tasksText } from './task-workers.ts'

/** How many tasks may wait, and how many bytes of inputs, unless told otherwise. */
const DEFAULT_MOST_WAITING = 100_000
const DEFAULT_MOST_WAITING_BYTES = 64 * 1024 * 1024

/** How often tables are brought up to date at most, in ms. */
const REFRESH_MS = 250

/** How long nodes have to come back to a queue that was there before, until it is told that there is none, in ms. */
const NODES_COME_BACK_MS = 10_000

/** With how many open tasks what comes is not gathered. */
const FEW = 4

/** How often is looked what is beyond its limit, and what is kept too long, in ms. */
const LOOK_MS = 1_000

/** The longest pause of a timer here, in ms. */
const LONGEST_MS = 60_000

export interface TasksOptions {
  /** The node that others connect to: its roster says what they are called. */
  node: Pick<ListeningNode, 'roster'>
  /** What there is, by name: what `defineTasks` makes, as every node has it. */
  tasks: Readonly<Record<string, TaskShape>>
  /** Who may submit, ask and cancel, now, by the names that they have proven to have. */
  submitters: () => readonly string[]
  /** What keeps tasks for another process. Default: nothing does; they are in memory. */
  journal?: TaskJournal | undefined
  /**
   * Whether what the journal has is taken in turns of the event loop, so that a node which leads is heard of while it takes a
   * hundred thousand tasks. Until {@link Tasks.recovered} resolves who says something is cut off: listen after that.
   * Default: no, it is taken when this is made.
   */
  recoversInTurns?: boolean | undefined
  /**
   * The term in which this node leads, and whether it still does, where others may lead after it or did before: an election
   * gives it. Tasks are handed out with its number, and a node that has heard of a higher one does not take them. While it is
   * not held, nothing is handed out, taken, written down or told, and who says something is cut off. To be given with `desk`.
   * Default: nobody else ever leads.
   */
  term?: { readonly number: number; isHeld(): boolean } | undefined
  /** Whose tasks these are: the name of this node, by which those who do them keep them apart from those of others who lead. */
  desk?: string | undefined
  /** How many may wait. Default: 100,000. */
  mostWaiting?: number | undefined
  /** How many bytes of inputs may wait. Default: 64 MiB. */
  mostWaitingBytes?: number | undefined
  /**
   * What time it is for all that one who leads goes on with after another: how long a node may take for a task, how long one
   * rests after a failure, how long is known what has ended. In ms, and never less than before: a log that they share has such
   * a time. What was written down with it is gone on with by it. Default: a clock of this process.
   */
  clock?: (() => number) | undefined
  /**
   * How long a node has to come back with what another one, or this program before it was started again, has given it, before
   * that is given to somebody else, in ms; no longer than it may take for it, where that is known. Default: 5,000.
   */
  returnMs?: number | undefined
  /** How often a task is tried that fails. Default: 3. */
  attempts?: number | undefined
  /** How long is known what has become of a task that has ended, in ms. Default: 3,600,000, an hour. */
  keptMs?: number | undefined
  /** How much memory that may take, in bytes. Default: 64 MiB. */
  keptBytes?: number | undefined
  /** Called with each task that has ended, once. */
  ended?: ((end: TaskEnd) => void) | undefined
  /** Where it is told what becomes of nodes, groups, and tasks that fail. */
  log: Logger
  /** Ends the handing out. Default: the stop signal of this program. */
  stop?: AbortSignal | undefined
}

/** Tasks, those who submit them, and the nodes that do them. */
export class Tasks {
  /** What to do with what nodes say, for a node that listens. */
  readonly handlers: Handlers
  /** What to answer to those who submit, for a node that listens. */
  readonly answers: Answers
  /** What there is, for `Topics`. */
  readonly tables: {
    readonly queue: LiveTable<QueueRow>
    readonly workers: LiveTable<WorkerRow>
    readonly failed: LiveTable<FailedRow>
  }

  /** Resolves when all is taken that the journal had. It is rejected with what the journal throws. */
  readonly recovered: Promise<void>

  readonly #options: TasksOptions
  readonly #stop: AbortSignal
  readonly #now: () => number
  readonly #queue: TaskQueue
  readonly #workers: TaskWorkers
  readonly #followers: TaskFollowers
  readonly #tables: TaskTables
  readonly #notes: TaskNotes | undefined
  #isRecovered = false
  #isDue = false
  #turn: NodeJS.Immediate | undefined
  #refresh: NodeJS.Timeout | undefined
  #wake: NodeJS.Timeout | undefined
  #stuck: string[] = []
  #saysStuckFrom = 0

  /**
   * @throws what the journal throws when it is opened
   * @throws TypeError when of `term` and `desk` there is only one
   */
  constructor(options: TasksOptions) {
    const { node, tasks, log, journal, clock, attempts, keptMs, keptBytes, returnMs } = options
    const { term, desk, stop = stopRequest } = options
    if ((term === undefined) !== (desk === undefined))
      throw new TypeError('Tasks need both of "term" and "desk", or none of them.')
    this.#options = options
    this.#stop = stop
    this.#now = clock ?? (() => performance.now())
    const changed = () => this.#changed()
    const isHeld = () => this.#isHeld
    const mostWaiting = options.mostWaiting ?? DEFAULT_MOST_WAITING
    this.#followers = new TaskFollowers(isHeld)
    this.#notes = journal && new TaskNotes({ journal, log, mayWrite: isHeld })
    this.#queue = new TaskQueue({
      ...{ tasks, attempts, keptMs, keptBytes, returnMs },
      clock: { now: this.#now, date: () => Date.now() },
      ended: (task) => this.#ended(task),
      recall: (worker, id) => this.#workers.recall(worker, id),
      tried: journal && ((task) => this.#notes?.addOf(task, triedEvent(task, clock !== undefined))),
    })
    this.#workers = new TaskWorkers({
      ...{ queue: this.#queue, roster: node.roster, log, changed, isHeld },
      reign: term && desk !== undefined ? { term: term.number, desk } : undefined,
    })
    const { answers } = new TaskSubmitters({
      ...{ queue: this.#queue, followers: this.#followers, notes: this.#notes, log, changed, mostWaiting },
      ...{ submitters: options.submitters, isHeld },
      mostWaitingBytes: options.mostWaitingBytes ?? DEFAULT_MOST_WAITING_BYTES,
      write: journal && ((taken) => journal.write(taken.map(submittedEvent))),
      retriedEvent: (task) =>
        journal?.forgets ? submittedEvent(takenOf(task)) : { kind: 'retried', id: task.id },
    })
    this.#tables = new TaskTables(this.#queue, mostWaiting)
    this.handlers = this.#workers.handlers
    this.answers = answers
    const { queue, workers, failed } = this.#tables
    this.tables = { queue, workers, failed }
    if (journal && options.recoversInTurns) {
      this.recovered = recoverInTurns(this.#queue, journal.recovered(), stop).then(() => {
        if (!stop.aborted) this.#goOn()
      })
    } else {
      if (journal) recover(this.#queue, journal.recovered())
      this.#goOn()
      this.recovered = Promise.resolve()
    }
    const look = setInterval(() => this.#look(), LOOK_MS).unref()
    addAbortListener(stop, () => {
      clearInterval(look)
      clearTimeout(this.#refresh)
      clearTimeout(this.#wake)
      clearImmediate(this.#turn)
    })
  }

  /** Goes on with what was there before. */
  #goOn(): void {
    if (this.#options.journal) {
      this.#queue.groups.recovered()
      this.#saysStuckFrom = performance.now() + NODES_COME_BACK_MS
    }
    this.#isRecovered = true
    this.#show()
  }

  /** Whether this desk decides: a timer may be due after a freeze, and another node lead by then. */
  get #isHeld(): boolean {
    return this.#isRecovered && (this.#options.term?.isHeld() ?? true)
  }

  /** There may be something to place and to send: that is done once, when all has been read that has come. */
  #changed(): void {
    if (this.#stop.aborted) return
    if (!this.#isDue) this.#workSoon()
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined
      this.#show()
    }, REFRESH_MS).unref()
  }

  #workSoon(): void {
    this.#isDue = true
    // Whoever hands in one task waits for each step; of many, what comes in one turn is gathered.
    if (this.#queue.open <= FEW) process.nextTick(() => this.#work())
    else this.#turn = setImmediate(() => this.#work())
  }

  #work(): void {
    if (this.#stop.aborted) return
    this.#isDue = false
    this.#queue.place((task, worker) => this.#workers.give(task, worker))
    this.#workers.flush()
    this.#followers.flush()
    this.#notes?.flush()
    this.#queue.forget()
    clearTimeout(this.#wake)
    const { nextWake } = this.#queue
    if (nextWake === undefined) return
    const pauseMs = Math.min(Math.max(1, nextWake - this.#now()), LONGEST_MS)
    this.#wake = setTimeout(() => this.#changed(), pauseMs).unref()
  }

  #ended(task: Task): void {
    if (task.state === 'failed' && this.#isHeld) this.#sayFailed(task)
    if (this.#notes) this.#notes.addOf(task, endedEvent(task), () => this.#tell(task))
    else this.#tell(task)
  }

  #tell(task: Task): void {
    // Somebody may have had it tried again before its end was durable; and by then another node may lead.
    if (!task.ending || task.noted || !this.#isHeld) return
    this.#followers.tell(task)
    this.#options.ended?.(JSON.parse(stateJson(task)))
    if (this.#notes) this.#changed()
  }

  #sayFailed({ id, line, ending, attempts, past }: Task): void {
    const where = ending?.node === undefined ? '' : ` on ${ending.node}`
    const how =
      ending?.kind === 'poison'
        ? `is poison, and has failed for good: ${ending.reason}`
        : `has failed${where}, for good after ${attempts === 1 ? 'one attempt' : `${attempts} attempts`}: ${ending?.kind}: ${ending?.reason}`
    const before = new Set(past?.map(({ node }) => node))
    before.delete(ending?.node ?? '')
    const others =
      before.size > 0 && ending?.kind !== 'poison' ? ` (before that on ${[...before].join(', ')})` : ''
    this.#options.log.warn(`${line.demand.name} ${id} ${how}${others}`)
  }

  /** What is beyond its limit, though its node is there, is taken to be lost. */
  #look(): void {
    if (!this.#isHeld) return
    if (this.#saysStuckFrom > 0 && performance.now() >= this.#saysStuckFrom) {
      this.#saysStuckFrom = 0
      this.#changed()
    }
    for (const [{ id, line }, node] of this.#queue.expire()) {
      this.#options.log.warn(
        `${node} says nothing of ${line.demand.name} ${id}, long after its limit: it is taken to be lost there`,
      )
      this.#changed()
    }
    this.#queue.forget()
  }

  #show(): void {
    const { log } = this.#options
    if (!this.#isHeld) return
    this.#workers.rename()
    const stuck = performance.now() < this.#saysStuckFrom ? [] : this.#queue.stuck()
    for (const why of stuck) if (!this.#stuck.includes(why)) log.warn(`Tasks wait that nobody can do: ${why}`)
    this.#stuck = stuck
    for (const group of this.#queue.groups.done()) {
      const { name, counts, total, since } = group
      const { failed, cancelled } = counts
      const bad = [failed > 0 && `${failed} failed`, cancelled > 0 && `${cancelled} cancelled`].filter(
        Boolean,
      )
      const how = bad.length > 0 ? `ended, ${bad.join(', ')}` : 'done'
      const when =
        since === undefined
          ? `, begun before this ${this.#options.term ? 'term' : 'start'}`
          : `${bad.length > 0 ? ',' : ''} in ${((this.#now() - since) / 1_000).toFixed(1)} s`
      log.info(`${name}: ${tasksText(total)} ${how}${when}`)
    }
    const changes = this.#tables.refresh(performance.now(), stuck)
    if (changes && !this.#stop.aborted)
      this.#refresh ??= setTimeout(() => {
        this.#refresh = undefined
        this.#show()
      }, REFRESH_MS).unref()
  }
}

function submittedEvent({ id, by, demand, input, group }: TakenTask): TaskEvent {
  return {
    ...{ kind: 'submitted', id, name: demand.name, input, by, at: Date.now() },
    ...(group !== undefined && { group }),
    ...(demand.asked && { requires: [...demand.asked] }),
  }
}

/** What was taken when a task was handed in. */
function takenOf({ id, line, input, group }: Task): TakenTask {
  return { id, by: line.lane.by, demand: line.demand, input, group: group?.name }
}

function triedEvent({ id, attempts, lost, lease, rest, past }: Task, hasSharedClock: boolean): TaskEvent {
  const until = hasSharedClock ? (lease?.deadline ?? rest?.until) : undefined
  const gone = past?.filter(({ isOpen }) => isOpen) ?? []
  return {
    ...{ kind: 'tried', id, attempts, lost },
    ...(lease && { node: lease.worker.identity }),
    ...(until !== undefined && { until }),
    ...(gone.length > 0 && { gone: gone.map(({ identity: node, isCounted }) => ({ node, isCounted })) }),
  }
}

function endedEvent({ id, state, attempts, lost, ending }: Task): TaskEvent {
  const { date: at = 0, node, ms, result, kind: failure, reason } = ending ?? {}
  return {
    ...{ kind: 'ended', id, state: state as TaskEnd['state'], attempts, lost, at },
    ...(result !== undefined && { result }),
    ...(failure !== undefined && { failure }),
    ...(reason !== undefined && { reason }),
    ...(node !== undefined && { node }),
    ...(ms !== undefined && { ms }),
  }
}
