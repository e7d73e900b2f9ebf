/**
 * One run of a cluster that keeps a log, in which everything comes from one seed. While there is trouble, what must never happen
 * is looked for at each step. Then all heals, and what must happen at last is waited for; and each task's history is looked at.
 */
import { randomBy } from '@rpi-cluster/tutorial/lab/random'
import { BrokenRule } from '../simulated/broken-rule.ts'
import { Chance } from '../simulated/chance.ts'
import { Clients } from './clients.ts'
import { drawLogWorld, toldOfLogWorld } from './drawn-log-world.ts'
import { isLinearizable } from './linearizable.ts'
import type { LogMachine } from './log-machine.ts'
import { endLogTrouble, makeLogTrouble } from './log-trouble.ts'
import { LogWorld, type Replica } from './log-world.ts'
import { Operator } from './operator.ts'
import { LEASE_MS, TASK_MODEL } from './task-model.ts'

/** Within how many time-outs all is as it should be when nothing goes wrong any more, beside what leases take. */
const SETTLES_IN_ELECTIONS = 60

/** For how many time-outs the leader then stays what it is. */
const STAYS_IN_ELECTIONS = 5

/** What came of a run. */
export interface LogOutcome {
  readonly seed: number
  /** Which rule was broken, how, and when. */
  readonly broken?: string
  readonly steps: number
  readonly leaders: number
  readonly entries: number
  readonly operations: number
  /** How often the operator has done something about the members. */
  readonly changes: number
  /** How long it took until all was as it should be, after all was healed: in parts of `electionMs`. */
  readonly settledAfter?: number
}

/** Runs the cluster of a seed. */
export function simulateLog(replica: Replica, seed: number, tell?: (line: string) => void): LogOutcome {
  const chance = new Chance(randomBy(seed))
  const drawn = drawLogWorld(chance)
  const world = new LogWorld(replica, drawn, chance, tell)
  tell?.(toldOfLogWorld(drawn))
  const clients = new Clients(world, chance)
  const operator = new Operator(world, chance)
  let broken: string | undefined
  let settledAfter: number | undefined
  try {
    for (const machine of world.machines)
      world.later(chance.between(0, drawn.electionMs), () => world.start(machine))
    makeLogTrouble(world, operator, chance)
    endLogTrouble(world)
    const began = world.now
    settle(world, clients, operator)
    settledAfter = (world.now - began) / drawn.electionMs
    stays(world)
    handsOver(world)
    checkHistories(world, clients)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // What the machine throws is a rule of its own that was broken.
    broken = `${error instanceof BrokenRule ? '' : 'a machine goes on: '}${error.message} (at ${world.now.toFixed(1)} ms)`
    world.tell(`BROKEN: ${broken}`)
  }
  const { steps, rules } = world
  const operations = [...clients.histories.values()].reduce((sum, { length }) => sum + length, 0)
  return {
    seed,
    ...(broken !== undefined && { broken }),
    steps,
    leaders: rules.leaders,
    entries: rules.entries,
    operations,
    changes: operator.changes,
    ...(settledAfter !== undefined && { settledAfter }),
  }
}

/** Waits until there is a leader, the operator is done, all tasks are, and all members have the same. */
function settle(world: LogWorld, clients: Clients, operator: Operator): void {
  const { electionMs } = world.drawn
  clients.isFinishing = true
  const end = world.now + SETTLES_IN_ELECTIONS * electionMs + 10 * LEASE_MS
  for (;;) {
    const missing = whatIsMissing(world, clients, operator)
    if (missing === undefined) return
    if (world.now >= end) throw new BrokenRule(`when all is well all comes to an end: ${missing}`)
    world.run(electionMs / 4)
  }
}

function whatIsMissing(world: LogWorld, clients: Clients, operator: Operator): string | undefined {
  const leader = world.leader()
  if (!leader || !world.isSure(leader)) return 'nobody leads and is sure of it'
  if (!operator.isDone) return 'the operator waits'
  const tasks = [...clients.submitted].flatMap(([task, isDone]) => (isDone ? [] : [task]))
  if (tasks.length > 0) return `${tasks.join(', ')} acknowledged, and not done`
  const members = world.rules.members.map(({ id }) => world.byId(id))
  const behind = members.find((machine) => !isAlike(machine, leader))
  return behind || members.includes(undefined) ? `${behind?.id} has not what ${leader.id} has` : undefined
}

function isAlike(one: LogMachine | undefined, leader: LogMachine): boolean {
  if (one?.state?.raft.leader !== leader.id || one.applied !== leader.applied) return false
  return one.queue.hashAfter(0) === leader.queue.hashAfter(0)
}

/** The leader stays what it is. */
function stays(world: LogWorld): void {
  const leader = world.leader()
  const term = leader?.state?.raft.term
  world.run(STAYS_IN_ELECTIONS * world.drawn.electionMs)
  if (leader?.state?.raft.role !== 'leader' || leader.state.raft.term !== term)
    throw new BrokenRule(
      `no needless election: ${leader?.id} does not lead term ${term} any more, although nothing goes wrong`,
    )
}

/** The leader is to stop: another one leads at once. */
function handsOver(world: LogWorld): void {
  const leader = world.leader()
  const voters = world.rules.members.filter(({ isVoter }) => isVoter)
  if (!leader?.state || voters.length === 1) return
  const { term } = leader.state.raft
  world.give(leader, { kind: 'hand_over' })
  world.run((1.2 * world.drawn.electionMs) / leader.rate)
  const next = world.leader()
  if (next === leader || next?.state?.raft.term !== term + 1 || !world.isSure(next))
    throw new BrokenRule(`a leader that goes hands over: nobody is sure to lead term ${term + 1}`)
}

function checkHistories(world: LogWorld, { histories }: Clients): void {
  for (const [task, history] of histories) {
    if (isLinearizable(TASK_MODEL, history)) continue
    for (const { input, calledAt, returned } of history)
      world.tell(
        `  ${task}: ${JSON.stringify(input)} from ${calledAt} to ${returned?.at ?? '?'}: ${JSON.stringify(returned?.output)}`,
      )
    throw new BrokenRule(`what clients see is linearizable: the history of ${task} is not`)
  }
}
