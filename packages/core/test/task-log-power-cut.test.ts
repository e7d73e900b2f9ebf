/** The power goes at every point of a run: what the disk has then opens with all that was acknowledged. */
import { expect, test } from 'vitest'
import type { TaskEvent } from '../src/task-journal.ts'
import { afterPowerCut, FilesInMemory, type Moment, randomFrom } from './files-in-memory.ts'
import {
  commit,
  commitsOf,
  FOLDER,
  opened,
  placesOf,
  submitted,
  triedOn,
  wrongOf,
} from './task-log-support.ts'

const SEED = Number(process.env['POWER_CUT_SEED'] ?? 25)
const COMMITS = Number(process.env['POWER_CUT_COMMITS'] ?? 20)

/** As long as a busy machine takes to open some hundred logs. */
const LONG = { timeout: 300_000 }

/** A moment of a run, how many of its events were acknowledged by then, and how many were written. */
interface Point {
  moment: Moment
  acknowledged: number
}

/** Runs a log with a power cut to be at every change of a file. */
async function run({ syncs = true, seed = SEED } = {}): Promise<{ points: Point[]; events: TaskEvent[] }> {
  const files = new FilesInMemory()
  files.syncs = syncs
  const points: Point[] = []
  const events: TaskEvent[] = []
  let acknowledged = 0
  const note = () => points.push({ moment: files.moment(), acknowledged })
  files.changed = note
  let { log } = await opened(files)
  let count = 0
  for (const some of commitsOf(randomFrom(seed), COMMITS)) {
    events.push(...some)
    await commit(log, ...some)
    acknowledged = events.length
    note()
    count += 1
    // A program is started anew now and then, and what it has to do besides is done.
    if (count % 12 === 0) {
      await log.close()
      log = (await opened(files)).log
    }
    if (count % 6 === 0) await log.tidy()
  }
  await log.close()
  note()
  expect(files.list(FOLDER).some((name) => name.endsWith('.kept'))).toBe(true)
  return { points, events }
}

/** What a cut may leave, and is told. */
const MENDED = /it is taken from the file mark beside it/

/** How many of these points lose something, or are refused. */
async function lossesOf({ points, events }: Awaited<ReturnType<typeof run>>): Promise<string[]> {
  const random = randomFrom(SEED + 1)
  const places = placesOf(events)
  const losses: string[] = []
  for (const [index, { moment, acknowledged }] of points.entries()) {
    for (const choose of [undefined, random, random]) {
      const files = FilesInMemory.of(afterPowerCut(moment, choose))
      const left = await triedOn(files)
      const wrong =
        'refused' in left
          ? `refused: ${left.refused}`
          : (left.warnings.find((line) => !MENDED.test(line)) ??
            wrongOf(left.events, events, places, acknowledged))
      if (wrong !== undefined) losses.push(`point ${index}, ${acknowledged} acknowledged: ${wrong}`)
      if ('refused' in left || wrong !== undefined) continue
      // It goes on from there, and loses nothing by a second cut.
      if (index % 7 !== 0) continue
      const next = submitted(`next-${index}`, Date.now())
      await commit(left.log, next)
      const second = await triedOn(FilesInMemory.of(afterPowerCut(files.moment(), random)))
      expect('events' in second && second.events.at(-1), `a second cut after point ${index}`).toEqual(next)
    }
  }
  return losses
}

test(
  `all that was acknowledged is there, wherever the power goes in a run of seed ${SEED}`,
  LONG,
  async () => {
    const done = await run()
    expect(done.points.length).toBeGreaterThan(4 * COMMITS)
    expect(await lossesOf(done)).toEqual([])
  },
)

test('without synchronisation it is not, and this test shows it', LONG, async () => {
  const losses = await lossesOf(await run({ syncs: false }))
  expect(losses.filter((loss) => loss.includes('lost') || loss.includes('refused')).length).toBeGreaterThan(
    50,
  )
})
