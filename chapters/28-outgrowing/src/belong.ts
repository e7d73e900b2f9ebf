/** What a program promises the machine that it belongs to. */
import { type Draining, drainFirst, onReload, type ReloadOptions, tellHealth } from '@rpi-cluster/core/daemon'

interface BelongOptions<Config extends object> extends Omit<ReloadOptions<Config>, 'live' | 'apply'> {
  /** What the program is called. */
  program: string
  /** What holds at once when it is read again, and how. Default: nothing does. */
  live?: ReloadOptions<Config>['live']
  apply?: ReloadOptions<Config>['apply']
  /** What is to come to its end before it stops, one after the other. */
  drains: () => (Draining | undefined)[]
  /** How it does. */
  health: () => { healthy: boolean; status: string }
}

/** From now on it reads its configuration again when asked to, finishes what is in work before it stops, and says how it does. */
export async function belongToMachine<Config extends object>(options: BelongOptions<Config>) {
  const { program, drains, health, log } = options
  const reloads = onReload({ live: [], apply: () => {}, ...options })
  const drain = async () => {
    for (const each of drains()) await each?.drain()
  }
  drainFirst({ drain }, { log })
  await tellHealth({ program, log, health: () => ({ ...health(), reloads }) })
}
