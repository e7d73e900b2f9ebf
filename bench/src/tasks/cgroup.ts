/** Holding processes to a share of a core: what a slow machine is like, on one that is not. Linux, and root, can. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where control groups are: as the second version has them, or the first. */
const UNIFIED = '/sys/fs/cgroup'
const FIRST = '/sys/fs/cgroup/cpu'

/** How long a turn of the scheduler's accounts is, in µs: its default. */
const PERIOD = 100_000

export interface Group {
  /** Takes a process in, with all that it starts from now on. */
  add(pid: number | undefined): void
  /** Takes the group away, once its processes have ended. */
  end(): Promise<void>
}

/**
 * A group of processes that together may take a share of one core, and get it whatever else the machine has to do.
 *
 * @throws Error when this machine cannot, or does not let this user
 */
export function heldTo(name: string, share: number): Group {
  const isUnified = readIf(join(UNIFIED, 'cgroup.controllers')).includes('cpu')
  if (!isUnified && !existsSync(join(FIRST, 'cpu.cfs_quota_us')))
    throw new Error('there is no control group here that can hold a process to a share of a core')
  const folder = join(isUnified ? UNIFIED : FIRST, `bench-${process.pid}-${name}`)
  const quota = Math.round(share * PERIOD)
  if (isUnified) writeFileSync(join(UNIFIED, 'cgroup.subtree_control'), '+cpu')
  mkdirSync(folder)
  if (isUnified) {
    writeFileSync(join(folder, 'cpu.max'), `${quota} ${PERIOD}`)
    writeFileSync(join(folder, 'cpu.weight'), '10000')
  } else {
    writeFileSync(join(folder, 'cpu.cfs_period_us'), String(PERIOD))
    writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota))
    writeFileSync(join(folder, 'cpu.shares'), '262144')
  }
  return {
    add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    async end() {
      while (readIf(join(folder, 'cgroup.procs')) !== '') await sleep(10)
      rmdirSync(folder)
    },
  }
}

function readIf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
