/**
 * One message to all who want it. A peer subscribes to a topic; what is published there is encoded once, and written to
 * each at the pace at which it reads. One that does not keep up is nobody else's trouble.
 *
 * @since 0.19.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import { beginningOf } from './envelopes.ts'
import { asciiJson, checkSizeToSend } from './frames.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { send, textOf } from './messages.ts'
import { outboxOf } from './outbox.ts'

/** How large a message may be, in bytes: half of what may wait for a peer, so that there is always room for it. */
const MOST_BYTES = 512 * 1024

/** How much is written at once, in bytes. */
const PIECE_BYTES = 256 * 1024

/** Up to which size text is written as text, in characters. */
const LONGEST_TEXT = 8 * 1024

/** How many bytes may wait for a subscriber, unless told otherwise. */
const DEFAULT_MOST_WAITING_BYTES = 256 * 1024

export interface TopicOptions {
  /**
   * What becomes of a subscriber that does not keep up: it loses the `oldest` messages that wait for it, and is told how
   * many; or it is `cut` off, and may come back. Default: `oldest`.
   */
  lose?: 'oldest' | 'cut'
  /**
   * How much may wait for one subscriber, in bytes, beside what its socket has taken already. Default: 256 KiB. The newest
   * message may wait in any case, however large it is.
   */
  mostWaitingBytes?: number
}

export interface BroadcastOptions {
  /** Where is told that somebody wants a topic that there is not. */
  log: Logger
  /** The topics, by the type that their messages have: `command`. */
  topics: Readonly<Record<string, TopicOptions>>
  /**
   * The handler of `subscribe` for a topic that is none of these, such as that of `Topics`, whose tables are topics, too. It
   * gets the payload as it came. Default: that somebody wants what there is not is told in the log.
   */
  others?: (payload: unknown, peer: Connection) => void
}

/** What `subscribe` may say: a topic, and whether what was published last is wanted at once. */
const wanted = v.union([
  v.pipe(
    v.string(),
    v.transform((topic) => ({ topic, last: false })),
  ),
  v.object({ topic: v.string(), last: v.optional(v.boolean(), false) }),
])

interface Topic {
  readonly name: string
  readonly lose: 'oldest' | 'cut'
  readonly mostWaitingBytes: number
  readonly subscribers: Map<Connection, Subscriber>
  /** What was published in this turn of the event loop: frames, which are ASCII. */
  pending: string[]
  last: string | undefined
}

/** A peer, and what waits for it. */
interface Subscriber {
  readonly peer: Connection
  /** Whether its socket takes no more for now. */
  isFull: boolean
  waiting: string[]
  waitingBytes: number
  missed: number
  /** What happens when its socket has room again. */
  readonly onDrain: () => void
}

/** Messages to all who have subscribed. */
export class Broadcast {
  readonly #others: (payload: unknown, peer: Connection) => void
  /** Whose leaving is noticed already. */
  readonly #watched = new WeakSet<Connection>()
  readonly #topics: ReadonlyMap<string, Topic>

  constructor({ log, topics, others }: BroadcastOptions) {
    this.#others = others ?? ((payload, peer) => tellUnknown(log, payload, peer))
    this.#topics = new Map(
      Object.entries(topics).map(([name, { lose = 'oldest', mostWaitingBytes }]) => [
        name,
        {
          name,
          lose,
          mostWaitingBytes: mostWaitingBytes ?? DEFAULT_MOST_WAITING_BYTES,
          subscribers: new Map(),
          pending: [],
          last: undefined,
        },
      ]),
    )
  }

  /**
   * The handler of `subscribe`: from now on the peer gets what is published on a topic, until it unsubscribes or leaves. Its
   * payload is the topic, or `{topic, last}`: with `last` the message that was published last, if there is one, comes at
   * once. Once is enough. A topic that there is not goes to `others`, or is told in the log.
   */
  readonly subscribe = (payload: unknown, peer: Connection): void => {
    const parsed = v.safeParse(wanted, payload)
    const topic = parsed.success ? this.#topics.get(parsed.output.topic) : undefined
    if (!parsed.success || !topic) {
      this.#others(payload, peer)
      return
    }
    const { subscribers, pending, last } = topic
    if (peer.socket.destroyed) return
    let subscriber = subscribers.get(peer)
    if (!subscriber) {
      subscriber = this.#newSubscriber(topic, peer)
      subscribers.set(peer, subscriber)
      this.#watch(peer)
    }
    // What is published in this very turn comes at its end.
    if (parsed.output.last && last !== undefined && pending.length === 0)
      this.#give(topic, subscriber, [last], last)
  }

  /** The handler of `unsubscribe`: the peer gets no more of this topic. What waits for it is dropped. */
  readonly unsubscribe = (topic: unknown, peer: Connection): void => {
    const known = typeof topic === 'string' ? this.#topics.get(topic) : undefined
    const subscriber = known?.subscribers.get(peer)
    if (!known || !subscriber) return
    known.subscribers.delete(peer)
    // A listener for each time that one unsubscribes and comes back, and what waited with it, would fill the memory.
    peer.socket.off('drain', subscriber.onDrain)
  }

  /** Who has subscribed to a topic. */
  subscribers(topic: string): Connection[] {
    return [...this.#topicOf(topic).subscribers.keys()]
  }

  /**
   * Sends a message to all who have subscribed to a topic, with the topic as its type, at the end of this turn of the event
   * loop: what is published in one turn goes out in one write to each. It never waits.
   *
   * @throws TypeError when the payload has no JSON form, RangeError when there is no such topic
   * @throws FrameError when the message is larger than half a megabyte (524,288 bytes)
   */
  publish(topic: string, payload: unknown): void {
    const known = this.#topicOf(topic)
    if (payload === undefined)
      throw new TypeError('A message must have a payload. With nothing to say, it is null.')
    const json = `${beginningOf(topic)}${asciiJson(payload)}}`
    checkSizeToSend(json.length, MOST_BYTES)
    if (known.pending.length === 0) process.nextTick(() => this.#flush(known))
    known.last = `${json}\r`
    known.pending.push(known.last)
  }

  /** Sees to it that who leaves is no subscriber any more. Once is enough: a peer may come and go as often as it likes. */
  #watch(peer: Connection): void {
    if (this.#watched.has(peer)) return
    this.#watched.add(peer)
    peer.socket.once('close', () => {
      for (const { subscribers } of this.#topics.values()) subscribers.delete(peer)
    })
  }

  #newSubscriber(topic: Topic, peer: Connection): Subscriber {
    const subscriber: Subscriber = {
      peer,
      isFull: false,
      waiting: [],
      waitingBytes: 0,
      missed: 0,
      onDrain: () => {
        subscriber.isFull = false
        this.#catchUp(topic, subscriber)
      },
    }
    return subscriber
  }

  #topicOf(name: string): Topic {
    const topic = this.#topics.get(name)
    if (!topic) throw new RangeError(`There is no topic "${name}".`)
    return topic
  }

  #flush(topic: Topic): void {
    const frames = topic.pending
    topic.pending = []
    for (const piece of inPieces(frames)) {
      // One encoding and one copy of the bytes, however many there are who get them.
      const data = dataOf(piece)
      for (const subscriber of topic.subscribers.values()) this.#give(topic, subscriber, piece, data)
    }
  }

  #give(topic: Topic, subscriber: Subscriber, frames: readonly string[], data: Data): void {
    if (subscriber.isFull || subscriber.peer.socket.writableNeedDrain) this.#keep(topic, subscriber, frames)
    else this.#write(topic, subscriber, data)
  }

  #write(topic: Topic, subscriber: Subscriber, data: Data): void {
    try {
      outboxOf(subscriber.peer).write(data)
    } catch (error) {
      // Why a connection is lost is told by whoever reads it.
      if (!isExpected(error)) throw error
      topic.subscribers.delete(subscriber.peer)
      return
    }
    if (subscriber.peer.socket.writableNeedDrain) this.#waitForRoom(subscriber)
  }

  #waitForRoom(subscriber: Subscriber): void {
    if (subscriber.isFull) return
    subscriber.isFull = true
    subscriber.peer.socket.once('drain', subscriber.onDrain)
  }

  #keep(topic: Topic, subscriber: Subscriber, frames: readonly string[]): void {
    this.#waitForRoom(subscriber)
    for (const frame of frames) {
      subscriber.waiting.push(frame)
      subscriber.waitingBytes += frame.length
    }
    if (subscriber.waitingBytes <= topic.mostWaitingBytes || subscriber.waiting.length === 1) return
    if (topic.lose === 'cut') {
      topic.subscribers.delete(subscriber.peer)
      const { peer, waitingBytes } = subscriber
      peer.fail(
        new OperationalError(
          `Cut off ${peer.peer}: it does not keep up with "${topic.name}", and ${waitingBytes} bytes wait for it.`,
        ),
      )
      return
    }
    let lost = 0
    // The newest stays, even when it is larger than the limit: it is the one that is wanted most.
    while (subscriber.waitingBytes > topic.mostWaitingBytes && lost < subscriber.waiting.length - 1) {
      subscriber.waitingBytes -= subscriber.waiting[lost]?.length ?? 0
      lost += 1
    }
    subscriber.waiting.splice(0, lost)
    subscriber.missed += lost
  }

  /** Gives a subscriber that reads again what has waited for it, and tells how many messages it has missed. */
  #catchUp(topic: Topic, subscriber: Subscriber): void {
    const { peer, missed, waiting } = subscriber
    if (missed > 0) {
      subscriber.missed = 0
      try {
        void send(peer, 'missed', { topic: topic.name, count: missed })?.catch(() => {})
      } catch (error) {
        if (!isExpected(error)) throw error
        return
      }
    }
    subscriber.waiting = []
    subscriber.waitingBytes = 0
    for (const piece of inPieces(waiting)) this.#give(topic, subscriber, piece, dataOf(piece))
  }
}

type Data = string | Uint8Array

/** What is written, made once for all. Node writes a short text faster than bytes, and a long one slower. */
function dataOf(frames: readonly string[]): Data {
  const text = frames.length === 1 ? (frames[0] ?? '') : frames.join('')
  return text.length > LONGEST_TEXT ? Buffer.from(text, 'latin1') : text
}

function tellUnknown(log: Logger, payload: unknown, { peer }: Connection): void {
  log.warn(`${peer} subscribes to ${textOf(payload).slice(0, 100)}, and there is no such topic`)
}

/** Whether it says no more than that a connection is lost, or was closed by a stop. */
function isExpected(error: unknown): boolean {
  return error instanceof OperationalError || (error instanceof Error && error.name === 'AbortError')
}

/** Frames in pieces of what is written at once. */
function* inPieces(frames: readonly string[]): Generator<readonly string[]> {
  let begin = 0
  let bytes = 0
  for (const [index, { length }] of frames.entries()) {
    if (bytes > 0 && bytes + length > PIECE_BYTES) {
      yield frames.slice(begin, index)
      begin = index
      bytes = 0
    }
    bytes += length
  }
  if (begin < frames.length) yield begin === 0 ? frames : frames.slice(begin)
}
