/**
 * What came of tasks, on its way to who has handed them out: those that have ended in one turn of the event loop together,
 * and kept while nobody is there to take them. What was sent just before a connection was lost may not have arrived: it is
 * sent once more.
 *
 * @since 0.24.0
 */
import { addAbortListener } from 'node:events'
import { asciiJson, JsonText } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import type { TaskFailureKind } from './task-failure.ts'

/** How much waits for a connection, in bytes. The oldest is dropped. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024

/** How much of what was sent is kept, in bytes, and for how long, in ms: twice as long as a silence that ends a connection. */
const MOST_SENT_BYTES = 4 * 1024 * 1024
const SENT_MS = 30_000

/** How large a message is, in bytes, if not by one end alone: small enough to be written while others are made. */
const MESSAGE_BYTES = 256 * 1024

/**
 * Which task, by which lease. Where several nodes hand out tasks, one after the other: whose it is, and in which term it was lent.
 *
 * @internal
 */
export interface Leased {
  readonly id: string
  lease: number
  readonly desk: string | undefined
  term: number | undefined
}

/**
 * By what a task is known here: two desks may have one of the same id.
 *
 * @internal
 */
export function keyOf({ id, desk }: Pick<Leased, 'id' | 'desk'>): string {
  return desk === undefined ? id : `${desk}\n${id}`
}

/**
 * What is said of it wherever it is spoken of.
 *
 * @internal
 */
export function leaseOf({ id, lease, term }: Leased): { id: string; lease: number; term?: number } {
  return { id, lease, ...(term !== undefined && { term }) }
}

interface End extends Leased {
  /** As JSON: all that comes behind its lease. */
  readonly rest: string
  /** When it was sent, in ms of performance.now(). */
  sentAt: number
}

/** Who sends, as a ConnectingNode does. */
interface Sender {
  send(type: string, payload: unknown): Promise<void>
  readonly over: AbortSignal
}

/**
 * Ends that are to be sent.
 *
 * @internal
 */
export class TaskEnds {
  readonly #node: Sender
  readonly #log: Logger
  /** For the desk that is spoken to, the oldest first. */
  readonly #waiting = new Map<string, End>()
  /** For others, until they are. */
  readonly #kept = new Map<string, End>()
  /** Of both. */
  #waitingBytes = 0
  readonly #sent = new Map<string, End>()
  #sentBytes = 0
  /** Aborted when the connection is over that they may go to. */
  #over = AbortSignal.abort()
  #desk: string | undefined
  /** Since when that is so, in ms of performance.now(). */
  #lostAt: number | undefined
  #isSending = false
  #dropped = 0

  constructor(node: Sender, log: Logger) {
    this.#node = node
    this.#log = log
  }

  /**
   * A task has ended.
   *
   * @param end its result, as JSON in ASCII; or why it has none
   */
  add(
    { id, lease, desk, term }: Leased,
    ms: number,
    end: { result: string } | { kind: TaskFailureKind; reason: string },
  ): void {
    const what =
      'result' in end
        ? `"result":${end.result}`
        : `"kind":${asciiJson(end.kind)},"reason":${asciiJson(end.reason)}`
    this.#wait({ id, lease, desk, term, rest: `"ms":${Math.round(ms * 1_000) / 1_000},${what}}`, sentAt: 0 })
    this.#sendSoon()
  }

  /** From now on those for this desk go over this connection, and what the last one may have lost. */
  sendTo(over: AbortSignal, desk: string | undefined): void {
    this.#over = over
    this.#lostAt = undefined
    if (desk !== this.#desk) this.#turnTo(desk)
    addAbortListener(over, () => {
      if (over === this.#over) this.#lostAt = performance.now()
      this.#takeBack(desk)
    })
    this.#sendSoon()
  }

  /** For how long nobody has been there whom they may go to, in ms: 0 while somebody is, and before the first. */
  get aloneMs(): number {
    return this.#lostAt === undefined ? 0 : performance.now() - this.#lostAt
  }

  /** Whether all are sent that the desk which is spoken to may be told. */
  get areSent(): boolean {
    return this.#waiting.size === 0 && !this.#isSending
  }

  /** Those that wait for a desk. */
  of(desk: string | undefined): Leased[] {
    return [...this.#waiting.values(), ...this.#kept.values()].filter((end) => end.desk === desk)
  }

  /** The end of this task is sent with another lease, if it waits. */
  adopt(leased: Leased): boolean {
    const end = this.#get(leased)
    if (end) ({ lease: end.lease, term: end.term } = leased)
    return end !== undefined
  }

  /** Nobody wants to hear of this task any more. */
  drop(task: Pick<Leased, 'id' | 'desk'>): void {
    const end = this.#get(task)
    if (end) this.#forget(end)
  }

  #get(task: Pick<Leased, 'id' | 'desk'>): End | undefined {
    const key = keyOf(task)
    return this.#waiting.get(key) ?? this.#kept.get(key)
  }

  /** Another desk is spoken to. */
  #turnTo(desk: string | undefined): void {
    this.#desk = desk
    const all = [...this.#kept, ...this.#waiting]
    this.#kept.clear()
    this.#waiting.clear()
    for (const [key, end] of all) this.#placeOf(end).set(key, end)
  }

  #placeOf({ desk }: End): Map<string, End> {
    return desk === this.#desk ? this.#waiting : this.#kept
  }

  #wait(end: End): void {
    this.#placeOf(end).set(keyOf(end), end)
    this.#waitingBytes += sizeOf(end)
    // A desk that is not spoken to may never ask for its own.
    this.#dropOldest(this.#kept)
    this.#dropOldest(this.#waiting)
  }

  #dropOldest(ends: ReadonlyMap<string, End>): void {
    for (const oldest of ends.values()) {
      if (this.#waitingBytes <= MOST_WAITING_BYTES) return
      this.#forget(oldest)
      this.#dropped += 1
      if (this.#dropped === 1)
        this.#log.warn(
          `More than ${MOST_WAITING_BYTES / 1024 / 1024} MiB of results wait for a connection: the oldest are dropped, and those tasks are done again`,
        )
    }
  }

  #forget(end: End): void {
    if (this.#placeOf(end).delete(keyOf(end))) this.#waitingBytes -= sizeOf(end)
  }

  #sendSoon(): void {
    if (this.#isSending || this.#over.aborted || this.#waiting.size === 0) return
    this.#isSending = true
    process.nextTick(() => void this.#send())
  }

  async #send(): Promise<void> {
    const over = this.#over
    try {
      // The node may have turned to another peer while this connection is not over yet.
      while (this.#waiting.size > 0 && !over.aborted && over === this.#node.over) {
        const ends = this.#next()
        const json = ends.map((end) => `${asciiJson(leaseOf(end)).slice(0, -1)},${end.rest}`)
        for (const end of ends) this.#keep(end)
        await this.#node.send('task_ends', new JsonText(`[${json.join(',')}]`))
      }
      this.#dropped = 0
    } catch (error) {
      // Why the connection is lost is told by who reads it, and they are sent over the next one.
      if (!(error instanceof OperationalError || (error as Error).name === 'AbortError')) throw error
    } finally {
      this.#isSending = false
      if (over !== this.#over) this.#sendSoon()
    }
  }

  /** As many as go into one message, and one at least. */
  #next(): End[] {
    const ends: End[] = []
    let bytes = 0
    for (const end of this.#waiting.values()) {
      bytes += sizeOf(end)
      if (ends.length > 0 && bytes > MESSAGE_BYTES) break
      ends.push(end)
    }
    return ends
  }

  /** Keeps what is sent for a while. */
  #keep(end: End): void {
    this.#forget(end)
    const now = performance.now()
    end.sentAt = now
    const before = this.#sent.get(keyOf(end))
    if (before) this.#forgetSent(before)
    this.#sent.set(keyOf(end), end)
    this.#sentBytes += sizeOf(end)
    for (const oldest of this.#sent.values()) {
      if (this.#sentBytes <= MOST_SENT_BYTES && now - oldest.sentAt < SENT_MS) return
      this.#forgetSent(oldest)
    }
  }

  #forgetSent(end: End): void {
    if (this.#sent.delete(keyOf(end))) this.#sentBytes -= sizeOf(end)
  }

  /** What was sent just now may not have arrived: the connection to this desk is lost. */
  #takeBack(desk: string | undefined): void {
    const since = performance.now() - SENT_MS
    const sent = [...this.#sent.values()].filter((end) => end.desk === desk)
    for (const end of sent) this.#forgetSent(end)
    const again = sent.filter((end) => end.sentAt > since && !this.#get(end))
    const newer = [...this.#waiting.values()].filter((end) => end.desk === desk)
    for (const end of newer) this.#forget(end)
    for (const end of [...again, ...newer]) this.#wait(end)
  }
}

function sizeOf({ id, rest }: End): number {
  return id.length + rest.length + 100
}
