/** What a seed decides before anything happens: how many members, how good their network, their disks and their clocks are. */

import { type Chance, CLOCKS } from '../simulated/chance.ts'

/** What holds for a whole run. Times in ms. */
export interface DrawnWorld {
  readonly members: readonly string[]
  readonly electionMs: number
  readonly heartbeatMs: number
  readonly clocks: keyof typeof CLOCKS
  /** How fast each member's clock goes. */
  readonly rates: readonly number[]
  /** The mean of what a message takes. */
  readonly delayMs: number
  /** Whether each takes just that, and each saving as well: then nothing but what members draw tells them apart. */
  readonly isEven: boolean
  /** Which part of the messages is lost, comes twice, and comes very late. */
  readonly loss: number
  readonly doubled: number
  readonly late: number
  /** The mean of what it takes to save something. */
  readonly saveMs: number
  /** The mean of what is between two faults, and how long there are any. */
  readonly faultMs: number
  readonly troubleMs: number
  /** Each member's last entry: they are the same in most worlds. */
  readonly logs: readonly { term: number; index: number }[]
}

export function drawWorld(chance: Chance): DrawnWorld {
  // Three and five are what clusters have.
  const size = chance.one([1, 2, 3, 3, 3, 4, 5, 5, 6, 7])
  const members = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  const electionMs = chance.one([150, 300, 1_000])
  const clocks = chance.one(['exact', 'assumed', 'assumed', 'wild'] as const)
  const [slowest, fastest] = CLOCKS[clocks]
  const haveSameLogs = chance.is(0.7)
  return {
    members,
    electionMs,
    heartbeatMs: electionMs / chance.one([4, 6, 10]),
    clocks,
    rates: members.map(() => chance.between(slowest, fastest)),
    delayMs: electionMs * chance.one([0.002, 0.01, 0.03]),
    isEven: chance.is(0.1),
    loss: chance.one([0, 0, 0.05, 0.2]),
    doubled: chance.one([0, 0.1]),
    late: chance.one([0, 0.02, 0.1]),
    saveMs: electionMs * chance.one([0.001, 0.01, 0.05]),
    faultMs: electionMs * chance.one([0.3, 1, 3]),
    troubleMs: electionMs * chance.between(5, 25),
    logs: members.map(() =>
      haveSameLogs ? { term: 0, index: 0 } : { term: chance.whole(0, 1), index: chance.whole(0, 2) },
    ),
  }
}

/** For people: what a trace begins with. */
export function toldOfWorld(world: DrawnWorld): string {
  const part = (of: number) => `${Math.round(100 * of)}%`
  return [
    `${world.members.length} members; elections after ${world.electionMs} to ${2 * world.electionMs} ms, a heartbeat each ${Math.round(world.heartbeatMs)} ms`,
    `clocks ${world.clocks}: ${world.rates.map((rate) => rate.toFixed(2)).join(', ')}`,
    `messages take ${world.delayMs.toFixed(1)} ms${world.isEven ? ', all of them' : ''}; ${part(world.loss)} lost, ${part(world.doubled)} doubled, ${part(world.late)} very late; saving takes ${world.saveMs.toFixed(1)} ms`,
    `logs end at ${world.logs.map(({ term, index }) => `${term}/${index}`).join(', ')}`,
  ].join('\n')
}
