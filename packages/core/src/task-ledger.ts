/**
 * The tasks of a cluster as a state machine: what 25's store keeps on one disk, each member of a replicated log keeps in
 * memory, made of the log's entries. It is the same on all of them, and whoever leads goes on with it.
 *
 * @since 0.27.0
 */
import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { OperationalError } from './lifecycle.ts'
import type { MachineEntry, StateMachine } from './state-machine.ts'
import type { TaskEvent } from './task-journal.ts'
import { KEPT } from './task-log-table.ts'
import { taskId } from './task-states.ts'

/** How long a piece of a snapshot is, in characters. */
const PIECE = 64 * 1024

/** How much of what is wrong a text shows, in characters. */
const SHOWN = 50

/** The first line of a snapshot. What is written in another form has another one. */
const FORMAT = 'tasks 1'

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const text = v.optional(v.string())

/** What another version adds to an event is kept as it is: a member that does not know it has the same state. */
const taskEvent = v.variant('kind', [
  v.looseObject({
    ...{ kind: v.literal('submitted'), id: taskId, name: v.string(), input: v.string(), by: v.string() },
    ...{ group: text, requires: v.optional(v.array(v.string())), at: v.number() },
  }),
  v.looseObject({
    ...{ kind: v.literal('tried'), id: taskId, attempts: whole, lost: whole },
    ...{ node: text, until: v.optional(v.number()) },
    gone: v.optional(v.array(v.looseObject({ node: v.string(), isCounted: v.boolean() }))),
  }),
  v.looseObject({
    ...{ kind: v.literal('ended'), id: taskId, state: v.picklist(['done', 'failed', 'cancelled']) },
    ...{ result: text, failure: text, reason: text, node: text },
    ...{ attempts: whole, lost: whole, ms: v.optional(v.number()), at: v.number() },
  }),
  v.looseObject({ kind: v.literal('retried'), id: taskId }),
])

/** How a task ended. */
interface End {
  /** By which entry of the log, at which place in it. */
  readonly index: number
  readonly place: number
  /** When, in ms of the cluster's time. */
  readonly time: number
  readonly hasFailed: boolean
  /** Whether it is known only since it has failed: all else that ended then is forgotten. */
  readonly isOld: boolean
}

/** A task. Nothing of it changes, since a snapshot may have it: what happens to it makes another one. */
interface Known {
  readonly id: string
  /** Its events, as JSON: that it was submitted, and how it was tried last or how it ended, if there is such a one. */
  readonly events: readonly [submitted: string, last?: string]
  readonly end: End | undefined
}

/** Tasks that have ended by one entry of the log. */
export interface LedgerEnds {
  /** The entry's place in the log. */
  readonly index: number
  /** For each task two events: that it was submitted, and that it has ended. */
  readonly events: readonly TaskEvent[]
}

export interface TaskLedgerOptions {
  /**
   * Called with what has ended by an entry, when that is applied; and when a snapshot is restored, with all that it knows of
   * that. So the same may come again after a restart, with the same index.
   */
  ended?: ((ends: LedgerEnds) => void) | undefined
}

/**
 * All tasks of a cluster that matter: those that have not ended, and those that have within an hour of the cluster's time, the
 * newest 100,000 and 64 MiB of them; the newest 100 that have failed are kept for longer.
 *
 * The data of an entry is a list of events, as JSON. One that is none, or that does not fit (the end of a task that nobody has
 * handed in, or of one that has ended), changes nothing. A task that is submitted again before it has ended is one task; one
 * that has ended is a new one, since whoever leads knew nothing of it any more.
 */
export class TaskLedger implements StateMachine {
  readonly #ended: TaskLedgerOptions['ended']
  /** In the order in which they were submitted. */
  readonly #tasks = new Map<string, Known>()
  /** What has ended of late, the oldest first, from a place on; with some that are not what is known any more. */
  #recent: Ended[] = []
  #first = 0
  #recentCount = 0
  #recentFailed = 0
  #recentBytes = 0
  readonly #oldFailed = new Map<string, Ended>()

  constructor({ ended }: TaskLedgerOptions = {}) {
    this.#ended = ended
  }

  /** How many are known. */
  get size(): number {
    return this.#tasks.size
  }

  /** How many of them have not ended. */
  get open(): number {
    return this.#tasks.size - this.#recentCount - this.#oldFailed.size
  }

  apply({ index, time, data }: MachineEntry): void {
    const ends: TaskEvent[] = []
    for (const [place, event] of listIn(data).entries()) {
      if (!isEvent(event)) continue
      const known = this.#tasks.get(event.id)
      if (event.kind === 'submitted') this.#submit(event, known)
      else if (!known) continue
      else if (event.kind === 'retried') this.#retry(known)
      else if (known.end) continue
      else if (event.kind === 'tried') this.#tasks.set(known.id, withLast(known, event))
      else {
        const end = { index, place, time, hasFailed: event.state === 'failed', isOld: false }
        this.#end({ ...withLast(known, event), end })
        if (this.#ended) ends.push(JSON.parse(known.events[0]), event)
      }
    }
    this.#forget(time)
    if (ends.length > 0) this.#ended?.({ index, events: ends })
  }

  /**
   * What a queue goes on with: what was submitted, in order, and how it was tried last; then what has ended, in the order in
   * which it did, with the cluster's time of that. What is known only since it has failed has none, so that whoever leads next
   * knows it for an hour, too.
   */
  *events(): Generator<TaskEvent, void, void> {
    for (const { events, end } of this.#tasks.values()) {
      yield JSON.parse(events[0])
      if (!end && events[1] !== undefined) yield JSON.parse(events[1])
    }
    for (const known of this.#allEnded()) {
      const { time, isOld } = known.end
      yield { ...endOf(known), ...(!isOld && { time }) }
    }
  }

  /** What members have alike that have applied the same entries: the SHA-256 of all that is known, in hexadecimal digits. */
  hash(): string {
    const hash = createHash('sha256')
    for (const piece of this.snapshot()) hash.update(piece)
    return hash.digest('hex')
  }

  snapshot(): Iterable<string> {
    return piecesOf([...this.#tasks.values()])
  }

  restore(pieces: Iterable<string>): void {
    const lines = linesIn(pieces)
    const first = lines.next().value ?? ''
    if (first !== FORMAT)
      throw new OperationalError(
        `A snapshot of tasks cannot be read: it begins with ${JSON.stringify(first.slice(0, SHOWN))}, and not with "${FORMAT}". Was it made by a later version of this program?`,
      )
    this.#tasks.clear()
    this.#recent = []
    this.#first = 0
    this.#recentCount = 0
    this.#recentFailed = 0
    this.#recentBytes = 0
    this.#oldFailed.clear()
    const ended: Ended[] = []
    for (const line of lines) {
      const known = knownIn(line)
      this.#tasks.set(known.id, known)
      if (hasEnded(known)) ended.push(known)
    }
    ended.sort(({ end: one }, { end: other }) => one.index - other.index || one.place - other.place)
    for (const known of ended) this.#end(known)
    this.#tellAll()
  }

  #submit(event: TaskEvent, known: Known | undefined): void {
    if (known && !known.end) return
    if (known) this.#drop(known)
    this.#tasks.set(event.id, { id: event.id, events: [JSON.stringify(event)], end: undefined })
  }

  /** It waits behind all others, as if it had just come. */
  #retry(known: Known): void {
    if (!known.end?.hasFailed) return
    this.#drop(known)
    this.#tasks.set(known.id, { id: known.id, events: [known.events[0]], end: undefined })
  }

  #end(known: Ended): void {
    this.#tasks.set(known.id, known)
    if (known.end.isOld) {
      this.#oldFailed.set(known.id, known)
      return
    }
    this.#recent.push(known)
    this.#count(known, 1)
  }

  #drop(known: Known): void {
    this.#tasks.delete(known.id)
    if (hasEnded(known) && !this.#oldFailed.delete(known.id)) this.#count(known, -1)
  }

  #count({ events, end }: Ended, by: 1 | -1): void {
    this.#recentCount += by
    this.#recentFailed += end.hasFailed ? by : 0
    for (const event of events) this.#recentBytes += by * (event?.length ?? 0)
  }

  /** Lets go of what has ended long ago, or is too much: as 25's store does, and after each entry, so that all do it alike. */
  #forget(now: number): void {
    for (let oldest = this.#oldest(); oldest; oldest = this.#oldest()) {
      const isKept =
        oldest.end.time > now - KEPT.ms && this.#recentBytes <= KEPT.bytes && this.#recentCount <= KEPT.count
      if (isKept) break
      this.#first += 1
      if (oldest.end.hasFailed) {
        this.#count(oldest, -1)
        this.#end({ ...oldest, end: { ...oldest.end, isOld: true } })
      } else this.#drop(oldest)
    }
    for (const oldest of this.#oldFailed.values()) {
      if (this.#oldFailed.size + this.#recentFailed <= KEPT.failed) break
      this.#drop(oldest)
    }
  }

  /** What has ended first of all that is recent. */
  #oldest(): Ended | undefined {
    while (this.#first < this.#recent.length) {
      const known = this.#recent[this.#first] as Ended
      if (this.#tasks.get(known.id) === known) return known
      this.#first += 1
    }
    this.#recent = []
    this.#first = 0
    return undefined
  }

  /** The oldest first. */
  #allEnded(): Ended[] {
    const recent = this.#recent.slice(this.#first).filter((known) => this.#tasks.get(known.id) === known)
    return [...this.#oldFailed.values(), ...recent]
  }

  #tellAll(): void {
    let events: TaskEvent[] = []
    let index = 0
    const tell = () => {
      if (events.length > 0) this.#ended?.({ index, events })
      events = []
    }
    for (const known of this.#ended ? this.#allEnded() : []) {
      if (known.end.index !== index) tell()
      index = known.end.index
      events.push(JSON.parse(known.events[0]), endOf(known))
    }
    tell()
  }
}

type Ended = Known & { readonly end: End }

function hasEnded(known: Known): known is Ended {
  return known.end !== undefined
}

function withLast({ id, events: [submitted] }: Known, last: TaskEvent): Known {
  return { id, events: [submitted, JSON.stringify(last)], end: undefined }
}

function endOf({ events }: Ended): TaskEvent & { kind: 'ended' } {
  return JSON.parse(events[1] as string)
}

function isEvent(value: unknown): value is TaskEvent {
  return v.is(taskEvent, value)
}

/** The list that an entry has; nothing when it has none. */
function listIn(data: string): unknown[] {
  try {
    const list: unknown = JSON.parse(data)
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}

/**
 * Tasks as text: a line for each, in which a tab stands between its end, as JSON, and its events. In JSON stand neither tabs
 * nor ends of lines.
 */
function* piecesOf(tasks: readonly Known[]): Generator<string, void, void> {
  let piece = `${FORMAT}\n`
  for (const { end, events } of tasks) {
    const how = end && [end.index, end.place, end.time, Number(end.hasFailed), Number(end.isOld)]
    piece += `${JSON.stringify(how ?? [])}\t${events.join('\t')}\n`
    for (; piece.length >= PIECE; piece = piece.slice(PIECE)) yield piece.slice(0, PIECE)
  }
  yield piece
}

/** The lines of which the last one, and each other one, has its end. */
function* linesIn(pieces: Iterable<string>): Generator<string, void, void> {
  let begun = ''
  for (const piece of pieces) {
    const [end = '', ...others] = piece.split('\n')
    begun += end
    for (const next of others) {
      yield begun
      begun = next
    }
  }
}

function knownIn(line: string): Known {
  const [how = '', ...events] = line.split('\t')
  const [index, place, time, hasFailed, isOld] = JSON.parse(how)
  return {
    id: JSON.parse(events[0] as string).id,
    events: events as unknown as Known['events'],
    end:
      index === undefined
        ? undefined
        : { index, place, time, hasFailed: hasFailed === 1, isOld: isOld === 1 },
  }
}
