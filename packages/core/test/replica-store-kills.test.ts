/** A member that keeps a replicated log is killed while it writes, again and again. */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { openReplicaStore as openFromSource } from '../src/replica-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { randomFrom } from './files-in-memory.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const { openReplicaStore }: { openReplicaStore: typeof openFromSource } = await import(
  join(BUILT_FIXTURES, 'replica-store.js')
)

const SEED = Number(process.env['KILLS_SEED'] ?? randomInt(1_000_000_000))
const TIMES = Number(process.env['KILLS_TIMES'] ?? 3)

const PATIENCE = { timeout: 60_000, interval: 5 }

/** What was acknowledged: in which round an entry, and the newest of the others. */
interface Acknowledged {
  entries: Map<number, number>
  term: number
  snapshot: number
}

test(`killed ${TIMES} times, of seed ${SEED}, it has what was acknowledged, and nothing that was not written`, {
  timeout: 60_000 + 20_000 * TIMES,
}, async () => {
  const random = randomFrom(SEED)
  const folder = tempFolder()
  const acknowledged: Acknowledged = { entries: new Map(), term: 0, snapshot: 0 }
  for (let round = 0; round < TIMES; round += 1) {
    const program = start('keeps-log.ts', [folder, 'heavily', String(round)])
    await vi.waitFor(() => expect(program.stdout, program.stderr).toMatch(/^\+/m), PATIENCE)
    await sleep(random() * 100)
    program.child.kill('SIGKILL')
    await program.ended
    // The last line may be cut.
    const lines = program.stdout.split('\n').slice(0, -1)
    const from = Number(lines.find((line) => line.startsWith('from'))?.slice(5))
    for (const index of acknowledged.entries.keys()) if (index >= from) acknowledged.entries.delete(index)
    for (const line of lines) {
      const number = Number(line.slice(1))
      if (line.startsWith('+')) acknowledged.entries.set(number, round)
      if (line.startsWith('v')) acknowledged.term = Math.max(acknowledged.term, number)
      if (line.startsWith('s')) acknowledged.snapshot = Math.max(acknowledged.snapshot, number)
    }
    await isWhole(folder, acknowledged, round)
  }
  expect(acknowledged.entries.size).toBeGreaterThan(TIMES)
})

async function isWhole(folder: string, acknowledged: Acknowledged, round: number): Promise<void> {
  const { log, records } = recordingLog()
  const store = await openReplicaStore({ name: 'queue', folder, log, stop: new AbortController().signal })
  const { durable, snapshot, entries } = store.take()
  await store.close()
  const through = snapshot?.last.index ?? 0
  expect(through).toBeGreaterThanOrEqual(acknowledged.snapshot)
  expect(snapshot?.pieces?.join('')).toBe(snapshot && `${through} is the last`)
  expect(durable.term).toBeGreaterThanOrEqual(acknowledged.term)
  const wrong = entries.filter(
    ({ index, term, data }, place) =>
      index !== through + 1 + place ||
      term > round ||
      data !== `${term} ${index} ${'x'.repeat((index * 37) % 500)}`,
  )
  expect(wrong).toEqual([])
  const rounds = new Map(entries.map(({ index, term }) => [index, term]))
  const lost = [...acknowledged.entries].filter(
    ([index, term]) => index > through && rounds.get(index) !== term,
  )
  expect(lost).toEqual([])
  expect(records).toEqual([])
}
