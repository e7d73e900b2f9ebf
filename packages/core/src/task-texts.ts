/**
 * What is said of tasks, as JSON. Inputs and results are JSON already, and go out as they came in.
 *
 * @since 0.24.0
 */
import { asciiJson } from './frames.ts'
import type { Shown, Task } from './task-records.ts'
import { MOST_TASK_BYTES } from './task-states.ts'

/** What a task is of which a journal has only that it was taken. */
const UNTRIED: Shown = { state: 'waiting', attempts: 0, lost: 0 }

/**
 * A task as its worker gets it.
 *
 * @internal
 */
export function taskJson({ id, line, input, attempts, lease }: Task): string {
  return `{"id":"${id}","lease":${lease?.number},"name":"${line.demand.name}","input":${input},"attempt":${attempts}}`
}

/**
 * What may be said of a task: what it is; and where that is not durable yet, what it was before. Nobody is to count on what
 * a power cut, or another one who leads, could undo.
 *
 * @internal
 */
export function shownOf(task: Task): Shown {
  if (task.noted) return task.written ?? UNTRIED
  const { state, attempts, lost, lease, past, ending: { node: last, ms, result, kind, reason } = {} } = task
  const node = lease?.worker.name ?? last ?? past?.at(-1)?.node
  return { state, attempts, lost, node, progress: lease?.progress, ms, result, kind, reason }
}

/**
 * Whether a task has not ended, for all who ask.
 *
 * @internal
 */
export function isShownOpen(task: Task): boolean {
  const { state } = shownOf(task)
  return state === 'waiting' || state === 'running'
}

/**
 * A task's state. Its id and its name need no escaping.
 *
 * @internal
 */
export function stateJson(task: Task): string {
  const { id, line, group } = task
  const { state, attempts, lost, node, progress, ms, result, kind, reason } = shownOf(task)
  const lasts = `${pair('progress', progress)}${pair('ms', ms)}${raw('result', result)}${pair('kind', kind)}${pair('reason', reason)}`
  return `{"id":"${id}","name":"${line.demand.name}"${pair('group', group?.name)},"by":${asciiJson(line.lane.by)},"state":"${state}"${pair('node', node)},"attempts":${attempts},"lost":${lost}${lasts}}`
}

/**
 * Something as JSON, or why it cannot be one here.
 *
 * @internal
 */
export function jsonOf(value: unknown): { json: string } | { kind: 'too large' | 'no JSON'; reason: string } {
  if (value === null || value === undefined) return { json: 'null' }
  let json: string
  try {
    json = asciiJson(value)
  } catch (error) {
    // What JSON.parse has read may be nested too deeply to be written.
    return { kind: 'no JSON', reason: error instanceof RangeError ? 'it is nested too deeply' : `${error}` }
  }
  if (json.length <= MOST_TASK_BYTES) return { json }
  return { kind: 'too large', reason: `it has ${json.length} bytes, and ${MOST_TASK_BYTES} are the most` }
}

function pair(key: string, value: unknown): string {
  return value === undefined ? '' : `,"${key}":${asciiJson(value)}`
}

function raw(key: string, json: string | undefined): string {
  return json === undefined ? '' : `,"${key}":${json}`
}
