/** What each test costs the processor, its own processes included: noted with the test, for the report of them all. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** In ms of processor time: this worker's, and that of the programs that ended meanwhile. */
    cpuMs?: number
  }
}

/** The Linux kernel counts these times in hundredths of a second (USER_HZ). */
const TICK_MS = 10

let before = 0
beforeEach(() => {
  before = cpuMs()
})
afterEach(({ task }) => {
  task.meta.cpuMs = cpuMs() - before
})

/** The time of this process, and of its children that have ended: utime, stime, cutime and cstime of proc(5). */
function cpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS
}
