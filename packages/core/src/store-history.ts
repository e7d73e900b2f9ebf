/**
 * How a store answers what a vital was from one time to another: from the coarsest level that still shows enough, in at
 * most 500 points a line.
 *
 * @since 0.17.0
 */
import type { Answer, HistoryQuery } from './store-batch.ts'
import type { StoreFile, Value } from './store-file.ts'
import { floorTo, type Keep, LEVELS, type Level, POINTS, Points, type Sums } from './store-levels.ts'

/** How many points a level should give in the span that is asked for. */
const ENOUGH_POINTS = 250

/** The most points of a line. */
const MOST_POINTS = 500

/** The most lines of an answer. */
const MOST_LINES = 100

/** How many digits a number has in an answer: a hundred lines of them fit a frame. */
const DIGITS = 6

const DAY = 86_400
const [FIVE_MINUTES, HOURS, DAYS] = LEVELS

/**
 * How complete the levels are.
 *
 * @internal
 */
export interface Marks {
  /** The store's own time. */
  now: number
  hoursUpTo: number
  daysUpTo: number
  samplesFrom: number
}

/**
 * From which level a question is answered, and at which times.
 *
 * @internal
 */
export interface Plan {
  /** Without: the samples themselves. */
  level?: Level
  step: number
  /** The first point's time. */
  first: number
  /** How many points. */
  count: number
}

/**
 * Chooses the level.
 *
 * @internal
 */
export function planOf(
  { from, to }: Pick<HistoryQuery, 'from' | 'to'>,
  { keep, sampleSeconds, marks }: { keep: Keep; sampleSeconds: number; marks: Marks },
): Plan {
  const { fiveMinutesDays, hoursDays } = keep
  const oldest = new Map<Level, number>([
    [FIVE_MINUTES, marks.now - fiveMinutesDays * DAY],
    [HOURS, marks.now - hoursDays * DAY],
    [DAYS, Number.NEGATIVE_INFINITY],
  ])
  // The finest first; the samples are a level, too.
  const there: { level?: Level; step: number }[] = [
    ...(from >= marks.samplesFrom ? [{ step: sampleSeconds }] : []),
    ...LEVELS.filter((level) => from >= (oldest.get(level) ?? 0)).map((level) => ({
      level,
      step: level.step,
    })),
  ]
  const chosen =
    there.findLast(({ step }) => (to - from) / step >= ENOUGH_POINTS) ??
    (there[0] as { level?: Level; step: number })
  const least = Math.max((to - from) / (MOST_POINTS - 1), sampleSeconds)
  const step = Math.ceil(least / chosen.step) * chosen.step
  const first = floorTo(step, from)
  return { ...chosen, step, first, count: Math.ceil((to - first) / step) }
}

/** One line, as it grows. */
interface Line {
  sum: Float64Array
  count: Float64Array
  min: Float64Array
  max: Float64Array
  /** Of the samples: the first and the last one of a point. */
  begins: Float64Array
  ends: Float64Array
}

/**
 * Answers a question.
 *
 * @internal
 */
export function historyOf(
  file: StoreFile,
  query: HistoryQuery,
  options: { keep: Keep; sampleSeconds: number; marks: Marks },
): Answer {
  const plan = planOf(query, options)
  const { step, first, count } = plan
  const vital = file.get<{ id: number; label: string | null; unit: string | null }>(
    'SELECT id, label, unit FROM vitals WHERE vital = ?',
    query.vital,
  )
  const about =
    vital?.label != null && vital.unit != null
      ? { about: { label: vital.label, unit: vital.unit } }
      : { about: {} }
  const series = file.all<{ id: number; node: string; name: string }>(
    `SELECT s.id, n.node, n.name FROM series s JOIN nodes n ON n.id = s.node WHERE s.vital = ? ${query.node === undefined ? '' : 'AND n.node = ?'}`,
    vital?.id ?? 0,
    ...(query.node === undefined ? [] : [query.node]),
  )
  const lines = new Lines(
    file,
    plan,
    vital?.id ?? 0,
    query.node === undefined ? undefined : (series[0]?.id ?? 0),
  )
  lines.read(options)

  const shown = series.filter(({ id }) => lines.has(id)).sort((a, b) => inOrder.compare(a.name, b.name))
  const nodes = shown.slice(0, MOST_LINES)
  const kinds = query.node === undefined ? 1 : 3
  const numbers = new Float64Array(nodes.length * kinds * count)
  for (const [index, { id }] of nodes.entries())
    lines.write(
      id,
      numbers.subarray(index * kinds * count, (index + 1) * kinds * count),
      options.sampleSeconds,
    )
  return {
    ...about,
    step,
    first,
    count,
    nodes: nodes.map(({ node, name }) => ({ node, name })),
    numbers,
    more: shown.length - nodes.length,
  }
}

/** Names as people count them: pi-2 before pi-10. */
const inOrder = new Intl.Collator('en', { numeric: true })

class Lines {
  readonly #file: StoreFile
  readonly #plan: Plan
  readonly #vital: number
  readonly #series: number | undefined
  readonly #lines = new Map<number, Line>()

  /** @param series the one that is asked for; without, all of the vital */
  constructor(file: StoreFile, plan: Plan, vital: number, series: number | undefined) {
    this.#file = file
    this.#plan = plan
    this.#vital = vital
    this.#series = series
  }

  has(series: number): boolean {
    return this.#lines.has(series)
  }

  /** What of the span is complete comes from the level, what is not yet from the finer ones. */
  read({ marks: { hoursUpTo, daysUpTo } }: { marks: Marks }): void {
    const { level, first, step, count } = this.#plan
    const end = first + step * count
    if (level === undefined) {
      this.#readSamples(first, end)
      return
    }
    if (level === DAYS) {
      this.#readLevel(DAYS, first, Math.min(end, daysUpTo))
      this.#readLevel(HOURS, Math.max(first, daysUpTo), Math.min(end, hoursUpTo))
    } else {
      this.#readLevel(level, first, Math.min(end, hoursUpTo))
    }
    this.#readSamples(Math.max(first, hoursUpTo), end)
  }

  /** Writes a line's means, and its least and greatest values where there is room for them. */
  write(series: number, numbers: Float64Array, sampleSeconds: number): void {
    const line = this.#lines.get(series) as Line
    const { count, level } = this.#plan
    const [means, least, greatest] = [0, 1, 2].map((kind) =>
      numbers.subarray(kind * count, (kind + 1) * count),
    )
    let before = -1
    for (let point = 0; point < count; point += 1) {
      const samples = line.count[point] as number
      means?.set([samples === 0 ? Number.NaN : rounded((line.sum[point] as number) / samples)], point)
      if (least && least.length > 0)
        least[point] = samples === 0 ? Number.NaN : rounded(line.min[point] as number)
      if (greatest && greatest.length > 0)
        greatest[point] = samples === 0 ? Number.NaN : rounded(line.max[point] as number)
      if (samples === 0) continue
      // Samples never come to the second: a point that they have stepped over is no gap.
      const isNext = level === undefined && before === point - 2 && before >= 0
      if (isNext && (line.begins[point] as number) - (line.ends[before] as number) <= 1.5 * sampleSeconds)
        for (const kind of [means, least, greatest])
          if (kind && kind.length > 0) kind[point - 1] = kind[before] as number
      before = point
    }
  }

  #readLevel({ table, step, span }: Level, from: number, to: number): void {
    if (from >= to) return
    const edges = this.#file.get<{ first: number | null; last: number | null }>(
      `SELECT (SELECT min(start) FROM ${table}) AS first, (SELECT max(start) FROM ${table}) AS last`,
    )
    if (edges?.first == null || edges.last == null) return
    const last = Math.min(floorTo(span, to - 1), edges.last)
    for (let start = Math.max(floorTo(span, from), edges.first); start <= last; start += span) {
      for (const { series, points } of this.#rows(table, start)) {
        const row = new Points(points)
        const line = this.#line(series)
        for (let index = 0; index < POINTS; index += 1) {
          const time = start + index * step
          const count = row.count[index] as number
          if (count === 0 || time < from || time + step > to) continue
          const [mean, min, max] = [
            row.mean[index] as number,
            row.min[index] as number,
            row.max[index] as number,
          ]
          this.#put(line, time, { sum: mean * count, min, max, count })
        }
      }
    }
  }

  #rows(table: Level['table'], start: number): { series: number; points: Uint8Array }[] {
    return this.#series === undefined
      ? this.#file.all(
          `SELECT l.series, l.points FROM series s CROSS JOIN ${table} l ON l.start = ? AND l.series = s.id WHERE s.vital = ?`,
          start,
          this.#vital,
        )
      : this.#file.all(
          `SELECT series, points FROM ${table} WHERE start = ? AND series = ?`,
          start,
          this.#series,
        )
  }

  #readSamples(from: number, to: number): void {
    if (from >= to) return
    const { first, step } = this.#plan
    const [whose, which]: [string, Value] =
      this.#series === undefined
        ? ['JOIN series s ON s.id = p.series WHERE s.vital = ?', this.#vital]
        : ['WHERE p.series = ?', this.#series]
    const rows = this.#file.all<{ series: number; point: number; begins: number; ends: number } & Sums>(
      `SELECT p.series, (p.time - ?) / ? AS point, sum(p.value) AS sum, min(p.value) AS min, max(p.value) AS max,
        count(*) AS count, min(p.time) AS begins, max(p.time) AS ends
        FROM samples p ${whose} AND p.time >= ? AND p.time < ? GROUP BY p.series, point`,
      first,
      step,
      which,
      from,
      to,
    )
    for (const { series, point, begins, ends, ...sums } of rows) {
      const line = this.#line(series)
      this.#put(line, first + point * step, sums)
      line.begins[point] = begins
      line.ends[point] = ends
    }
  }

  #put(line: Line, time: number, { sum, min, max, count }: Sums): void {
    const point = Math.floor((time - this.#plan.first) / this.#plan.step)
    line.sum[point] = (line.sum[point] as number) + sum
    line.min[point] = line.count[point] === 0 ? min : Math.min(line.min[point] as number, min)
    line.max[point] = line.count[point] === 0 ? max : Math.max(line.max[point] as number, max)
    line.count[point] = (line.count[point] as number) + count
  }

  #line(series: number): Line {
    const known = this.#lines.get(series)
    if (known) return known
    const room = () => new Float64Array(this.#plan.count)
    const line = { sum: room(), count: room(), min: room(), max: room(), begins: room(), ends: room() }
    this.#lines.set(series, line)
    return line
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS))
}
