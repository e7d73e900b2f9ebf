import { expect, test } from 'vitest'
import { defineTasks, type TaskDefinition } from '../src/worker.ts'

const run = () => null

test('tasks that are right are given back as they are', () => {
  const tasks = {
    draw: { version: 1, run },
    'draw_2-b': { version: 7, seconds: 0.5, memoryMb: 16, requires: ['camera'], run },
  }
  expect(defineTasks(tasks)).toBe(tasks)
})

test.each([
  ['Draw', {}, 'its name must be up to 63 small letters, digits, - and _, and begin with a letter'],
  ['d'.repeat(64), {}, 'its name must be up to 63 small letters'],
  ['__proto__x', {}, 'its name must be'],
  ['draw', { version: 0 }, 'its version must be a whole number from 1 on, and is 0'],
  ['draw', { version: '1' }, 'its version must be a whole number from 1 on, and is "1"'],
  ['draw', { run: 'draw' }, 'its "run" must be a function, and is "draw"'],
  ['draw', { seconds: 0 }, 'its "seconds" must be more than 0, and at most 86400, and are 0'],
  ['draw', { seconds: Number.NaN }, 'its "seconds" must be more than 0, and at most 86400, and are NaN'],
  ['draw', { seconds: '5' }, 'its "seconds" must be more than 0, and at most 86400, and are "5"'],
  ['draw', { memoryMb: 1.5 }, 'its "memoryMb" must be a whole number from 1 to 1048576, and is 1.5'],
  ['draw', { requires: 'camera' }, 'its "requires" must be a list of texts, and is "camera"'],
  ['draw', { requires: ['camera', 64] }, 'its "requires" must be a list of texts, and is ["camera",64]'],
])('a mistake in %s, with %j, is told', (name, mistake, problem) => {
  const definition = { version: 1, run, ...mistake } as TaskDefinition
  expect(() => defineTasks({ fine: { version: 1, run }, [name]: definition })).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      message: expect.stringContaining(`The task "${name}": ${problem}`),
    }),
  )
})

test('a task that is no object is told', () => {
  expect(() => defineTasks({ draw: run as unknown as TaskDefinition })).toThrow(
    'The task "draw": it must be an object.',
  )
})
