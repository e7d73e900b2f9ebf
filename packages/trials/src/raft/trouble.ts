/** What goes wrong, drawn from the seed: who is cut off, frozen, killed. One thing after the other, and several at a time. */
import type { Chance } from '../simulated/chance.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

/** Lets things go wrong for as long as the world was drawn to be in trouble. */
export function makeTrouble(world: World, chance: Chance): void {
  const { troubleMs, faultMs } = world.drawn
  const end = world.now + troubleMs
  while (world.now < end) {
    world.run(Math.min(chance.wait(faultMs), end - world.now))
    oneFault(world, chance)
  }
}

function oneFault(world: World, chance: Chance): void {
  const { machines, drawn } = world
  // Whoever leads is worth more than its share.
  const leader = machines.find(({ state }) => state?.role === 'leader')
  const machine = leader && chance.is(0.3) ? leader : chance.one(machines)
  const whileMs = chance.wait(1.5 * drawn.electionMs)
  const kind = chance.next()
  if (kind < 0.15) {
    world.crash(machine)
    world.later(chance.is(0.5) ? 0 : whileMs, () => world.start(machine))
  } else if (kind < 0.27) {
    // Started by systemd each time, at once. What has made it so bad may have taken a link along.
    if (leader && chance.is(0.5)) cutLink(world, leader, chance.one(machines), true)
    const timesMs = Array.from({ length: 8 }, () => chance.between(0, 2 * drawn.electionMs))
    for (const ms of timesMs)
      world.later(ms, () => {
        if (world.isTroubled) world.crash(machine)
        world.start(machine)
      })
  } else if (kind < 0.3) {
    world.tell('the power fails')
    for (const each of machines) {
      world.crash(each)
      world.later(chance.is(0.5) ? 0 : whileMs, () => world.start(each))
    }
  } else if (kind < 0.45) {
    world.freeze(machine)
    world.later(whileMs, () => world.wake(machine))
  } else if (kind < 0.6) world.cutOff(chance.some(machines))
  else if (kind < 0.75) {
    const [to, from] = [machine, chance.one(machines)]
    cutLink(world, to, from, chance.is(0.5))
  } else if (kind < 0.85) world.healCuts()
  else if (kind < 0.92) world.handOver(leader ?? machine, chance.one(machines).name)
  else {
    // As a virtual machine that is moved: it is back before anybody has missed it, with what had come, and nobody hears it.
    world.freeze(machine)
    world.later(chance.between(0, drawn.electionMs), () => world.wake(machine))
    world.later(chance.between(0, drawn.electionMs / 2), () => {
      if (world.isTroubled) world.cutOff([machine])
    })
  }
}

function cutLink(world: World, to: Machine, from: Machine, isBoth: boolean): void {
  world.tell(`${to.name} does not hear ${from.name} any more${isBoth ? ', nor the other way round' : ''}`)
  world.cut(to, from)
  if (isBoth) world.cut(from, to)
}

/** Nothing goes wrong from now on, but for what is on its way already. */
export function endTrouble(world: World): void {
  world.isTroubled = false
  world.healCuts()
  for (const machine of world.machines) {
    world.wake(machine)
    world.start(machine)
  }
}
