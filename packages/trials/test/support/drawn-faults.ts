/** What goes wrong in a trial by chaos: faults of every kind, drawn from a seed, so that each of them can be had again. */
import type { Direction, EndedBy, Fault as LineFault, Side } from '@rpi-cluster/tutorial/faults/fault'
import fc from 'fast-check'

/** Something that happens to a cluster, and how long it lasts, in ms. */
export type Drawn = { forMs: number } & (
  | { kind: 'cut'; slaves: number[]; by: EndedBy }
  | { kind: 'black hole' | 'delay' | 'trickle'; slaves: number[]; to: Direction | 'both'; fault: LineFault }
  | { kind: 'half-open'; slaves: number[]; gone: Side }
  | { kind: 'slave stopped' | 'slave killed'; slaves: number[] }
  | { kind: 'master stopped' }
  | { kind: 'master restarted'; by: 'SIGKILL' | 'SIGTERM' }
)

const direction = fc.constantFrom('toServer', 'toClient', 'both' as const)

/** Shorter than the silence of 15 s that ends a connection, or longer. */
const lasting = fc.oneof(fc.integer({ min: 200, max: 8_000 }), fc.integer({ min: 12_000, max: 25_000 }))

/**
 * The faults of a trial, one after the other. The same seed draws the same ones. In the second half the master is not
 * restarted, so that it has something to remember: it is stopped for as long.
 *
 * @param count how many
 * @param slaves how many slaves there are
 */
export function drawnFaults(seed: number, count: number, slaves: number): Drawn[] {
  const all = Array.from({ length: slaves }, (_, index) => index)
  // A switch takes half of them with it.
  const some = fc.oneof(
    { weight: 3, arbitrary: fc.subarray(all, { minLength: 1, maxLength: Math.min(5, slaves) }) },
    { weight: 1, arbitrary: fc.subarray(all, { minLength: 1, maxLength: Math.ceil(slaves / 2) }) },
  )
  const ofSlaves = { slaves: some, forMs: lasting }
  const lineFault = (kind: 'black hole' | 'delay' | 'trickle', fault: fc.Arbitrary<LineFault>) =>
    fc.record({ kind: fc.constant(kind), ...ofSlaves, to: direction, fault })
  const fault: fc.Arbitrary<Drawn> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('cut' as const),
        ...ofSlaves,
        by: fc.constantFrom('reset' as const, 'end' as const),
      }),
    },
    { weight: 6, arbitrary: lineFault('black hole', fc.constant({ blackHole: true })) },
    {
      weight: 2,
      arbitrary: lineFault('delay', fc.record({ delayMs: fc.integer({ min: 100, max: 3_000 }) })),
    },
    {
      weight: 3,
      arbitrary: lineFault('trickle', fc.record({ bytesPerSecond: fc.integer({ min: 5, max: 500 }) })),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('half-open' as const),
        ...ofSlaves,
        gone: fc.constantFrom('client' as const, 'server' as const),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('slave stopped' as const), ...ofSlaves }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('slave killed' as const), ...ofSlaves }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('master stopped' as const), forMs: lasting }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('master restarted' as const),
        forMs: fc.integer({ min: 100, max: 10_000 }),
        by: fc.constantFrom('SIGKILL' as const, 'SIGTERM' as const),
      }),
    },
  )
  return fc
    .sample(fault, { seed, numRuns: count, unbiased: true })
    .map((drawn, index) =>
      drawn.kind === 'master restarted' && index >= count / 2
        ? { kind: 'master stopped', forMs: drawn.forMs }
        : drawn,
    )
}

/** A fault in a line: `cut by reset, slaves 3, 17, for 2.4 s`. */
export function toldOf(drawn: Drawn): string {
  const { kind, forMs } = drawn
  const how =
    'by' in drawn
      ? ` by ${drawn.by}`
      : 'gone' in drawn
        ? `, the ${drawn.gone} gone`
        : 'to' in drawn
          ? ` ${drawn.to} ${Object.values(drawn.fault).join()}`
          : ''
  const whom = 'slaves' in drawn ? `, slaves ${drawn.slaves.map((index) => index + 1).join(' ')}` : ''
  return `${kind}${how}${whom}, for ${(forMs / 1000).toFixed(1)} s`
}
