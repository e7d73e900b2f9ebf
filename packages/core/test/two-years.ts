/** A store's file as a hundred nodes would have filled it in two years: made in seconds, and just as large. */
import { openFile, type StoreFile } from '../src/store-file.ts'
import { floorTo, LEVELS, type Level, POINTS, Points } from '../src/store-levels.ts'

const DAY = 86_400

export const TWO_YEARS = {
  nodes: 100,
  vitals: ['cpu_percentage', 'cpu_frequency', 'ram_free', 'swap_free'],
  /** In s. */
  every: 60,
  /** The last moment, at which a day ends, in s since 1970. */
  end: 1_750_032_000,
  /** How many days of each level there are; 24 points of days are a row. */
  days: { samples: 1, five_minutes: 30, hours: 730, days: 744 },
}

/** What was measured: days and nodes differ, and so do the digits of two samples. */
export function valueAt(series: number, time: number): number {
  const noise = ((time * 7919 + series * 104_729) % 9973) / 9973
  return 40 + 30 * Math.sin((2 * Math.PI * time) / DAY + series) + 5 * noise
}

/** Makes it. */
export function makeTwoYears(path: string): void {
  const file = openFile(path)
  const { nodes, vitals, end, every, days } = TWO_YEARS
  const series = nodes * vitals.length
  file.transaction(() => {
    for (const vital of vitals) file.run('INSERT INTO vitals (vital) VALUES (?)', vital)
    for (let node = 1; node <= nodes; node += 1) {
      file.run('INSERT INTO nodes (node, name) VALUES (?, ?)', `node-${node}`, `pi-${node}`)
      for (let vital = 1; vital <= vitals.length; vital += 1)
        file.run('INSERT INTO series (vital, node) VALUES (?, ?)', vital, node)
    }
    const marks = { newest: end - every, hours_up_to: end, days_up_to: end, samples_from: end - DAY }
    for (const [mark, time] of Object.entries(marks)) file.run('INSERT INTO marks VALUES (?, ?)', mark, time)
  })
  for (const level of LEVELS) {
    for (let start = floorTo(level.span, end - days[level.table] * DAY); start < end; start += level.span)
      file.transaction(() => {
        for (let id = 1; id <= series; id += 1) putRow(file, level, start, id)
      })
  }
  for (let hour = end - DAY; hour < end; hour += 3600)
    file.transaction(() => {
      for (let time = hour; time < hour + 3600; time += every)
        for (let id = 1; id <= series; id += 1)
          file.run('INSERT INTO samples VALUES (?, ?, ?)', time, id, valueAt(id, time))
    })
  file.close()
}

function putRow(file: StoreFile, { table, step }: Level, start: number, id: number): void {
  const points = new Points()
  for (let index = 0; index < POINTS && start + index * step < TWO_YEARS.end; index += 1) {
    const mean = valueAt(id, start + index * step)
    const count = step / TWO_YEARS.every
    points.set(index, { sum: mean * count, min: mean - 1.3, max: mean + 1.7, count })
  }
  file.run(`INSERT INTO ${table} VALUES (?, ?, ?)`, start, id, points.bytes)
}
