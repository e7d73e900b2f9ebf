/** What a seed decides before anything happens to a cluster that keeps a log: how good its network, disks and clocks are, how busy its clients. */
import type { Chance, CLOCKS } from '../simulated/chance.ts'

/** What holds for a whole run. Times in ms. */
export interface DrawnLogWorld {
  /** How many members there are at first. */
  readonly size: number
  readonly electionMs: number
  readonly heartbeatMs: number
  readonly clocks: keyof typeof CLOCKS
  /** The mean of what a message takes. */
  readonly delayMs: number
  /** Which part of the messages is lost, comes twice, and comes very late. */
  readonly loss: number
  readonly doubled: number
  readonly late: number
  /** The mean of what an fsync takes. */
  readonly saveMs: number
  /** The mean of what is between two faults, and how long there are any. */
  readonly faultMs: number
  readonly troubleMs: number
  /** Whether members come, go, and lose their cards. */
  readonly changes: boolean
  /** After how many entries a member takes a snapshot, about, how many it keeps beside it, and how many characters a message has. */
  readonly snapshotEach: number
  readonly kept: number
  readonly batch: number
  readonly clients: number
  /** The mean of what a client waits before it wants something again. */
  readonly restMs: number
}

export function drawLogWorld(chance: Chance): DrawnLogWorld {
  const electionMs = chance.one([150, 300, 1_000])
  return {
    // Three and five are what clusters have.
    size: chance.one([1, 2, 3, 3, 3, 3, 4, 5, 5]),
    electionMs,
    heartbeatMs: electionMs / chance.one([4, 6, 10]),
    clocks: chance.one(['exact', 'assumed', 'assumed', 'wild'] as const),
    delayMs: electionMs * chance.one([0.002, 0.01, 0.03]),
    loss: chance.one([0, 0, 0.05, 0.2]),
    doubled: chance.one([0, 0.1]),
    late: chance.one([0, 0.02, 0.1]),
    saveMs: electionMs * chance.one([0.001, 0.01, 0.05]),
    faultMs: electionMs * chance.one([0.3, 1, 3]),
    troubleMs: electionMs * chance.between(5, 40),
    changes: chance.is(0.6),
    snapshotEach: chance.one([3, 10, 30, 1_000]),
    kept: chance.one([0, 3, 20]),
    batch: chance.one([1, 600, 100_000]),
    clients: chance.whole(2, 4),
    restMs: electionMs * chance.one([0.05, 0.2, 0.5]),
  }
}

/** For people: what a trace begins with. */
export function toldOfLogWorld(world: DrawnLogWorld): string {
  const part = (of: number) => `${Math.round(100 * of)}%`
  return [
    `${world.size} members${world.changes ? ', who change' : ''}; elections after ${world.electionMs} to ${2 * world.electionMs} ms, a heartbeat each ${Math.round(world.heartbeatMs)} ms; clocks ${world.clocks}`,
    `messages take ${world.delayMs.toFixed(1)} ms; ${part(world.loss)} lost, ${part(world.doubled)} doubled, ${part(world.late)} very late; an fsync takes ${world.saveMs.toFixed(1)} ms`,
    `a snapshot each ${world.snapshotEach} entries, ${world.kept} kept beside it; ${world.clients} clients, who rest for ${world.restMs.toFixed(0)} ms`,
  ].join('\n')
}
