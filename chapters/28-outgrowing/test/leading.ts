/** What a lead does, each as a story that is tried on each kind of it. Where they differ, `is` says so. */
import { hasEnded } from '@rpi-cluster/core/tasks'
import { expect, vi } from 'vitest'
import { type Behaviour, handIn, note, until, written } from './behaviours.ts'
import { PATIENCE } from './cluster.ts'
import type { World } from './world.ts'

/** What needs no fault. */
export const quickLeading: Behaviour[] = [
  {
    what: 'Each member is asked who leads',
    is: 'all say the same',
    run: async ({ watch, names }) => {
      await vi.waitFor(() => expect(saidBy(watch, names)).toHaveLength(1), PATIENCE)
      return 'all say the same'
    },
  },
  {
    what: 'The leader is asked to let a certain one lead',
    is: 'that one leads, in a later term',
    run: async ({ watch, names }) => {
      const { name, term } = await watch.whenLed()
      const next = names.find((other) => other !== name) ?? ''
      const done = await watch.handOver(next)
      const after = await vi.waitFor(async () => {
        const now = await watch.whenLed()
        expect(now.name).toBe(next)
        return now
      }, PATIENCE)
      return done && after.term > term ? 'that one leads, in a later term' : `${after.name} leads`
    },
  },
]

/** Faults. Each finds the cluster whole, and leaves it so. */
export const faultsOfLeading: Behaviour[] = [
  {
    what: 'The leader is stopped',
    is: 'another one leads before it is gone',
    run: async (world) => {
      const { nodes } = world
      const { name } = await settled(world)
      const leader = nodes.of(name)
      await leader.stop()
      const handed = leader.messages.some((line) => /^Handed over within \d+ ms: node-\d leads$/.test(line))
      await nodes.start(name)
      return handed ? 'another one leads before it is gone' : 'it goes, and the others find that out'
    },
  },
  {
    what: 'The leader is killed',
    is: 'another one leads, in a later term',
    run: async (world) => {
      const { nodes } = world
      const { name, term } = await settled(world)
      await nodes.kill(name)
      const next = await nodes.lead({ after: term })
      await nodes.start(name)
      return next.name !== name && next.term > term
        ? 'another one leads, in a later term'
        : 'no other one leads'
    },
  },
  {
    what: 'The leader stands still, and wakes when another one leads and a task was handed in there',
    is: 'it knows that it leads no more, and the task is done once',
    run: async (world) => {
      const { nodes, watch } = world
      const { name, term } = await settled(world)
      const sleeper = nodes.of(name)
      sleeper.signal('SIGSTOP')
      const next = await nodes.lead({ after: term })
      await vi.waitFor(() => expect(watch.leader?.name).toBe(next.name), PATIENCE)
      const id = 'meanwhile'
      await handIn(world, [note(world, id)])
      await until(world, id, hasEnded)
      sleeper.signal('SIGCONT')
      await sleeper.says(/ Leads no more, in term \d+: .*this process stood still for /)
      await sleeper.says(/ node-\d leads in term \d+$/)
      const { name: now } = await settled(world)
      const once = written(world, id) === 1 ? 'once' : 'more often'
      return now === name ? 'it leads' : `it knows that it leads no more, and the task is done ${once}`
    },
  },
  {
    what: 'All nodes but the leader are killed',
    is: { own: 'nobody leads: one of three is no majority', engine: 'it leads on: the nodes have no vote' },
    run: async (world) => {
      const { nodes, names, watch, kinds } = world
      const { name, term } = await settled(world)
      const others = names.filter((other) => other !== name)
      for (const other of others) await nodes.kill(other)
      if (kinds.leader === 'own') {
        await nodes.of(name).says(/ Leads no more, in term \d+: no majority has answered for /)
        for (const other of others) await nodes.start(other)
        await nodes.lead({ after: term })
        return 'nobody leads: one of three is no majority'
      }
      // Their leases end, and it is still the one.
      await vi.waitFor(() => expect(watch.views.get(name)?.view?.reachable).toEqual([]), PATIENCE)
      const { leader } = watch
      for (const other of others) await nodes.start(other)
      return leader?.name === name && leader.term === term
        ? 'it leads on: the nodes have no vote'
        : 'nobody leads'
    },
  },
  {
    what: 'What decides who leads is killed, and started again',
    is: {
      own: 'there is nothing but the members',
      engine: 'nobody leads when the lease has ended, and then one does, in a later term',
    },
    run: async (world) => {
      const { watch, kinds, nodes } = world
      const { name, term } = await settled(world)
      if (kinds.leader === 'own') return 'there is nothing but the members'
      await world.killEngines()
      await nodes.of(name).says(new RegExp(` Leads no more, in term ${term}: `))
      await vi.waitFor(() => expect(watch.leader).toBe(undefined), PATIENCE)
      await world.startEngines()
      const next = await nodes.lead({ after: term })
      return `nobody leads when the lease has ended, and then one does, in ${next.term > term ? 'a later' : 'the same'} term`
    },
  },
]

function saidBy(watch: World['watch'], names: readonly string[]): string[] {
  const views = names.map((name) => watch.views.get(name)?.view)
  return [...new Set(views.map((view) => `${view?.leader} in term ${view?.term}`))]
}

/** Waits until all members are there and say the same. */
async function settled({ watch, names }: World) {
  return await vi.waitFor(() => {
    expect(names.every((name) => watch.views.get(name)?.isReachable)).toBe(true)
    expect(saidBy(watch, names)).toHaveLength(1)
    const { leader } = watch
    if (!leader) throw new Error('Nobody leads')
    return leader
  }, PATIENCE)
}
