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

/** Which task, and as whose. */
interface Leased {
  readonly id: string
  lease: number
}

interface End extends Leased {
  /** As JSON: all that comes behind id and lease. */
  readonly rest: string
  /** When it was sent, in ms of performance.now(). */
  sentAt: number
}

/** Who sends, as a ConnectingNode does. */
interface Sender {
  send(type: string, payload: unknown): Promise<void>
}

/**
 * Ends that are to be sent.
 *
 * @internal
 */
export class TaskEnds {
  readonly #node: Sender
  readonly #log: Logger
  /** By their ids, the oldest first. */
  readonly #waiting = new Map<string, End>()
  #waitingBytes = 0
  readonly #sent = new Map<string, End>()
  #sentBytes = 0
  /** Aborted when the connection is over that they may go to. */
  #over = AbortSignal.abort()
  #isSending = false
  #dropped = 0
  #whenSent: () => void = () => {}

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
    { id, lease }: Leased,
    ms: number,
    end: { result: string } | { kind: TaskFailureKind; reason: string },
  ): void {
    const what =
      'result' in end
        ? `"result":${end.result}`
        : `"kind":${asciiJson(end.kind)},"reason":${asciiJson(end.reason)}`
    this.#wait({ id, lease, rest: `"ms":${Math.round(ms * 1_000) / 1_000},${what}}`, sentAt: 0 })
    this.#sendSoon()
  }

  /** From now on they go over this connection, and what the last one may have lost. */
  sendTo(over: AbortSignal): void {
    this.#over = over
    addAbortListener(over, () => this.#takeBack())
    this.#sendSoon()
  }

  /** Those that wait, and their leases. */
  holds(): [string, number][] {
    return [...this.#waiting.values()].map(({ id, lease }) => [id, lease])
  }

  /** The end of this task is sent with another lease, if it waits. */
  adopt(id: string, lease: number): boolean {
    const end = this.#waiting.get(id)
    if (end) end.lease = lease
    return end !== undefined
  }

  /** Nobody wants to hear of this task any more. */
  drop(id: string): void {
    const end = this.#waiting.get(id)
    if (end) this.#forget(end)
  }

  /** Resolves when all are sent, or it is stopped. Never rejects. */
  async sent(stop: AbortSignal): Promise<void> {
    if (this.#waiting.size === 0 && !this.#isSending) return
    await new Promise<void>((resolve) => {
      this.#whenSent = resolve
      addAbortListener(stop, () => resolve())
    })
  }

  #wait(end: End): void {
    this.#waiting.set(end.id, end)
    this.#waitingBytes += sizeOf(end)
    for (const oldest of this.#waiting.values()) {
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
    if (this.#waiting.delete(end.id)) this.#waitingBytes -= sizeOf(end)
  }

  #sendSoon(): void {
    if (this.#isSending || this.#over.aborted || this.#waiting.size === 0) return
    this.#isSending = true
    process.nextTick(() => void this.#send())
  }

  async #send(): Promise<void> {
    const over = this.#over
    try {
      while (this.#waiting.size > 0 && !over.aborted) {
        const ends = this.#next()
        const json = ends.map(({ id, lease, rest }) => `{"id":${asciiJson(id)},"lease":${lease},${rest}`)
        for (const end of ends) this.#keep(end)
        await this.#node.send('task_ends', new JsonText(`[${json.join(',')}]`))
      }
      this.#dropped = 0
    } catch (error) {
      // Why the connection is lost is told by who reads it, and they are sent over the next one.
      if (!(error instanceof OperationalError || (error as Error).name === 'AbortError')) throw error
    } finally {
      this.#isSending = false
      if (this.#waiting.size === 0) this.#whenSent()
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
    this.#sent.set(end.id, end)
    this.#sentBytes += sizeOf(end)
    for (const oldest of this.#sent.values()) {
      if (this.#sentBytes <= MOST_SENT_BYTES && now - oldest.sentAt < SENT_MS) return
      this.#sent.delete(oldest.id)
      this.#sentBytes -= sizeOf(oldest)
    }
  }

  /** What was sent just now may not have arrived: the connection is lost. */
  #takeBack(): void {
    const since = performance.now() - SENT_MS
    const newer = [...this.#waiting.values()]
    const again = [...this.#sent.values()].filter(
      ({ id, sentAt }) => sentAt > since && !this.#waiting.has(id),
    )
    this.#waiting.clear()
    this.#waitingBytes = 0
    this.#sent.clear()
    this.#sentBytes = 0
    for (const end of [...again, ...newer]) this.#wait(end)
  }
}

function sizeOf({ id, rest }: End): number {
  return id.length + rest.length + 100
}
