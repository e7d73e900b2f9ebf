import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { max, median } from 'simple-statistics'
import type { Sample } from '../measurement.ts'
import type { Elector } from './elector.ts'
import { etcd } from './etcd.ts'
import { ours } from './ours.ts'

/** How often the leader goes, in a round: by turns it is killed and frozen. */
const TIMES = 20

/** For how long all is well before that, in ms at least, and how much longer at random: so that it goes at any moment between heartbeats. */
const CALM_MS = 500
const MOMENT_MS = 100

/** How long it takes until there is another leader, ours and etcd's by turns, in s. */
export async function failovers(hasEtcd: boolean, progress: (what: string) => void): Promise<Sample> {
  const electors: Record<string, Elector> = { ours: await ours(), ...(hasEtcd && { etcd: await etcd() }) }
  const took: Record<string, Record<string, number[]>> = {}
  try {
    for (let count = 1; count <= TIMES; count += 1) {
      const how = count % 2 === 0 ? 'killed' : 'frozen'
      for (const [name, elector] of Object.entries(electors)) {
        progress(`elections: ${name}, ${count} of ${TIMES}`)
        const seconds = await failover(elector, how)
        took[name] ??= {}
        took[name][how] = [...(took[name][how] ?? []), seconds]
      }
    }
  } finally {
    for (const elector of Object.values(electors)) elector.end()
  }
  const figures = Object.entries(took).flatMap(([name, { killed = [], frozen = [] }]) => [
    [name, median([...killed, ...frozen])],
    [`${name} killed`, median(killed)],
    [`${name} frozen`, median(frozen)],
    [`${name} worst`, max([...killed, ...frozen])],
  ])
  return Object.fromEntries(figures)
}

async function failover(elector: Elector, how: 'killed' | 'frozen'): Promise<number> {
  const leader = await elector.settled()
  await sleep(CALM_MS + Math.random() * MOMENT_MS)
  const process = elector.process(leader.name)
  const began = performance.now()
  process.kill(how === 'killed' ? 'SIGKILL' : 'SIGSTOP')
  await elector.anotherLeads(leader)
  const seconds = (performance.now() - began) / 1_000
  if (how === 'frozen') process.kill('SIGCONT')
  else {
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit')
    await elector.restart(leader.name)
  }
  return seconds
}
