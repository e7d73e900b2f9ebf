/** Tasks for tests, and what does them: as JavaScript, since processes of that start in a fifth of the time. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as source from '../src/worker.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import type * as parts from './fixtures/worker-parts.ts'
import { recordingLog, stopAfterTest } from './support.ts'

const { TaskPool, ...others }: typeof parts = await import(join(BUILT_FIXTURES, 'worker-parts.js'))
export const { ConnectingNode, ListeningNode, send, TaskWorker } = others
export const { tasks }: { tasks: source.TaskDefinitions } = await import(join(BUILT_FIXTURES, 'tasks.js'))
export const file = pathToFileURL(join(BUILT_FIXTURES, 'tasks.js'))

export const PATIENCE = { timeout: 25_000, interval: 5 }

let lastId = 0

/** A pool, and a shorter way to have something done by it. */
export function aPool(options: Partial<source.TaskPoolOptions> = {}) {
  const stopping = options.stop ? new AbortController() : stopAfterTest()
  const { log, records } = recordingLog()
  const pool = new TaskPool({ file, tasks, children: 1, log, stop: stopping.signal, ...options })
  const run = async (name: string, input: unknown = null, more: source.RunOptions = {}) => {
    lastId += 1
    return JSON.parse(
      await pool.run({ id: `t${lastId}`, name, input: JSON.stringify(input), attempt: 1 }, more),
    )
  }
  /** What comes of it, as `kind: message` where it fails. */
  const outcome = (name: string, input: unknown = null, more: source.RunOptions = {}): Promise<unknown> =>
    run(name, input, more).catch(({ kind, message }) => `${kind}: ${message}`)
  const lines = () => records.map(({ level, msg }) => `${level} ${msg}`)
  return { pool, run, outcome, lines, stopping }
}

/** Whether a process is there, and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
