/** A log of tasks on files in memory, and what is expected of it. */
import { OperationalError } from '../src/lifecycle.ts'
import type { TaskEvent } from '../src/task-journal.ts'
import type { TaskLog } from '../src/task-log.ts'
import { decodeEvent, encodeEvents } from '../src/task-log-event.ts'
import { type LogOptions, openTaskLog } from '../src/task-log-open.ts'
import type { FilesInMemory } from './files-in-memory.ts'

export const FOLDER = '/state/tasks'
export const BEGIN = 1_700_000_000_000
export const MINUTE = 60_000

export interface OpenedLog {
  log: TaskLog
  events: TaskEvent[]
  warnings: string[]
}

/** Opens a log of short pieces. */
export async function opened(files: FilesInMemory, options: Partial<LogOptions> = {}): Promise<OpenedLog> {
  const warnings: string[] = []
  const log = await openTaskLog({
    folder: FOLDER,
    files,
    keep: { days: 30, mostMb: 300 },
    segmentBytes: 4096,
    historyBytes: 2048,
    warn: (line) => warnings.push(line),
    ...options,
  })
  return { log, events: await eventsOf(log), warnings }
}

export async function eventsOf(log: TaskLog): Promise<TaskEvent[]> {
  const events: TaskEvent[] = []
  for await (const contents of log.recovered()) events.push(...contents.map(decodeEvent))
  return events
}

export function commit(log: TaskLog, ...events: TaskEvent[]): Promise<void> {
  return log.commit(encodeEvents(events))
}

export function submitted(
  id: string | number,
  at = BEGIN,
  input = `{"tile":${JSON.stringify(id)}}`,
): TaskEvent {
  return {
    kind: 'submitted',
    id: String(id),
    name: 'mandelbrot',
    input,
    by: 'submitter',
    group: 'picture',
    at,
  }
}

export function tried(id: string | number): TaskEvent {
  return { kind: 'tried', id: String(id), attempts: 1, lost: 0, node: 'secondary-1' }
}

export function ended(
  id: string | number,
  at = BEGIN,
  state: 'done' | 'failed' | 'cancelled' = 'done',
): TaskEvent {
  const how =
    state === 'failed' ? { failure: 'threw', reason: 'no such tile' } : { result: `"${'x'.repeat(40)}"` }
  return {
    kind: 'ended',
    id: String(id),
    state,
    ...how,
    node: 'secondary-1',
    attempts: 1,
    lost: 0,
    ms: 12,
    at,
  }
}

/** What a run does: some commits, of several events each, of which the tasks of the first are never done. */
export function* commitsOf(random: () => number, count: number): Generator<TaskEvent[], void, void> {
  const waiting: string[] = []
  let [id, at] = [0, BEGIN]
  for (let commit = 0; commit < count; commit += 1) {
    const events: TaskEvent[] = []
    for (let event = Math.floor(random() * 4); event >= 0; event -= 1) {
      at += 5 * MINUTE
      const [task] = random() < 0.55 ? waiting.splice(Math.floor(random() * waiting.length), 1) : []
      if (task === undefined) {
        id += 1
        // Some are too long to be copied into the mark.
        const input = id % 12 === 5 ? `"${'long'.repeat(17_000)}"` : undefined
        events.push(submitted(id, at, input))
        if (id > 3) waiting.push(String(id))
      } else events.push(tried(task), ended(task, at, random() < 0.2 ? 'failed' : 'done'))
    }
    yield events
  }
}

/** An event as a text that is the same for the same event. */
export function keyOf(event: TaskEvent): string {
  return JSON.stringify(Object.entries(event).sort(([one], [other]) => (one < other ? -1 : 1)))
}

/**
 * Why what was recovered cannot be right, when of these events, in order, at least so many were acknowledged; undefined when
 * it is.
 *
 * @param places where each event stands, by its {@link keyOf}
 */
export function wrongOf(
  recovered: readonly TaskEvent[],
  events: readonly TaskEvent[],
  places: ReadonlyMap<string, number>,
  acknowledged: number,
): string | undefined {
  let [taken, before] = [acknowledged, -1]
  const there = new Set<number>()
  for (const event of recovered) {
    const place = places.get(keyOf(event))
    if (place === undefined) return `invented: ${keyOf(event).slice(0, 200)}`
    if (place <= before) return `in another order: ${keyOf(event).slice(0, 200)}`
    there.add(place)
    taken = Math.max(taken, place + 1)
    before = place
  }
  // What has not ended by then is there as a whole; of the rest, what ended within an hour.
  const told = events.slice(0, taken)
  const now = told.findLast((event) => 'at' in event) as { at: number } | undefined
  const endedAt = new Map(told.map((event) => [event.id, event.kind === 'ended' ? event.at : undefined]))
  for (const [place, event] of told.entries()) {
    const end = endedAt.get(event.id)
    if (end !== undefined && end <= (now?.at ?? 0) - 60 * MINUTE) continue
    if (!there.has(place)) return `lost: ${keyOf(event).slice(0, 200)}`
  }
  return undefined
}

export function placesOf(events: readonly TaskEvent[]): Map<string, number> {
  return new Map(events.map((event, place) => [keyOf(event), place]))
}

/** What was recovered of these files; or in which words that was refused. */
export async function triedOn(
  files: FilesInMemory,
): Promise<{ events: TaskEvent[]; log: TaskLog; warnings: string[] } | { refused: string }> {
  try {
    return await opened(files)
  } catch (error) {
    if (error instanceof OperationalError) return { refused: error.message }
    throw error
  }
}
