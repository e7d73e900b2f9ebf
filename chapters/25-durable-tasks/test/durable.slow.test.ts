/**
 * A primary that hands out work is killed at any moment, again and again, while sixteen hand in and two do what is handed
 * out. `DURABLE_KILLS=1000 pnpm --filter 25-durable-tasks test:slow` does so a thousand times, and with `DURABLE_SEED=N` at
 * the same moments again.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChapterCopy, type Running, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const SEED = Number(process.env['DURABLE_SEED'] ?? randomInt(1_000_000_000))
const KILLS = Number(process.env['DURABLE_KILLS'] ?? 50)

/** How long it is let alone at most, once work is taken again, in ms. */
const LONGEST_MS = 400

const PATIENCE = { timeout: 120_000, interval: 50 }

test(`killed ${KILLS} times, of seed ${SEED}, the primary loses nothing that it has acknowledged, and invents nothing`, {
  timeout: 120_000 + 10_000 * KILLS,
}, async ({ chapter }) => {
  const random = randomFrom(SEED)
  await chapter.write('src/load.ts', "import '../test/load.ts'\n")
  let primary = await chapter.run('primary')
  await Promise.all([chapter.run('secondary'), chapter.run('secondary')])
  await primary.says(/ secondary-\d does tasks: /, 2)
  const load = await chapter.run('load')
  for (let kill = 0; kill < KILLS; kill += 1) {
    const [taken, ended] = [idsOf(load, '+').length, idsOf(load, '-').length]
    await vi.waitFor(() => {
      expect(idsOf(load, '+').length).toBeGreaterThan(taken)
      expect(idsOf(load, '-').length).toBeGreaterThan(ended)
    }, PATIENCE)
    await sleep(random() * LONGEST_MS)
    primary.signal('SIGKILL')
    await primary.ends()
    primary = await chapter.run('primary')
    await primary.says(/ Listening on /)
  }
  load.signal('SIGUSR2')
  await vi.waitFor(
    () => expect(idsOf(load, '-').length).toBeGreaterThanOrEqual(idsOf(load, '+').length),
    PATIENCE,
  )
  await load.ends()
  expect([load.exitCode, load.lines.filter((line) => /^-\S+ /.test(line))]).toEqual([0, []])
  const [acknowledged, ended] = [idsOf(load, '+').sort(), idsOf(load, '-').sort()]
  expect(acknowledged.length).toBeGreaterThan(KILLS)
  // Each has ended once, with its own result, and nothing else has.
  expect(ended).toEqual(acknowledged)
  expect(await historyOf(chapter)).toEqual(acknowledged)
})

function idsOf({ lines }: Running, sign: '+' | '-'): string[] {
  return lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1))
}

/** What the history says that has ended, page by page. */
async function historyOf(chapter: ChapterCopy): Promise<string[]> {
  const webserver = await chapter.run('webserver')
  await webserver.says(/ Connected to /)
  const ids: string[] = []
  let after = ''
  do {
    const address = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/api/history?state=done${after}`
    const page = (await (await fetch(address)).json()) as { tasks: { id: string }[]; after?: number }
    ids.push(...page.tasks.map(({ id }) => id))
    after = page.after === undefined ? '' : `&after=${page.after}`
  } while (after !== '')
  return ids.sort()
}

/** Numbers from 0 to 1 by chance, the same for the same seed: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
