import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type History, openStore } from '../src/store.ts'
import { openFile } from '../src/store-file.ts'
import { recordingLog, tempFolder } from './support.ts'
import { makeTwoYears, TWO_YEARS, valueAt } from './two-years.ts'

const HOUR = 3600
const DAY = 86_400
const { end, nodes, vitals, every } = TWO_YEARS

test('two years of a hundred nodes are in 200 MB, are answered from the level that fits, and go on', {
  timeout: 300_000,
}, async () => {
  const folder = tempFolder()
  const path = join(folder, 'vitals.db')
  makeTwoYears(path)
  expect(statSync(path).size).toBeLessThan(200_000_000)

  const { log, records } = recordingLog()
  const store = await openStore({ name: 'vitals', folder, log, commitMs: 600_000 })
  const lengthOf = async (span: number, node?: string) => {
    const query = { vital: 'ram_free', from: end - span, to: end, ...(node !== undefined && { node }) }
    const history = await store.history(query)
    expectRight(history)
    return [history.lines.length, history.step, history.times.length]
  }
  for (const [lines, node] of [
    [1, 'node-7'],
    [100, undefined],
  ] as const) {
    expect(await lengthOf(365 * DAY, node)).toEqual([lines, DAY, 365])
    expect(await lengthOf(30 * DAY, node)).toEqual([lines, 2 * HOUR, 360])
    expect(await lengthOf(10 * DAY, node)).toEqual([lines, 1800, 480])
    expect(await lengthOf(DAY, node)).toEqual([lines, 300, 288])
    expect(await lengthOf(6 * HOUR, node)).toEqual([lines, 60, 360])
    expect(await lengthOf(HOUR, node)).toEqual([lines, 60, 60])
  }

  for (let time = end; time < end + 2 * HOUR; time += every) {
    for (let node = 1; node <= nodes; node += 1) {
      const values = vitals.map((vital, index) => [
        vital,
        valueAt((node - 1) * vitals.length + index + 1, time),
      ])
      store.add({ node: `node-${node}`, name: `pi-${node}`, at: time, values: Object.fromEntries(values) })
    }
  }
  await store.flush()
  const { lines } = await store.history({ vital: 'ram_free', from: end, to: end + 2 * HOUR })
  expect(lines.map(({ mean }) => mean.filter((value) => value !== null).length)).toEqual(Array(100).fill(120))
  // What there is to do besides is done between two commits.
  const file = async () => {
    await store.close()
    return openFile(path)
  }
  for (let turn = 0; turn < 100; turn += 1) await store.vitals()
  const after = await file()
  try {
    expect(after.get('SELECT max(start) AS start FROM five_minutes')).toEqual({ start: end })
    expect(records.filter(({ level }) => level === 'warn')).toEqual([])
  } finally {
    after.close()
  }
})

/** Each point is the mean of what was measured in it, in six digits. */
function expectRight({ lines, times, step }: History): void {
  for (const { node, mean } of lines) {
    const series = (Number(node.slice('node-'.length)) - 1) * vitals.length + vitals.indexOf('ram_free') + 1
    for (const index of [0, 1, times.length >> 1, times.length - 1]) {
      const level = step % DAY === 0 ? DAY : step % HOUR === 0 ? HOUR : step % 300 === 0 ? 300 : every
      const points: number[] = []
      for (
        let time = times[index] as number;
        time < (times[index] as number) + step && time < end;
        time += level
      )
        points.push(valueAt(series, time))
      expect(mean[index]).toBeCloseTo(points.reduce((a, b) => a + b) / points.length, 3)
    }
  }
}
