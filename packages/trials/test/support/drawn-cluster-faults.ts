/** What goes wrong in a trial of a replicated queue: drawn from a seed, so that each of it can be had again. */
import type { Direction } from '@rpi-cluster/tutorial/faults/fault'
import fc from 'fast-check'

/** Who leads at that moment, or a node by its number. */
export type Whom = 'leader' | number

/** Something that happens to a node, to the links that it has to all others, or to all nodes. */
export type ClusterFault = {
  /** How long it is after the one before, in ms. */
  afterMs: number
  /** How long it lasts, in ms. */
  forMs: number
} & (
  | { kind: 'killed' | 'stopped' | 'frozen' | 'cut' | 'parted'; whom: Whom }
  | { kind: 'black hole'; whom: Whom; to: Direction }
  | { kind: 'delay'; whom: Whom; delayMs: number; jitterMs: number }
  | { kind: 'power cut of all' }
)

/** Shorter than the silence after which members connect anew, or longer than the 15 s of all others. */
const lasting = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 100, max: 6_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 15_000, max: 20_000 }) },
)

/**
 * The faults of a trial, one after the other. The same seed draws the same ones.
 *
 * @param size how many nodes there are
 */
export function drawnClusterFaults(seed: number, count: number, size: number): ClusterFault[] {
  const times = { afterMs: fc.integer({ min: 500, max: 5_000 }), forMs: lasting }
  const whom: fc.Arbitrary<Whom> = fc.oneof(fc.constant('leader' as const), fc.integer({ min: 1, max: size }))
  const simple = (kind: 'killed' | 'stopped' | 'frozen' | 'cut' | 'parted') =>
    fc.record({ kind: fc.constant(kind), whom, ...times })
  const fault: fc.Arbitrary<ClusterFault> = fc.oneof(
    { weight: 4, arbitrary: simple('killed') },
    { weight: 2, arbitrary: simple('stopped') },
    { weight: 3, arbitrary: simple('frozen') },
    { weight: 2, arbitrary: simple('cut') },
    { weight: 3, arbitrary: simple('parted') },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('black hole' as const),
        whom,
        to: fc.constantFrom('toServer' as const, 'toClient' as const),
        ...times,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('delay' as const),
        whom,
        delayMs: fc.integer({ min: 20, max: 600 }),
        jitterMs: fc.integer({ min: 0, max: 200 }),
        ...times,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('power cut of all' as const),
        afterMs: times.afterMs,
        forMs: fc.integer({ min: 100, max: 2_000 }),
      }),
    },
  )
  return fc.sample(fault, { seed, numRuns: count, unbiased: true })
}

/** A fault in a line: `black hole toClient, leader, for 2.4 s`. */
export function toldOf(fault: ClusterFault): string {
  const { kind, forMs } = fault
  const how =
    'to' in fault ? ` ${fault.to}` : 'delayMs' in fault ? ` of ${fault.delayMs} ± ${fault.jitterMs} ms` : ''
  const whom =
    'whom' in fault ? `, ${typeof fault.whom === 'number' ? `node-${fault.whom}` : fault.whom}` : ''
  return `${kind}${how}${whom}, for ${(forMs / 1000).toFixed(1)} s`
}
