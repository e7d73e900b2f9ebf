/**
 * How a store's file is written: samples as they come, and from them the levels, an hour at a time when it is over. An
 * hour for which a sample comes late is done again, from its samples: so it does not matter when they came, nor how often.
 *
 * @since 0.17.0
 */
import type { About, Batch, Committed, Sample, Waiting } from './store-batch.ts'
import type { StoreFile } from './store-file.ts'
import { floorTo, type Keep, LEVELS, type Level, Points, type Sums, sumOf } from './store-levels.ts'

const HOUR = 3600
const DAY = 86_400
const [FIVE_MINUTES, HOURS, DAYS] = LEVELS

/** How long after its end an hour is taken for complete, in s: what was measured in it has to get here. */
const GRACE = 60

/** How many series are worked on before others have their turn. */
const SERIES_AT_ONCE = 500

/** How many seconds of samples are deleted before others have their turn. */
const SECONDS_AT_ONCE = 600

/** How far in the future a sample may be, in s. */
const MOST_AHEAD = DAY

/** @internal */
export interface RecorderOptions {
  keep: Keep
  /** The most pairs of a node and a vital. */
  mostSeries: number
  /** The most texts that wait in an outbox. */
  outboxLimit: number
}

interface KnownNode {
  id: number
  name: string
  /** Its series, by the vital. */
  series: Map<string, number>
}

/**
 * Writes one file. After an error it knows no more what is there: a new one reads it.
 *
 * @internal
 */
export class Recorder {
  readonly #file: StoreFile
  readonly #options: RecorderOptions
  readonly #nodes = new Map<string, KnownNode>()
  readonly #vitals = new Map<string, number>()
  readonly #boxes = new Map<string, { id: number; last: number; count: number }>()
  readonly #marks = new Map<string, number>()
  #series = 0

  /** The hour that is being worked on, and from which series on it is not done yet. */
  #begun: { hour: number; series: number } | undefined

  constructor(file: StoreFile, options: RecorderOptions) {
    this.#file = file
    this.#options = options
    for (const { mark, time } of file.all<{ mark: string; time: number }>('SELECT mark, time FROM marks'))
      this.#marks.set(mark, time)
    const nodes = new Map<number, KnownNode>()
    for (const { id, node, name } of file.all<{ id: number; node: string; name: string }>(
      'SELECT * FROM nodes',
    )) {
      const known = { id, name, series: new Map<string, number>() }
      nodes.set(id, known)
      this.#nodes.set(node, known)
    }
    for (const { id, vital } of file.all<{ id: number; vital: string }>('SELECT id, vital FROM vitals'))
      this.#vitals.set(vital, id)
    for (const { id, node, vital } of file.all<{ id: number; node: number; vital: string }>(
      'SELECT s.id, s.node, v.vital FROM series s JOIN vitals v ON v.id = s.vital',
    )) {
      nodes.get(node)?.series.set(vital, id)
      this.#series = Math.max(this.#series, id)
    }
    for (const { id, box, last, count } of file.all<{ id: number; box: string; last: number; count: number }>(
      'SELECT id, box, last, (SELECT count(*) FROM waiting w WHERE w.box = b.id) AS count FROM boxes b',
    ))
      this.#boxes.set(box, { id, last, count })
  }

  /** The store's own time, in s since 1970: its newest sample's. A clock that was wrong once does not stay so. */
  get now(): number {
    return Math.min(this.#mark('newest'), Math.floor(Date.now() / 1000))
  }

  /** The time of the newest sample, in s since 1970, by the clock that dated it; undefined when there is none. */
  get newest(): number | undefined {
    return this.#marks.get('newest')
  }

  /** Up to when the levels of five minutes and of hours are complete, and from when on there are all samples. */
  get hoursUpTo(): number {
    return this.#mark('hours_up_to')
  }

  /** Up to when the level of days is complete. */
  get daysUpTo(): number {
    return this.#mark('days_up_to')
  }

  /** From when on there are samples. */
  get samplesFrom(): number {
    return this.#mark('samples_from')
  }

  /** How many texts wait in each outbox. */
  get waiting(): [box: string, count: number][] {
    return [...this.#boxes].map(([box, { count }]) => [box, count])
  }

  /** The oldest texts of an outbox. */
  oldest(box: string, count: number): Waiting[] {
    const known = this.#boxes.get(box)
    if (known === undefined) return []
    return this.#file.all('SELECT id, text FROM waiting WHERE box = ? ORDER BY id LIMIT ?', known.id, count)
  }

  /** Writes what has come, all or nothing of it: when this returns, it is on the disk. */
  commit({ samples, about, texts, drops }: Batch): Committed {
    const done: Committed = { misdated: 0, tooMany: 0, waiting: [], overflow: [] }
    this.#file.transaction(() => {
      for (const [vital, words] of about) this.#describe(vital, words)
      this.#begin(samples)
      const late = new Set<number>()
      for (const sample of samples) this.#add(sample, late, done)
      for (const hour of late) this.#file.run('INSERT OR IGNORE INTO late_hours VALUES (?)', hour)
      for (const [box, text] of texts) this.#post(box, text)
      for (const [box, upTo] of drops) this.#drop(box, upTo)
      for (const box of this.#boxes.keys()) this.#relieve(box, done)
    })
    done.waiting = this.waiting
    return done
  }

  /**
   * Does a small step of what there is to do besides, in a commit of its own.
   *
   * @returns whether there may be more
   */
  upkeep(): boolean {
    return this.#file.transaction(() => this.#rollUp() || this.#rollUpDay() || this.#forget())
  }

  #mark(mark: string): number {
    return this.#marks.get(mark) ?? 0
  }

  #setMark(mark: string, time: number): void {
    if (this.#marks.get(mark) === time) return
    this.#marks.set(mark, time)
    this.#file.run('INSERT OR REPLACE INTO marks VALUES (?, ?)', mark, time)
  }

  /** Makes sure that the levels begin where the samples do, and do not lie in the future. */
  #begin(samples: readonly Sample[]): void {
    const clock = Math.floor(Date.now() / 1000)
    const times = samples.map(({ at }) => Math.floor(at)).filter((time) => time <= clock + MOST_AHEAD)
    if (times.length === 0) return
    const newest = times.reduce((a, b) => Math.max(a, b))
    if (!this.#marks.has('hours_up_to')) {
      const oldest = times.reduce((a, b) => Math.min(a, b))
      this.#setMark('hours_up_to', floorTo(HOUR, oldest))
      this.#setMark('days_up_to', floorTo(DAY, oldest))
    }
    // The clock was ahead: what is done again from here on is done right.
    if (this.hoursUpTo > clock + HOUR) {
      this.#setMark('newest', clock)
      this.#setMark('hours_up_to', floorTo(HOUR, clock))
      this.#setMark('days_up_to', Math.min(this.daysUpTo, floorTo(DAY, clock)))
    }
    if (newest > this.#mark('newest')) this.#setMark('newest', newest)
  }

  #add({ node, name, at, values }: Sample, late: Set<number>, done: Committed): void {
    const time = Math.floor(at)
    if (time < this.samplesFrom || time > Date.now() / 1000 + MOST_AHEAD) {
      done.misdated += 1
      return
    }
    const known = this.#node(node, name)
    for (const [vital, value] of Object.entries(values)) {
      const series = this.#seriesOf(known, vital)
      if (series === undefined) done.tooMany += 1
      else this.#file.run('INSERT OR REPLACE INTO samples VALUES (?, ?, ?)', time, series, value)
    }
    const hour = floorTo(HOUR, time)
    if (time < this.hoursUpTo) late.add(hour)
    if (hour === this.#begun?.hour) this.#begun = undefined // from its first series on again
  }

  #node(node: string, name: string): KnownNode {
    const known = this.#nodes.get(node)
    if (known === undefined) {
      const id = this.#file.run('INSERT INTO nodes (node, name) VALUES (?, ?)', node, name)
      const made = { id, name, series: new Map<string, number>() }
      this.#nodes.set(node, made)
      return made
    }
    if (known.name !== name) {
      known.name = name
      this.#file.run('UPDATE nodes SET name = ? WHERE id = ?', name, known.id)
    }
    return known
  }

  #seriesOf({ id: node, series }: KnownNode, vital: string): number | undefined {
    const known = series.get(vital)
    if (known !== undefined) return known
    if (this.#series >= this.#options.mostSeries) return undefined
    const id = this.#file.run('INSERT INTO series (vital, node) VALUES (?, ?)', this.#vital(vital), node)
    series.set(vital, id)
    this.#series = id
    return id
  }

  #vital(vital: string): number {
    const known = this.#vitals.get(vital)
    if (known !== undefined) return known
    const id = this.#file.run('INSERT INTO vitals (vital) VALUES (?)', vital)
    this.#vitals.set(vital, id)
    return id
  }

  #describe(vital: string, { label, unit }: About): void {
    this.#file.run('UPDATE vitals SET label = ?, unit = ? WHERE id = ?', label, unit, this.#vital(vital))
  }

  #post(name: string, text: string): void {
    let box = this.#boxes.get(name)
    if (box === undefined) {
      box = { id: this.#file.run('INSERT INTO boxes (box, last) VALUES (?, 0)', name), last: 0, count: 0 }
      this.#boxes.set(name, box)
    }
    box.last += 1
    box.count += 1
    this.#file.run('INSERT INTO waiting VALUES (?, ?, ?)', box.id, box.last, text)
    // Its ids go on where they were, also when it was empty in between.
    this.#file.run('UPDATE boxes SET last = ? WHERE id = ?', box.last, box.id)
  }

  #drop(name: string, upTo: number): void {
    const box = this.#boxes.get(name)
    if (box === undefined) return
    this.#file.run('DELETE FROM waiting WHERE box = ? AND id <= ?', box.id, upTo)
    box.count =
      this.#file.get<{ n: number }>('SELECT count(*) AS n FROM waiting WHERE box = ?', box.id)?.n ?? 0
  }

  #relieve(name: string, done: Committed): void {
    const box = this.#boxes.get(name)
    const excess = (box?.count ?? 0) - this.#options.outboxLimit
    if (box === undefined || excess <= 0) return
    const last = this.#file.get<{ id: number }>(
      'SELECT id FROM waiting WHERE box = ? ORDER BY id LIMIT 1 OFFSET ?',
      box.id,
      excess - 1,
    )
    this.#drop(name, last?.id ?? 0)
    done.overflow.push([name, excess])
  }

  /** The levels of five minutes and of hours: some series of the next hour that is over, or for which something came late. */
  #rollUp(): boolean {
    const hour = this.#begun?.hour ?? this.#nextHour()
    if (hour === undefined) return false
    const from = this.#begun?.series ?? 0
    this.#rollUpSeries(hour, from)
    const next = from + SERIES_AT_ONCE
    this.#begun = next > this.#series ? undefined : { hour, series: next }
    if (this.#begun) return true
    this.#file.run('DELETE FROM late_hours WHERE hour = ?', hour)
    if (hour === this.hoursUpTo) this.#setMark('hours_up_to', hour + HOUR)
    return true
  }

  #nextHour(): number | undefined {
    const late = this.#file.get<{ hour: number }>(
      'SELECT hour FROM late_hours WHERE hour < ? ORDER BY hour LIMIT 1',
      this.hoursUpTo,
    )
    if (late) return late.hour
    const isOver = () => this.hoursUpTo + HOUR + GRACE <= this.now
    if (!isOver()) return undefined
    // Where nobody was there, there is nothing to do.
    const next = this.#file.get<{ time: number }>(
      'SELECT time FROM samples WHERE time >= ? ORDER BY time LIMIT 1',
      this.hoursUpTo,
    )
    this.#setMark('hours_up_to', floorTo(HOUR, Math.min(next?.time ?? this.now, this.now)))
    return isOver() ? this.hoursUpTo : undefined
  }

  #rollUpSeries(hour: number, from: number): void {
    const rows = this.#file.all<{ series: number; point: number } & Sums>(
      `SELECT series, (time - ?) / ${FIVE_MINUTES.step} AS point, sum(value) AS sum, min(value) AS min, max(value) AS max, count(*) AS count
        FROM samples WHERE time >= ? AND time < ? AND series >= ? AND series < ? GROUP BY series, point ORDER BY series`,
      floorTo(FIVE_MINUTES.span, hour),
      hour,
      hour + HOUR,
      from,
      from + SERIES_AT_ONCE,
    )
    for (const points of bySeries(rows)) {
      const { series } = points[0] as (typeof rows)[number]
      const fine = this.#row(FIVE_MINUTES, hour, series)
      for (const { point, ...sums } of points) fine.set(point, sums)
      this.#keep(FIVE_MINUTES, hour, series, fine)

      const coarse = this.#row(HOURS, hour, series)
      coarse.set((hour % HOURS.span) / HOUR, together(points))
      this.#keep(HOURS, hour, series, coarse)
      if (hour < this.daysUpTo) this.#keepDay(hour, series, coarse)
    }
  }

  /** The level of days: some series of the next day that is over. */
  #rollUpDay(): boolean {
    const day = this.daysUpTo
    if (!this.#marks.has('days_up_to') || day + DAY > this.hoursUpTo) return false
    const next = this.#file.get<{ start: number }>(
      'SELECT start FROM hours WHERE start >= ? ORDER BY start LIMIT 1',
      day,
    )
    if (next?.start === day) {
      for (const { series, points } of this.#file.all<{ series: number; points: Uint8Array }>(
        'SELECT series, points FROM hours WHERE start = ?',
        day,
      ))
        this.#keepDay(day, series, new Points(points))
    }
    const following = next?.start === day ? day + DAY : (next?.start ?? Number.POSITIVE_INFINITY)
    this.#setMark('days_up_to', Math.min(following, floorTo(DAY, this.hoursUpTo)))
    return true
  }

  #keepDay(time: number, series: number, hours: Points): void {
    const days = this.#row(DAYS, time, series)
    days.set((floorTo(DAY, time) % DAYS.span) / DAY, sumOf(hours))
    this.#keep(DAYS, time, series, days)
  }

  #row({ table, span }: Level, time: number, series: number): Points {
    const start = floorTo(span, time)
    return new Points(
      this.#file.get<{ points: Uint8Array }>(
        `SELECT points FROM ${table} WHERE start = ? AND series = ?`,
        start,
        series,
      )?.points,
    )
  }

  #keep({ table, span }: Level, time: number, series: number, { bytes }: Points): void {
    this.#file.run(`INSERT OR REPLACE INTO ${table} VALUES (?, ?, ?)`, floorTo(span, time), series, bytes)
  }

  /** Deletes some of what is too old. */
  #forget(): boolean {
    const { rawDays, fiveMinutesDays, hoursDays, daysDays } = this.#options.keep
    // Of the hour in which a sample may still come, all others are needed.
    const samplesTo = Math.min(floorTo(HOUR, this.now - rawDays * DAY), this.hoursUpTo)
    const first = this.#file.get<{ time: number }>('SELECT time FROM samples ORDER BY time LIMIT 1')
    if (first && first.time < samplesTo) {
      this.#setMark('samples_from', Math.max(this.samplesFrom, floorTo(HOUR, first.time) + HOUR))
      this.#file.run(
        'DELETE FROM samples WHERE time < ?',
        floorTo(SECONDS_AT_ONCE, first.time) + SECONDS_AT_ONCE,
      )
      return true
    }
    return (
      this.#forgetRow(FIVE_MINUTES, fiveMinutesDays, this.hoursUpTo) ||
      this.#forgetRow(HOURS, hoursDays, this.daysUpTo) ||
      this.#forgetRow(DAYS, daysDays, this.daysUpTo)
    )
  }

  #forgetRow({ table, span }: Level, days: number, upTo: number): boolean {
    const first = this.#file.get<{ start: number }>(`SELECT start FROM ${table} ORDER BY start LIMIT 1`)
    if (first === undefined || first.start + span > Math.min(this.now - days * DAY, upTo)) return false
    this.#file.run(`DELETE FROM ${table} WHERE start = ?`, first.start)
    return true
  }
}

/** Rows that are in the order of their series, apart. */
function bySeries<Row extends { series: number }>(rows: readonly Row[]): Row[][] {
  const apart: Row[][] = []
  for (const row of rows) {
    const last = apart.at(-1)
    if (last?.[0]?.series === row.series) last.push(row)
    else apart.push([row])
  }
  return apart
}

function together(points: readonly Sums[]): Sums {
  return points.reduce((a, b) => ({
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    count: a.count + b.count,
  }))
}
