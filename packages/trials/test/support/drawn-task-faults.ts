/** What goes wrong in a trial of tasks: drawn from a seed, so that each of it can be had again. Times are the programs' own. */
import type { Direction } from '@rpi-cluster/tutorial/faults/fault'
import fc from 'fast-check'

/** Something that happens to one of the programs, or to its link. */
export type TaskFault = {
  /** How long it is after the one before, in ms. */
  afterMs: number
  /** How long it lasts, in ms. */
  forMs: number
} & (
  | { kind: 'killed' | 'power cut' | 'stopped' | 'frozen' | 'drained'; node: string }
  | { kind: 'primary stopped' }
  | { kind: 'cut'; node: string }
  | { kind: 'black hole'; node: string; to: Direction | 'both' }
  | { kind: 'delay'; node: string; delayMs: number; jitterMs: number }
  | { kind: 'trickle'; node: string; bytesPerSecond: number }
)

/** Shorter than the silence of 15 s that ends a connection, or longer. */
const lasting = fc.oneof(fc.integer({ min: 100, max: 6_000 }), fc.integer({ min: 14_000, max: 25_000 }))

/**
 * The faults of a trial, one after the other. The same seed draws the same ones.
 *
 * @param workers who does tasks
 * @param others who has a link besides
 */
export function drawnTaskFaults(
  seed: number,
  count: number,
  { workers, others }: { workers: readonly string[]; others: readonly string[] },
): TaskFault[] {
  const times = { afterMs: fc.integer({ min: 0, max: 4_000 }), forMs: lasting }
  const worker = fc.constantFrom(...workers)
  const linked = fc.oneof(
    { weight: 4, arbitrary: worker },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  )
  const ofProcess = (kind: 'killed' | 'power cut' | 'stopped' | 'frozen' | 'drained') =>
    fc.record({ kind: fc.constant(kind), node: worker, ...times })
  const fault: fc.Arbitrary<TaskFault> = fc.oneof(
    { weight: 3, arbitrary: ofProcess('killed') },
    { weight: 1, arbitrary: ofProcess('power cut') },
    { weight: 2, arbitrary: ofProcess('stopped') },
    { weight: 3, arbitrary: ofProcess('frozen') },
    { weight: 1, arbitrary: ofProcess('drained') },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('primary stopped' as const), ...times }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('cut' as const), node: linked, ...times }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('black hole' as const),
        node: linked,
        to: fc.constantFrom('toServer', 'toClient', 'both' as const),
        ...times,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('delay' as const),
        node: linked,
        delayMs: fc.integer({ min: 100, max: 3_000 }),
        jitterMs: fc.integer({ min: 0, max: 1_000 }),
        ...times,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('trickle' as const),
        node: linked,
        bytesPerSecond: fc.integer({ min: 10, max: 10_000 }),
        ...times,
      }),
    },
  )
  return fc.sample(fault, { seed, numRuns: count, unbiased: true })
}

/** A fault in a line: `black hole toClient, worker-3, for 2.4 s`. */
export function toldOf(fault: TaskFault): string {
  const { kind, forMs } = fault
  const how =
    'to' in fault
      ? ` ${fault.to}`
      : 'delayMs' in fault
        ? ` of ${fault.delayMs} ± ${fault.jitterMs} ms`
        : 'bytesPerSecond' in fault
          ? ` of ${fault.bytesPerSecond} bytes a second`
          : ''
  return `${kind}${how}${'node' in fault ? `, ${fault.node}` : ''}, for ${(forMs / 1000).toFixed(1)} s`
}
