/**
 * How fine the past is kept: the samples themselves for a day, and then what they were in five minutes, an hour, a day.
 * A point of such a level has the mean, the least and the greatest of its samples, and their number. Twenty-four points
 * are one row of the file.
 *
 * @since 0.17.0
 */

/**
 * One level of the past.
 *
 * @internal
 */
export interface Level {
  /** Its table. */
  table: 'five_minutes' | 'hours' | 'days'
  /** From one point to the next, in s. */
  step: number
  /** From one row to the next, in s. */
  span: number
}

/**
 * How many points a row has.
 *
 * @internal
 */
export const POINTS = 24

/**
 * The levels, the finest first. Each divides the next one.
 *
 * @internal
 */
export const LEVELS = [
  { table: 'five_minutes', step: 300, span: 300 * POINTS },
  { table: 'hours', step: 3600, span: 3600 * POINTS },
  { table: 'days', step: 86_400, span: 86_400 * POINTS },
] as const satisfies readonly Level[]

/** How long each level is kept, in days of the store's own time: Infinity is for ever. */
export interface Keep {
  /** The samples. Default: 1. */
  rawDays: number
  /** Default: 30. */
  fiveMinutesDays: number
  /** Default: 730. */
  hoursDays: number
  /** Default: for ever. */
  daysDays: number
}

/**
 * A time, or the last one before it at which something begins that takes so many seconds.
 *
 * @internal
 */
export function floorTo(seconds: number, time: number): number {
  return Math.floor(time / seconds) * seconds
}

/** The bytes of a row. */
const SIZE = POINTS * 14

/** The most samples that a point tells of. One that has more weighs as if it had so many. */
const MOST_SAMPLES = 65_535

/**
 * A row's points, as they are in the file: 14 bytes each. A number has seven digits there.
 *
 * @internal
 */
export class Points {
  /** For the file. */
  readonly bytes: Uint8Array
  readonly mean: Float32Array
  readonly min: Float32Array
  readonly max: Float32Array
  /** How many samples a point has: 0 where there is none. */
  readonly count: Uint16Array

  /** @param bytes what the file has; without, or if it is no such row, a row of no points */
  constructor(bytes?: Uint8Array) {
    this.bytes = bytes?.length === SIZE ? bytes.slice() : new Uint8Array(SIZE)
    const { buffer, byteOffset } = this.bytes
    this.mean = new Float32Array(buffer, byteOffset, POINTS)
    this.min = new Float32Array(buffer, byteOffset + POINTS * 4, POINTS)
    this.max = new Float32Array(buffer, byteOffset + POINTS * 8, POINTS)
    this.count = new Uint16Array(buffer, byteOffset + POINTS * 12, POINTS)
  }

  set(index: number, { sum, min, max, count }: Sums): void {
    this.mean[index] = count === 0 ? 0 : sum / count
    this.min[index] = min
    this.max[index] = max
    this.count[index] = Math.min(count, MOST_SAMPLES)
  }
}

/**
 * What is known of some samples together.
 *
 * @internal
 */
export interface Sums {
  sum: number
  min: number
  max: number
  count: number
}

/**
 * All the points of a row together.
 *
 * @internal
 */
export function sumOf(points: Points): Sums {
  const all: Sums = { sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, count: 0 }
  for (let index = 0; index < POINTS; index += 1) {
    const count = points.count[index] as number
    if (count === 0) continue
    all.sum += (points.mean[index] as number) * count
    all.min = Math.min(all.min, points.min[index] as number)
    all.max = Math.max(all.max, points.max[index] as number)
    all.count += count
  }
  return all
}
