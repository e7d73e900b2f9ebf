/** What memory a process has, where the system tells: on Linux. */
import { readFileSync, writeFileSync } from 'node:fs'

export class MemoryWatch {
  readonly #pid: number
  readonly #before: number | undefined

  /** Begins to watch a process. */
  constructor(pid: number) {
    this.#pid = pid
    this.#before = memory(pid, 'VmRSS')
    if (this.#before !== undefined) writeFileSync(`/proc/${pid}/clear_refs`, '5') // VmHWM is the peak from now on
  }

  /** How much more it had at its peak than when the watch began, in bytes. 0 where the system does not tell. */
  get more(): number {
    return (memory(this.#pid, 'VmHWM') ?? 0) - (this.#before ?? 0)
  }
}

/** A line of /proc/PID/status, in bytes. */
function memory(pid: number, key: 'VmRSS' | 'VmHWM'): number | undefined {
  if (process.platform !== 'linux') return undefined
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return 1024 * Number(new RegExp(`^${key}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1])
}
