import { max, median, min } from 'simple-statistics'

/** What one round of a measurement found: a figure for each of those that took part. */
export type Sample = Record<string, number>

/** Something that is measured once a round. */
export interface Measurement {
  /** For `--only`. */
  name: string
  /** For the table. */
  what: string
  unit: Unit
  /** What is too slow for every round is measured in this many. */
  mostRounds?: number
  measure(): Promise<Sample>
  /** The lines of the table that it gives. */
  comparisons: readonly Comparison[]
}

export type Unit =
  | 'messages a second'
  | 'values a second'
  | 'tasks a second'
  | 'microseconds'
  | 'nanoseconds a byte'
  | 'bytes'
  | 'KiB'
  | 'share'
  | 'ms'
  | 'count'
  | 'MiB'
  | 'MB'
  | 's'

/** One line of the table: a figure of ours, against one of somebody else's, or by itself. */
export interface Comparison {
  /** Which figure of the sample is ours. */
  ours: string
  /** What it is counted in, where that is not what the others of the measurement are. */
  unit?: Unit
  /** What else to say of it, where a measurement gives several: `p99`. */
  of?: string
  /** Which figure it is held against. Without one, the goal is about ours alone. */
  theirs?: string
  goal?: Goal
}

/** What the ratio to the other's figure (or ours alone) should be: its median, and if said so in every round. */
export interface Goal {
  atLeast?: number
  atMost?: number
  /** What no single round may fall below. */
  neverUnder?: number
}

export interface Result {
  ours: number
  theirs: number | undefined
  /** Ours through theirs: the median of each round's own. */
  ratio: number | undefined
  met: boolean | undefined
}

/** The medians of some rounds. It gives nothing when a figure is missing, because who should give it was left out. */
export function compare({ ours, theirs, goal }: Comparison, samples: readonly Sample[]): Result | undefined {
  const rounds = samples.filter((sample) => ours in sample && (theirs === undefined || theirs in sample))
  if (rounds.length === 0) return undefined
  const figures = (name: string) => rounds.map((sample) => sample[name] ?? Number.NaN)
  const ratios = rounds.map(
    (sample) => (sample[ours] ?? 0) / (theirs === undefined ? 1 : (sample[theirs] ?? 0)),
  )
  return {
    ours: median(figures(ours)),
    theirs: theirs === undefined ? undefined : median(figures(theirs)),
    ratio: theirs === undefined ? undefined : median(ratios),
    met: goal && isMet(goal, ratios),
  }
}

function isMet(
  { atLeast = -Infinity, atMost = Infinity, neverUnder = -Infinity }: Goal,
  ratios: number[],
): boolean {
  const typical = median(ratios)
  return typical >= atLeast && typical <= atMost && min(ratios) >= neverUnder && max(ratios) < Infinity
}
