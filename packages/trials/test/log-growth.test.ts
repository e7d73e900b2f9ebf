/** What peers can make the log of chapter 06's master grow, and that the others are still to be seen in it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { chapterTest, type Running } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { BadPeer } from './support/bad-peer.ts'

const test = chapterTest('06-slave-details')

const HEARTBEAT = /Received message from \S+: I am still alive, client: \d+$/

/** The gate's own period under the clock of the tests, which is ten times as fast, in ms. */
const PERIOD_MS = 500

const message = (payload: unknown, type = 'message') => `${JSON.stringify({ type, payload })}\r`

test('a peer that sends messages as fast as it can, and one that connects anew for each, cost some lines and counts', async ({
  chapter,
}) => {
  vi.stubEnv('LOG_EVERY_LINE', '')
  const began = performance.now()
  const master = await chapter.run('master')
  await master.says(/Listening on/)
  await chapter.run('slave')
  await heartbeats(master, 2)

  const flooder = await BadPeer.connect(chapter.port)
  for (let n = 0; n < 30; n += 1) {
    await flooder.says(Array.from({ length: 1_000 }, (_, m) => message(`${n} ${m}`)).join(''))
  }
  await heartbeats(master, 1)
  for (let n = 0; n < 20; n += 1) await flooder.says(message('x'.repeat(100_000)))
  await flooder.leaves()

  for (let n = 0; n < 700; n += 1) {
    const peer = await BadPeer.connect(chapter.port)
    await peer.says(message(n))
    await peer.leaves()
    if (n === 600) await heartbeats(master, 1)
  }
  await heartbeats(master, 1)
  await master.stop()
  const periods = Math.ceil((performance.now() - began) / PERIOD_MS)

  const lines = (await chapter.log('master.log')).map(({ msg }) => String(msg))
  expect(lines.at(-1)).toBe('Stopped')
  expect(lines.length).toBeLessThan(1_000 + 170 * periods)
  expect(statSync(join(chapter.folder, 'master.log')).size).toBeLessThan((1_000 + 170 * periods) * 256)

  // All that happened is said, by a line or a count.
  const shown = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length
  const said = (beginning: string) =>
    shown(new RegExp(`^${beginning} from ${flooder.address}: (?!.*more lines? that begins? so)`)) +
    counted(lines, new RegExp(`^${beginning} from ${flooder.address}: (\\d+) more lines? that begins? so`))
  expect(said('Received message')).toBe(30_020)
  expect(shown(new RegExp(`^Received message from ${flooder.address}`))).toBeLessThan(100 + 11 * periods)
  const clients = shown(/^Got client at \S+\d$/)
  expect(clients).toBeGreaterThan(50)
  expect(clients + counted(lines, /^Got client at 127\.0\.0\.1: (\d+) more/)).toBe(702)
})

/** Waits for so many more heartbeats of the slave in the master's log. */
async function heartbeats(master: Running, more: number): Promise<void> {
  await master.says(HEARTBEAT, master.lines.filter((line) => HEARTBEAT.test(line)).length + more)
}

/** The sum of the counts in the lines. */
function counted(lines: readonly string[], pattern: RegExp): number {
  return lines.reduce((sum, line) => sum + Number(pattern.exec(line)?.[1] ?? 0), 0)
}
