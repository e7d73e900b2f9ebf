/** A program that keeps tasks, killed while it is busy, and what is there then. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import type { openTaskStore as openFromSource } from '../src/task-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { randomFrom } from './files-in-memory.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const { openTaskStore }: { openTaskStore: typeof openFromSource } = await import(
  join(BUILT_FIXTURES, 'task-store.js')
)

const PATIENCE = { timeout: 60_000, interval: 5 }

/** After how many kills another folder is begun: what has ended long ago, or is too much, is not given back for ever. */
const ROUNDS = 10

/**
 * Kills the program as often as that, at moments of a seed, and expects after each that all it has acknowledged is there,
 * with its result, and nothing that it has not been given.
 *
 * @returns how many events were acknowledged
 */
export async function killed(seed: number, times: number): Promise<number> {
  const random = randomFrom(seed)
  let count = 0
  for (let from = 0; from < times; from += ROUNDS) {
    const folder = tempFolder()
    const acknowledged = new Set<string>()
    for (let round = 0; round < Math.min(ROUNDS, times - from); round += 1) {
      const program = start('keeps-tasks.ts', [folder, 'heavily', String(round)])
      await vi.waitFor(() => expect(program.stdout, program.stderr).toMatch(/^open/m), PATIENCE)
      await sleep(random() * 150)
      program.child.kill('SIGKILL')
      await program.ended
      // The last line may be cut.
      for (const line of program.stdout.split('\n').slice(0, -1))
        if (/^[+-]/.test(line)) acknowledged.add(line)
      await isWhole(folder, acknowledged, round)
    }
    count += acknowledged.size
  }
  return count
}

async function isWhole(folder: string, acknowledged: ReadonlySet<string>, round: number): Promise<void> {
  const { log, records } = recordingLog()
  const store = await openTaskStore({ name: 'tasks', folder, log, stop: new AbortController().signal })
  const events = [...store.recovered()]
  const there = new Set(
    events.map(({ kind, id }) => (kind === 'submitted' ? `+${id}` : kind === 'ended' ? `-${id}` : '')),
  )
  expect([...acknowledged].filter((line) => !there.has(line))).toEqual([])
  // Whatever is there was submitted by one of these, and has its own result.
  const wrong = events.filter(
    (event) =>
      Number(event.id.split('-')[0]) > round || (event.kind === 'ended' && event.result !== `"${event.id}"`),
  )
  expect(wrong).toEqual([])
  expect(records).toEqual([])
  await store.close()
}
