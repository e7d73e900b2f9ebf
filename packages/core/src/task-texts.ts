/**
 * What is said of tasks, as JSON. Inputs and results are JSON already, and go out as they came in.
 *
 * @since 0.24.0
 */
import { asciiJson } from './frames.ts'
import type { Task } from './task-records.ts'
import { MOST_TASK_BYTES } from './task-states.ts'

/**
 * A task as its worker gets it.
 *
 * @internal
 */
export function taskJson({ id, line, input, attempts, lease }: Task): string {
  return `{"id":"${id}","lease":${lease?.number},"name":"${line.demand.name}","input":${input},"attempt":${attempts}}`
}

/**
 * A task's state. Its id and its name need no escaping.
 *
 * @internal
 */
export function stateJson({ id, line, group, state, attempts, lost, lease, past, ending }: Task): string {
  const node = lease?.worker.name ?? ending?.node ?? past?.at(-1)?.node
  const lasts = `${pair('progress', lease?.progress)}${pair('ms', ending?.ms)}${raw('result', ending?.result)}${pair('kind', ending?.kind)}${pair('reason', ending?.reason)}`
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
