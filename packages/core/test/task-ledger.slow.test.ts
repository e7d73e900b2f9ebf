/** A ledger of as many tasks as it keeps. */
import { expect, test } from 'vitest'
import { TaskLedger } from '../src/task-ledger.ts'

test('a ledger forgets what is more than a hundred thousand', () => {
  const ledger = new TaskLedger()
  let index = 0
  const enter = (...ids: string[]) => {
    const events = ids.flatMap((id) => [
      { kind: 'submitted', id, name: 'n', input: '1', by: 'b', at: 1 },
      { kind: 'ended', id, state: 'done', attempts: 1, lost: 0, at: 1 },
    ])
    index += 1
    ledger.apply({ index, time: 1, data: JSON.stringify(events) })
  }
  for (let from = 0; from < 100_000; from += 1_000)
    enter(...Array.from({ length: 1_000 }, (_, each) => `${from + each}`))
  expect(ledger.size).toBe(100_000)
  expect(ledger.events().next().value).toMatchObject({ id: '0' })
  enter('last')
  expect([ledger.size, ledger.open]).toEqual([100_000, 0])
  expect(ledger.events().next().value).toMatchObject({ id: '1' })
})
