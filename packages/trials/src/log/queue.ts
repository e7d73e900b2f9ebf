/**
 * The state machine that the simulated members keep: a small queue of tasks, and what each client was told last, so that what it
 * asks for again is done once (thesis, §6.3). The time is that of the entries.
 */
import type { LogEntry } from '@rpi-cluster/core/replica'
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

export class Queue {
  readonly #items = new Map<string, QueuedTask | Session>()
  /** Of all items together, in whatever order: what two members have is compared by it after each entry. */
  hash = 0

  /** @param pieces what {@link snapshot} gave */
  static restored(pieces: readonly string[]): Queue {
    const queue = new Queue()
    for (const piece of pieces) {
      const [key, item] = JSON.parse(piece) as Item
      queue.#set(key, item)
    }
    return queue
  }

  snapshot(): string[] {
    return [...this.#items].map((item) => JSON.stringify(item))
  }

  /** What comes of an entry for the client that has wished for it: nothing if it has wished for something else since then. */
  apply({ data, time }: LogEntry): TaskOutput | undefined {
    const { client, number, task, input } = JSON.parse(data) as Wish
    const session = this.#items.get(`client ${client}`) as Session | undefined
    if (session && session.number >= number) return session.number === number ? session.output : undefined
    const output = this.#do(`task ${task}`, input, time)
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
    if (before) this.hash ^= hashed(key, before)
    this.hash ^= hashed(key, item)
    this.#items.set(key, item)
  }
}

/** FNV-1a, of 32 bits. */
function hashed(key: string, item: QueuedTask | Session): number {
  const text = `${key} ${JSON.stringify(item)}`
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
