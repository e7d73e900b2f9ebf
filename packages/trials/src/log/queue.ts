/**
 * The state machine that the simulated members keep: a small queue of tasks, and what each client was told last, so that what it
 * asks for again is done once (thesis, §6.3). The time is that of the entries. The ledger of the core's own queue is told what
 * happens, and must come to the same on all members, too.
 */
import type { LogEntry } from '@rpi-cluster/core/replica'
import type { TaskEvent } from '@rpi-cluster/core/task-journal'
import { TaskLedger } from '@rpi-cluster/core/task-ledger'
import { LEASE_MS, readAs, type TaskInput, type TaskOutput } from './task-model.ts'

/** What a client wants: its how many-th wish it is, and of which task. */
export interface Wish {
  readonly client: string
  readonly number: number
  readonly task: string
  readonly input: TaskInput
}

interface QueuedTask {
  readonly is: 'open' | 'taken' | 'done'
  readonly lease?: string
  readonly until?: number
}

interface Session {
  readonly number: number
  readonly output: TaskOutput
}

type Item = readonly [key: string, item: QueuedTask | Session]

/** The ledger has a hash that takes its time: it is looked at after each so many-th entry. */
const LEDGER_EACH = 8

export class Queue {
  readonly #items = new Map<string, QueuedTask | Session>()
  readonly #ledger = new TaskLedger()
  /** Of all items together, in whatever order. */
  #hash = 0

  /** @param pieces what {@link snapshot} gave */
  static restored(pieces: readonly string[]): Queue {
    const queue = new Queue()
    const [items, ...ledger] = pieces
    if (items === undefined) return queue
    for (const [key, item] of JSON.parse(items) as Item[]) queue.#set(key, item)
    queue.#ledger.restore(ledger)
    return queue
  }

  /** All of it as it is now. It may be taken later. */
  snapshot(): () => string[] {
    const [items, ledger] = [[...this.#items], this.#ledger.snapshot()]
    return () => [JSON.stringify(items), ...ledger]
  }

  /** What two members have is compared by this, after the same entry. */
  hashAfter(index: number): string {
    return index % LEDGER_EACH === 0 ? `${this.#hash} ${this.#ledger.hash()}` : `${this.#hash}`
  }

  /** What comes of an entry for the client that has wished for it: nothing if it has wished for something else since then. */
  apply({ data, time, index }: LogEntry): TaskOutput | undefined {
    const { client, number, task, input } = JSON.parse(data) as Wish
    const session = this.#items.get(`client ${client}`) as Session | undefined
    if (session && session.number >= number) return session.number === number ? session.output : undefined
    const before = this.#items.get(`task ${task}`) as QueuedTask | undefined
    const output = this.#do(`task ${task}`, input, time)
    const events = eventsOf(task, client, before, this.#items.get(`task ${task}`) as QueuedTask | undefined)
    if (events.length > 0) this.#ledger.apply({ index, time, data: JSON.stringify(events) })
    this.#set(`client ${client}`, { number, output })
    return output
  }

  read(task: string): TaskOutput {
    return { kind: 'read', is: this.#readAs(`task ${task}`) }
  }

  #readAs(key: string): string {
    return readAs((this.#items.get(key) as QueuedTask | undefined) ?? { is: 'unknown' })
  }

  #do(key: string, input: TaskInput, time: number): TaskOutput {
    const task = this.#items.get(key) as QueuedTask | undefined
    switch (input.kind) {
      case 'submit':
        if (!task) this.#set(key, { is: 'open' })
        return { kind: 'submit' }
      case 'take': {
        const isTaken = task?.is === 'open' || (task?.is === 'taken' && time >= (task.until ?? 0))
        if (isTaken) this.#set(key, { is: 'taken', lease: input.lease, until: time + LEASE_MS })
        return { kind: 'take', isTaken, at: time, is: this.#readAs(key) }
      }
      case 'finish': {
        const isDone = task?.lease === input.lease
        if (isDone) this.#set(key, { is: 'done', lease: input.lease })
        return { kind: 'finish', isDone }
      }
      case 'read':
        throw new TypeError('A read is no entry.')
    }
  }

  #set(key: string, item: QueuedTask | Session): void {
    const before = this.#items.get(key)
    if (before) this.#hash ^= hashed(key, before)
    this.#hash ^= hashed(key, item)
    this.#items.set(key, item)
  }
}

/** What the core's queue would have written down. */
function eventsOf(id: string, client: string, before?: QueuedTask, after?: QueuedTask): TaskEvent[] {
  if (after === before || !after) return []
  const tried = { id, attempts: 1, lost: 0, node: client }
  switch (after.is) {
    case 'open':
      return [{ kind: 'submitted', id, name: 'task', input: '{}', by: client, at: 0 }]
    case 'taken':
      return [{ kind: 'tried', ...tried, until: after.until as number }]
    case 'done':
      return [{ kind: 'ended', ...tried, state: 'done', result: JSON.stringify(after.lease), at: 0 }]
  }
}

/** FNV-1a, of 32 bits. */
function hashed(key: string, item: QueuedTask | Session): number {
  const text = `${key} ${JSON.stringify(item)}`
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
