/** What goes wrong, drawn from the seed: who is cut off, frozen, loses its power or its card. One thing after the other, and several at a time. */
import type { Chance } from '../simulated/chance.ts'
import type { LogMachine } from './log-machine.ts'
import type { LogWorld } from './log-world.ts'
import type { Operator } from './operator.ts'

/** Lets things go wrong for as long as the world was drawn to be in trouble. */
export function makeLogTrouble(world: LogWorld, operator: Operator, chance: Chance): void {
  const { troubleMs, faultMs, changes } = world.drawn
  const end = world.now + troubleMs
  while (world.now < end) {
    world.run(Math.min(chance.wait(faultMs), end - world.now))
    if (changes && chance.is(0.3)) operator.begin()
    if (!world.isSpared) oneFault(world, chance)
  }
}

function oneFault(world: LogWorld, chance: Chance): void {
  const { machines, drawn } = world
  // Whoever leads is worth more than its share.
  const leader = world.leader()
  const machine = leader && chance.is(0.4) ? leader : chance.one(machines)
  const whileMs = chance.wait(2 * drawn.electionMs)
  const kind = chance.next()
  if (kind < 0.25) {
    world.crash(machine)
    world.later(chance.is(0.5) ? 0 : whileMs, () => world.start(machine))
  } else if (kind < 0.32) {
    world.tell('the power fails')
    for (const each of machines) {
      world.crash(each)
      world.later(chance.is(0.5) ? 0 : whileMs, () => world.start(each))
    }
  } else if (kind < 0.45) {
    world.freeze(machine)
    world.later(whileMs, () => world.wake(machine))
  } else if (kind < 0.62) world.cutOff(chance.some(machines))
  else if (kind < 0.72) cutLink(world, machine, chance.one(machines), chance.is(0.5))
  else if (kind < 0.9) world.healCuts()
  else {
    const to = chance.one(machines)
    world.tell(`${machine.id} is to hand over to ${to.id}`)
    world.give(machine, { kind: 'hand_over', to: chance.is(0.5) ? to.id : undefined })
  }
}

function cutLink(world: LogWorld, to: LogMachine, from: LogMachine, isBoth: boolean): void {
  world.tell(`${to.name} does not hear ${from.name} any more${isBoth ? ', nor the other way round' : ''}`)
  world.cut(to, from)
  if (isBoth) world.cut(from, to)
}

/** Nothing goes wrong from now on, but for what is on its way already. */
export function endLogTrouble(world: LogWorld): void {
  world.isTroubled = false
  world.loss = 0
  world.healCuts()
  for (const machine of world.machines) {
    world.wake(machine)
    world.start(machine)
  }
}
