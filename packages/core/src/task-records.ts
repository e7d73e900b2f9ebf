/**
 * What a queue knows of each task. A hundred thousand of them wait in memory, so what most do not have stands apart, and what
 * many share is there once.
 *
 * @since 0.24.0
 */

import type { TaskEvent } from './task-journal.ts'
import type { Linked, LinkedList } from './task-lists.ts'
import type { Demand, Worker } from './task-placement.ts'
import type { TaskState } from './task-states.ts'

/**
 * What has to be known of a task to hand it out. Its definition has more.
 *
 * @internal
 */
export interface TaskShape {
  /** Whole number. A node that has another version does not get it. */
  version: number
  /** How long one may take, in s. Default: 60. */
  seconds?: number
  /** How much memory one may take, in MiB. Default: 128. */
  memoryMb?: number
  /** What a node must have to do it. Default: nothing. */
  requires?: readonly string[]
}

/**
 * What some tasks need, and how many of them there are.
 *
 * @internal
 */
export interface CountedDemand extends Demand {
  /** How long one may take, in ms. */
  readonly limitMs: number
  /** What submitters require beside what the definition does. */
  readonly asked: readonly string[] | undefined
  /** How many have not ended, and how many of them wait. */
  open: number
  waiting: number
  /** The round of placing in which nobody had room for it. */
  blockedIn: number
}

/**
 * Who submits, and what of it waits.
 *
 * @internal
 */
export interface Lane {
  readonly by: string
  readonly lines: Line[]
}

/**
 * What waits of one submitter and needs the same.
 *
 * @internal
 */
export interface Line {
  readonly lane: Lane
  readonly demand: CountedDemand
  readonly tasks: LinkedList<Task>
}

/**
 * Tasks that belong together, by how many are in which state.
 *
 * @internal
 */
export interface Group {
  readonly name: string
  /** Who submitted the first of them. */
  readonly by: string
  /** What the first of them is called. */
  readonly task: string
  /** When that was, in ms of the clock that does not jump; undefined when it was before this start. */
  since: number | undefined
  readonly counts: Record<TaskState['state'], number>
  total: number
  /** Those that are known still, in the order in which they came, among some that are not. */
  members: Task[]
  forgotten: number
  isToldDone: boolean
}

/**
 * A task is at a node, until it ends, or the node is lost.
 *
 * @internal
 */
export interface Lease {
  readonly number: number
  readonly worker: Worker
  /** When it is taken to be lost, whatever its node says, in ms of the clock that does not jump. */
  readonly deadline: number
  /** What it was expected to take, in ms. */
  readonly estimateMs: number
  /** Whether its node is to have nothing else meanwhile. */
  readonly isAlone: boolean
  progress: number | undefined
}

/**
 * A lease that is over.
 *
 * @internal
 */
export interface PastLease {
  readonly number: number
  readonly node: string
  readonly identity: string
  /** Whether its node was lost with it, and may still come back, with a result even. */
  isOpen: boolean
  /** Whether that counts as a try, and as a node that was lost: until it is heard of. */
  isCounted: boolean
  /** Until when the node may take for it, where that is known from somebody else who has lent it. */
  readonly until?: number | undefined
}

/**
 * How a task ended.
 *
 * @internal
 */
export interface Ending {
  /** When, in ms of the clock that does not jump, and in ms since 1970. */
  readonly at: number
  readonly date: number
  readonly node: string | undefined
  readonly ms: number | undefined
  /** As JSON. */
  readonly result: string | undefined
  readonly kind: string | undefined
  readonly reason: string | undefined
}

/**
 * What may be said of a task.
 *
 * @internal
 */
export interface Shown {
  readonly state: TaskState['state']
  readonly attempts: number
  readonly lost: number
  readonly node?: string | undefined
  readonly progress?: number | undefined
  readonly ms?: number | undefined
  /** As JSON. */
  readonly result?: string | undefined
  readonly kind?: string | undefined
  readonly reason?: string | undefined
}

/**
 * A task.
 *
 * @internal
 */
export class Task implements Linked<Task> {
  readonly id: string
  /** Where it waits. */
  line: Line
  readonly group: Group | undefined
  /** Grows from task to task. */
  readonly order: number
  /** As JSON. It is forgotten when nobody can need it any more. */
  input: string
  state: TaskState['state'] = 'waiting'
  attempts = 0
  lost = 0
  lease: Lease | undefined
  past: PastLease[] | undefined
  /** While it waits, and not before that: until when it rests, after a failure. */
  rest: { task: Task; until: number } | undefined
  ending: Ending | undefined
  /** What has happened to it last that a journal does not have yet, and what it is by what a journal has. */
  noted: TaskEvent | undefined
  written: Shown | undefined
  /** Who wants to hear of its end. The queue does not look at it. */
  follower: unknown
  previous: Task | undefined
  next: Task | undefined
  list: LinkedList<Task> | undefined

  constructor(id: string, line: Line, group: Group | undefined, order: number, input: string) {
    this.id = id
    this.line = line
    this.group = group
    this.order = order
    this.input = input
  }
}
