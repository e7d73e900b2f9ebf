/**
 * How much memory another process takes, as Linux counts it: looked at often, it costs some microseconds.
 *
 * @since 0.24.0
 */
import { readFileSync } from 'node:fs'

/**
 * What a process takes, in bytes.
 *
 * @internal
 */
export interface TakenMemory {
  /** What is in memory. */
  resident: number
  /** What it may write to at any moment without asking again, also where it has not yet: a Buffer that was never filled. */
  reserved: number
}

let pageBytes: number | undefined

/**
 * What a process takes.
 *
 * @returns nothing where the process is not there any more, or the system does not say
 * @internal
 */
export function memoryOf(pid: number): TakenMemory | undefined {
  const [, resident, , , , data] = pagesOf(pid) ?? []
  if (resident === undefined || data === undefined) return undefined
  pageBytes ??= sizeOfPage()
  return { resident: resident * pageBytes, reserved: data * pageBytes }
}

/** The numbers of statm (proc_pid_statm(5)): size, resident, shared, text, lib, data, dt. */
function pagesOf(pid: number | 'self'): number[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number)
  } catch {
    return undefined
  }
}

/** A Pi 5 has pages of 16 KiB, other machines have 4. Node does not tell, but counts this process in bytes. */
function sizeOfPage(): number {
  const [, resident = 1] = pagesOf('self') ?? []
  return 2 ** Math.round(Math.log2(process.memoryUsage.rss() / resident))
}
