/** That the checker of histories says yes to those that can have been, and to no other. */
import { randomBy } from '@rpi-cluster/tutorial/lab/random'
import { describe, expect, test } from 'vitest'
import { isLinearizable, type Operation, type SequentialModel } from '../src/log/linearizable.ts'
import { LEASE_MS, TASK_MODEL, type TaskInput, type TaskOutput } from '../src/log/task-model.ts'

type Input = { readonly write: number } | 'read'
type Drawn = Operation<Input, number>

/** A number that is written and read: 0 at first. */
const REGISTER: SequentialModel<number, Input, number> = {
  initial: 0,
  key: String,
  step(state, input, output) {
    if (input !== 'read') return [input.write]
    return output === undefined || output === state ? [state] : []
  },
}

function write(number: number, calledAt: number, returnedAt?: number): Drawn {
  return {
    input: { write: number },
    calledAt,
    ...(returnedAt !== undefined && { returned: { output: number, at: returnedAt } }),
  }
}

function read(output: number, calledAt: number, at: number): Drawn {
  return { input: 'read', calledAt, returned: { output, at } }
}

describe('a register', () => {
  test.each<[string, Drawn[]]>([
    ['nothing', []],
    ['one thing after the other', [write(1, 0, 1), read(1, 2, 3), write(2, 4, 5), read(2, 6, 7)]],
    ['a read of what is being written', [write(1, 0, 10), read(1, 2, 3), read(1, 4, 5)]],
    ['a read of what is not yet written', [write(1, 0, 10), read(0, 2, 3), read(1, 4, 5)]],
    ['writes at the same time, in either order', [write(1, 0, 10), write(2, 1, 9), read(1, 11, 12)]],
    ['a write that nobody knows of, which happened', [write(1, 0), read(0, 1, 2), read(1, 3, 4)]],
    ['a write that nobody knows of, which did not', [write(1, 0), read(0, 1, 2), read(0, 100, 101)]],
    ['a return at the moment of a call', [write(1, 0, 5), read(0, 5, 6)]],
  ])('can have had %s', (_, history) => {
    expect(isLinearizable(REGISTER, history)).toBe(true)
  })

  test.each<[string, Drawn[]]>([
    ['what was never written', [write(1, 0, 1), read(3, 2, 3)]],
    ['a stale read', [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]],
    ['a write that is lost', [write(1, 0, 1), read(0, 2, 3)]],
    ['a value that comes, goes, and comes back', [write(1, 0, 20), read(1, 1, 2), read(0, 3, 4)]],
    [
      'two reads that see two writes in two orders',
      [write(1, 0, 20), write(2, 0, 20), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)],
    ],
    [
      'a write that nobody knows of, twice',
      [write(1, 0), write(2, 0, 9), read(1, 10, 11), read(2, 12, 13), read(1, 14, 15)],
    ],
  ])('cannot have had %s', (_, history) => {
    expect(isLinearizable(REGISTER, history)).toBe(false)
  })

  test('is judged as by one who tries every order', () => {
    const next = randomBy(27)
    const whole = (below: number) => Math.floor(below * next())
    const found = { yes: 0, no: 0 }
    for (let round = 0; round < 4_000; round += 1) {
      const history = Array.from({ length: 1 + whole(6) }, (): Drawn => {
        const calledAt = whole(12)
        const at = calledAt + whole(6)
        const isKnown = next() < 0.8
        if (next() < 0.5) return write(whole(3), calledAt, isKnown ? at : undefined)
        return isKnown ? read(whole(3), calledAt, at) : { input: 'read', calledAt }
      })
      const isOne = isLinearizable(REGISTER, history)
      expect(isOne, JSON.stringify(history)).toBe(triesAll(REGISTER, history))
      found[isOne ? 'yes' : 'no'] += 1
    }
    expect(Math.min(found.yes, found.no)).toBeGreaterThan(500)
  })
})

describe('a task', () => {
  const submit = (calledAt: number, at: number) => known({ kind: 'submit' }, { kind: 'submit' }, calledAt, at)
  const take = (lease: string, is: string, calledAt: number, at = calledAt) => {
    const isTaken = is === `taken by ${lease}`
    return known({ kind: 'take', lease }, { kind: 'take', isTaken, at, is }, calledAt, calledAt + 1)
  }
  const finish = (lease: string, isDone: boolean, calledAt: number) =>
    known({ kind: 'finish', lease }, { kind: 'finish', isDone }, calledAt, calledAt + 1)
  const reads = (is: string, calledAt: number) =>
    known({ kind: 'read' }, { kind: 'read', is }, calledAt, calledAt + 1)
  const unknown = (input: TaskInput, calledAt: number) => ({ input, calledAt })

  test.each<[string, Operation<TaskInput, TaskOutput>[]]>([
    [
      'submitted twice, and done',
      [submit(0, 1), submit(2, 3), take('a', 'taken by a', 4), finish('a', true, 6), reads('done by a', 8)],
    ],
    [
      'taken before it is known that it was submitted',
      [submit(0, 9), take('a', 'taken by a', 2), reads('taken by a', 4)],
    ],
    [
      'finished again by who has finished it',
      [submit(0, 1), take('a', 'taken by a', 2), finish('a', true, 4), finish('a', true, 6)],
    ],
    [
      'taken again when the lease is over',
      [
        submit(0, 1),
        take('a', 'taken by a', 2),
        take('b', 'taken by b', 4, 2 + LEASE_MS),
        finish('a', false, 6),
      ],
    ],
    [
      'not taken while the lease goes on',
      [submit(0, 1), take('a', 'taken by a', 2), take('b', 'taken by a', 4, 1 + LEASE_MS)],
    ],
    [
      'taken by one of whom nobody knows',
      [
        submit(0, 1),
        unknown({ kind: 'take', lease: 'a' }, 2),
        take('b', 'taken by a', 3),
        reads('taken by a', 5),
      ],
    ],
    [
      'done by one of whom nobody knows',
      [
        submit(0, 1),
        take('a', 'taken by a', 2),
        unknown({ kind: 'finish', lease: 'a' }, 4),
        reads('taken by a', 5),
        reads('done by a', 7),
      ],
    ],
  ])('can have been %s', (_, history) => {
    expect(isLinearizable(TASK_MODEL, history)).toBe(true)
    expect(triesAll(TASK_MODEL, history)).toBe(true)
  })

  test.each<[string, Operation<TaskInput, TaskOutput>[]]>([
    ['taken and never submitted', [take('a', 'taken by a', 0)]],
    ['taken by two', [submit(0, 1), take('a', 'taken by a', 2), take('b', 'taken by b', 4)]],
    ['refused without a reason', [submit(0, 1), take('a', 'open', 2)]],
    [
      'refused although the lease is over',
      [submit(0, 1), take('a', 'taken by a', 2), take('b', 'taken by a', 4, 2 + LEASE_MS)],
    ],
    [
      'finished by who has it no more',
      [
        submit(0, 1),
        take('a', 'taken by a', 2),
        take('b', 'taken by b', 4, 2 + LEASE_MS),
        finish('a', true, 6),
      ],
    ],
    [
      'done by two',
      [submit(0, 1), take('a', 'taken by a', 2), finish('a', true, 4), take('b', 'taken by b', 6, 9_000)],
    ],
    ['forgotten', [submit(0, 1), reads('unknown', 2)]],
    [
      'open again after it was done',
      [submit(0, 1), take('a', 'taken by a', 2), finish('a', true, 4), reads('open', 6)],
    ],
    [
      'done, and then only taken',
      [
        submit(0, 1),
        take('a', 'taken by a', 2),
        unknown({ kind: 'finish', lease: 'a' }, 4),
        reads('done by a', 5),
        reads('taken by a', 7),
      ],
    ],
  ])('cannot have been %s', (_, history) => {
    expect(isLinearizable(TASK_MODEL, history)).toBe(false)
    expect(triesAll(TASK_MODEL, history)).toBe(false)
  })
})

function known(
  input: TaskInput,
  output: TaskOutput,
  calledAt: number,
  at: number,
): Operation<TaskInput, TaskOutput> {
  return { input, calledAt, returned: { output, at } }
}

/** Every order of every set of operations that may have happened, one after the other, in the most simple way. */
function triesAll<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const tries = (state: State, left: readonly Operation<Input, Output>[]): boolean => {
    if (left.every(({ returned }) => !returned)) return true
    return left.some((next) => {
      const rest = left.filter((other) => other !== next)
      // Who returned before another was called came before it.
      if (rest.some(({ returned }) => returned && returned.at < next.calledAt)) return false
      return model.step(state, next.input, next.returned?.output).some((after) => tries(after, rest))
    })
  }
  return tries(model.initial, history)
}
