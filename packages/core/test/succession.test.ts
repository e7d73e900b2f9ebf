import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Succession } from '../src/succession.ts'

const [first, second, third] = [{ name: 'first' }, { name: 'second' }, { name: 'third' }]

/** A succession, and what is noted of the work for each. Work ends a turn after it is over. */
function aSuccession() {
  const succession = new Succession<{ name: string }>()
  const stopping = new AbortController()
  const notes: string[] = []
  const work = succession.each(stopping.signal, async ({ name }, over) => {
    notes.push(`${name} begins`)
    await new Promise((resolve) => over.addEventListener('abort', resolve))
    await turn()
    notes.push(`${name} ends`)
  })
  return { succession, stopping, notes, work }
}

test('the work for one has ended before that for the next begins, and one that has gone meanwhile is left out', async () => {
  const { succession, stopping, notes, work } = aSuccession()
  succession.become(first)
  await turn()
  succession.become(second)
  succession.become(third)
  for (let turns = 0; turns < 4; turns += 1) await turn()
  expect(notes).toEqual(['first begins', 'first ends', 'third begins'])
  succession.become(undefined)
  for (let turns = 0; turns < 4; turns += 1) await turn()
  succession.become(first)
  await turn()
  stopping.abort()
  await work
  expect(notes.slice(3)).toEqual(['third ends', 'first begins', 'first ends'])
})

test('work that returns early is not done again for the same one', async () => {
  const succession = new Succession<{ name: string }>()
  const stopping = new AbortController()
  const notes: string[] = []
  const work = succession.each(stopping.signal, async ({ name }) => void notes.push(name))
  succession.become(first)
  for (let turns = 0; turns < 4; turns += 1) await turn()
  succession.become(second)
  for (let turns = 0; turns < 4; turns += 1) await turn()
  expect(notes).toEqual(['first', 'second'])
  stopping.abort()
  await work
})

test('an abort because it is over is none of anybody, and any other error is', async () => {
  const succession = new Succession<{ name: string }>()
  const { signal } = new AbortController()
  const work = succession.each(signal, async (holder, over) => {
    if (holder === second) throw new Error('no')
    await new Promise((resolve) => over.addEventListener('abort', resolve))
    over.throwIfAborted()
  })
  succession.become(first)
  await turn()
  succession.become(second)
  await expect(work).rejects.toThrow('no')
})
