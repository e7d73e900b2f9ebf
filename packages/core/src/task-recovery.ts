/**
 * A queue, made what it was in another process, from what that has written down.
 *
 * @since 0.24.0
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TaskEvent } from './task-journal.ts'
import { setWritten } from './task-notes.ts'
import type { TaskQueue } from './task-queue.ts'

/** For how long nothing else is done meanwhile, in ms. */
const TURN_MS = 10

/**
 * Does what the events say, in order. What does not fit, such as the end of a task that nobody has handed in, is passed over.
 *
 * @internal
 */
export function recover(queue: TaskQueue, events: Iterable<TaskEvent>): void {
  for (const event of events) recoverOne(queue, event)
  queue.forget()
}

/**
 * The same, some of them in each turn of the event loop: who leads has others to speak to meanwhile.
 *
 * @param stop ends it, with a part of them
 * @internal
 */
export async function recoverInTurns(
  queue: TaskQueue,
  events: Iterable<TaskEvent>,
  stop: AbortSignal,
): Promise<void> {
  let since = performance.now()
  for (const event of events) {
    recoverOne(queue, event)
    if (performance.now() - since < TURN_MS) continue
    await nextTurn()
    if (stop.aborted) return
    since = performance.now()
  }
  queue.forget()
}

function recoverOne(queue: TaskQueue, event: TaskEvent): void {
  const task = queue.get(event.id)
  if (task) setWritten(task, event)
  if (event.kind === 'submitted') {
    const demand = queue.demands.of(event.name, event.requires)
    if (!task && demand) queue.add({ ...event, demand })
  } else if (!task) {
    return
  } else if (event.kind === 'tried') {
    queue.restoreTries(task, event)
  } else if (event.kind === 'ended') {
    const { state, result, failure: kind, reason, node, ms, at: date, time, attempts, lost } = event
    const at = time !== undefined && { at: time }
    queue.restoreEnd(task, state, { result, kind, reason, node, ms, date, ...at }, attempts, lost)
  } else {
    queue.retry(task)
  }
}
