/** Tries behaviours on each kind of cluster: with what is the cluster's own, and with engines. */
import { test } from '@rpi-cluster/tutorial/harness'
import { describe, expect } from 'vitest'
import type { Behaviour } from './behaviours.ts'
import { isHere, type LeaderKind, openWorld, type QueueKind, smallDisk, type World } from './world.ts'

export const KINDS = [
  { queue: 'own', leader: 'own' },
  { queue: 'nats', leader: 'etcd' },
] as const

/** Which side of a difference a cluster is on: both are chosen together here. */
function expected({ is }: Behaviour, { kinds }: World): string {
  return typeof is === 'string' ? is : kinds.queue === 'own' ? is.own : is.engine
}

interface Options {
  /** What is tried. Default: {@link KINDS}. */
  kinds?: readonly { queue: QueueKind; leader: LeaderKind }[]
  /** How many nodes there are. */
  count: number
  /** How large the disk of their states is, in MB. Default: as it is here. */
  diskMb?: number
}

/** Makes a test for each kind, in which one cluster does all of it: to start one costs more than most of what it does here. */
export function eachKind(
  name: string,
  behaviours: readonly Behaviour[],
  { kinds = KINDS, count, diskMb }: Options,
): void {
  describe.each(kinds)(`$queue tasks, and the lead by $leader: ${name}`, ({ queue, leader }) => {
    test.skipIf(!isHere(queue) || !isHere(leader))('it is as the table says', async ({ chapter, skip }) => {
      const unmount = diskMb === undefined ? () => {} : smallDisk(chapter, diskMb)
      if (!unmount) return skip('No file system can be mounted here')
      try {
        const world = await openWorld(chapter, { queue, leader, count })
        for (const behaviour of behaviours)
          expect.soft(await behaviour.run(world), behaviour.what).toBe(expected(behaviour, world))
        await world.close()
      } finally {
        unmount()
      }
    })
  })
}
