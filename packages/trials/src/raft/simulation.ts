/**
 * One run of a cluster in which everything comes from one seed: the world, what goes wrong in it, and each number that a member
 * draws. While there is trouble, what must never happen is looked for at each step. Then all heals, and what must happen at last
 * is waited for.
 */
import { randomBy } from '@rpi-cluster/tutorial/lab/random'
import { BrokenRule } from '../simulated/broken-rule.ts'
import { Chance } from '../simulated/chance.ts'
import { drawWorld, toldOfWorld } from './drawn-world.ts'
import type { Machine } from './machine.ts'
import { endTrouble, makeTrouble } from './trouble.ts'
import { type Raft, World } from './world.ts'

/**
 * Within how many rounds there is a leader when nothing goes wrong any more. A round is the longest time-out there is, 2 times
 * `electionMs` on the slowest clock: each member stands once in it. It fails when two of them stand before they have heard of
 * each other, and each further round is needed about ten times more seldom than the one before. While a fifth of all messages is
 * lost, two members lose a leader again as well, of whom they hear nothing four times in a row.
 */
const MOST_ROUNDS = 10
const MOST_ROUNDS_WITH_LOSS = 30

/** What came of a run. */
export interface Outcome {
  readonly seed: number
  /** Which rule was broken, how, and when. */
  readonly broken?: string
  readonly steps: number
  readonly leaders: number
  /** How long it took until all followed one leader, after all was healed: in parts of `electionMs`. */
  readonly settledAfter?: number
  /** Whether messages were still lost then, and how often the leader changed meanwhile. */
  readonly isLossy: boolean
  readonly needless: number
}

/** Runs the cluster of a seed. */
export function simulate(raft: Raft, seed: number, tell?: (line: string) => void): Outcome {
  const chance = new Chance(randomBy(seed))
  const drawn = drawWorld(chance)
  const world = new World(raft, drawn, chance, tell)
  tell?.(toldOfWorld(drawn))
  const found: { settledAfter?: number; needless: number } = { needless: 0 }
  let broken: string | undefined
  try {
    for (const machine of world.machines)
      world.later(chance.between(0, drawn.electionMs), () => world.start(machine))
    makeTrouble(world, chance)
    endTrouble(world)
    const began = world.now
    settle(world)
    found.settledAfter = (world.now - began) / drawn.electionMs
    if (drawn.loss > 0) {
      found.needless = leadersDuring(world, 10)
      world.loss = 0
      settle(world)
    }
    stays(world, 10, 'nothing goes wrong')
    linksStall(world, chance)
    if (world.machines.length > 2) {
      memberReturns(world, chance)
      leaderIsCutOff(world)
    }
    if (world.machines.length > 1) leaderHandsOver(world, chance)
  } catch (error) {
    if (!(error instanceof BrokenRule)) throw error
    broken = `${error.message} (at ${world.now.toFixed(1)} ms)`
    world.tell(`BROKEN: ${error.message}`)
  }
  const { steps, rules } = world
  return {
    seed,
    ...(broken !== undefined && { broken }),
    steps,
    leaders: rules.leaders,
    isLossy: drawn.loss > 0,
    ...found,
  }
}

/** Waits until all follow one leader. */
function settle(world: World): Machine {
  const { electionMs, heartbeatMs, rates } = world.drawn
  const roundMs = (2 * electionMs) / Math.min(...rates)
  const rounds = world.loss > 0 ? MOST_ROUNDS_WITH_LOSS : MOST_ROUNDS
  const end = world.now + rounds * roundMs
  for (let since = world.now, last: string | undefined; ; ) {
    const leader = world.settledOn()
    const what = leader && `all follow ${leader.name} in term ${leader.state?.term}`
    if (what !== last) since = world.now
    last = what
    if (leader && world.now - since >= roundMs / 2) {
      world.tellNews(`${what}`)
      return leader
    }
    if (world.now >= end)
      throw new BrokenRule(
        `when all is well there is a leader, whom all follow: ${rounds} rounds have brought none`,
      )
    world.run(heartbeatMs / 2)
  }
}

/** The leader stays what it is, for so many `electionMs`. */
function stays(world: World, elections: number, although: string): void {
  const leader = settle(world)
  const term = leader.state?.term
  world.run(elections * world.drawn.electionMs)
  if (leader.state?.role !== 'leader' || leader.state.term !== term)
    throw new BrokenRule(
      `no needless election: ${leader.name} does not lead term ${term} any more, although ${although}`,
    )
}

function leadersDuring(world: World, elections: number): number {
  const before = world.rules.leaders
  world.run(elections * world.drawn.electionMs)
  return world.rules.leaders - before
}

/**
 * All links stall, in each direction, for up to half an `electionMs`, again and again: no reason for an election. Where clocks are wild, or a
 * heartbeat comes late or seldom besides, it may be one.
 */
function linksStall(world: World, chance: Chance): void {
  const { electionMs, heartbeatMs, delayMs, clocks } = world.drawn
  if (clocks === 'wild' || heartbeatMs > electionMs / 6 || delayMs > 0.01 * electionMs) return
  for (let ms = 0; ms < 5 * electionMs; ms += electionMs) {
    for (const to of world.machines)
      for (const from of world.machines) {
        const forMs = chance.between(0, electionMs / 2)
        const afterMs = chance.between(0, electionMs / 2 - forMs)
        world.later(ms + afterMs, () => world.stall(to, from, forMs))
      }
  }
  stays(world, 6, 'links have only stalled')
}

/** A follower is cut off, and back: that changes nothing for the others. */
function memberReturns(world: World, chance: Chance): void {
  const leader = settle(world)
  const away = chance.one(world.machines.filter((machine) => machine !== leader))
  world.cutOff([away])
  world.later(4 * world.drawn.electionMs, () => world.healCuts())
  stays(world, 7, `nobody but ${away.name} was cut off`)
  settle(world)
}

/** The leader is cut off: it stops, and the others elect another one. */
function leaderIsCutOff(world: World): void {
  const leader = settle(world)
  const term = leader.state?.term as number
  world.cutOff([leader])
  world.run((1.2 * world.drawn.electionMs) / leader.rate)
  if (leader.state?.role === 'leader')
    throw new BrokenRule(`a leader that no majority hears stops: ${leader.name} goes on`)
  const { electionMs, rates } = world.drawn
  const end = world.now + (MOST_ROUNDS * 2 * electionMs) / Math.min(...rates)
  const isReplaced = () => world.machines.some(({ state }) => state?.role === 'leader' && state.term > term)
  while (!isReplaced()) {
    if (world.now >= end)
      throw new BrokenRule('a majority without its leader elects another one: it does not')
    world.run(electionMs / 4)
  }
  world.healCuts()
  settle(world)
}

/** The leader is to stop: another one leads at once. One that the others cannot elect, for its log, makes no leader. */
function leaderHandsOver(world: World, chance: Chance): void {
  const leader = settle(world)
  const { electionMs } = world.drawn
  const to = chance.one(world.machines.filter((machine) => machine !== leader))
  const term = leader.state?.term as number
  const isAway = chance.is(0.3)
  if (isAway) world.cutOff([to])
  world.handOver(leader, to.name)
  world.run((1.2 * electionMs) / leader.rate)
  if (leader.state?.role === 'leader' && leader.state.term === term)
    throw new BrokenRule(`a leader that hands over stops: ${leader.name} leads, ${electionMs} ms later`)
  const isElectable = world.machines.every(
    ({ lastEntry: own }) =>
      to.lastEntry.term > own.term || (to.lastEntry.term === own.term && to.lastEntry.index >= own.index),
  )
  if (isElectable && !isAway && (to.state?.role !== 'leader' || to.state.term !== term + 1))
    throw new BrokenRule(`a leader that goes hands over: ${to.name} does not lead term ${term + 1}`)
  world.healCuts()
  settle(world)
}
