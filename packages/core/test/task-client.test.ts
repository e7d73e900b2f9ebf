import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Connection } from '../src/connection.ts'
import { JsonText } from '../src/frames.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { ConnectingNode } from '../src/node.ts'
import { type FullQueue, type NewTask, TaskClient, type TaskEnd } from '../src/tasks.ts'
import { recordingLog } from './support.ts'
import { aPrimary, type Given, type HandWorker } from './tasks-support.ts'

/** Who asks nobody: each question is answered by the test. */
function anAsker(...answers: (unknown | Error)[]) {
  const asked: { question: string; about: { tasks: { id: string }[] } }[] = []
  const ask = async (question: string, { about }: { about?: unknown }) => {
    asked.push({
      question,
      about: about instanceof JsonText ? JSON.parse(about.json) : about,
    } as (typeof asked)[0])
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return typeof answer === 'function' ? answer(asked.at(-1)) : answer
  }
  return { asked, client: new TaskClient({ ask }) }
}

const all = ({ about }: { about: { tasks: { id: string }[] } }) => ({ ids: about.tasks.map(({ id }) => id) })

async function collected(ends: AsyncIterable<TaskEnd>): Promise<TaskEnd[]> {
  const list: TaskEnd[] = []
  for await (const end of ends) list.push(end)
  return list
}

/** A worker that does whatever comes. */
function doAll(worker: HandWorker): void {
  setInterval(() => {
    for (const task of worker.given.splice(0)) worker.end(task, { result: task.input })
  }, 5).unref()
}

describe('a submitter', () => {
  test('hands in, and hears of each end as it comes', async () => {
    const { come, aWorker } = await aPrimary()
    const handlers = {}
    const { dialogue } = await come('desk', handlers)
    const client = new TaskClient(dialogue)
    Object.assign(handlers, client.handlers)
    doAll(await aWorker('pi-1'))
    const tasks: NewTask[] = Array.from({ length: 2_500 }, (_, index) => ({
      ...{ name: 'add', input: { index, text: 'ü'.repeat(20) }, group: 'many' },
    }))
    const submitting = client.submit(tasks, { follow: true })
    const ends = await collected(client.ends())
    const ids = await submitting
    expect(new Set(ends.map(({ id }) => id))).toEqual(new Set(ids))
    const results = new Map(ends.map(({ id, result }) => [id, result]))
    expect(ids.map((id) => results.get(id))).toEqual(tasks.map(({ input }) => input))
    expect(client.open).toBe(0)
    const states = await client.states({ group: 'many' })
    expect(states.map(({ id }) => id)).toEqual(ids)
    expect(await client.states({ ids: ['unknown', ...ids] })).toHaveLength(2_500)
  })

  test('with a queue that is full waits, and hands in the rest', async () => {
    const { come, aWorker } = await aPrimary({ mostWaiting: 10 })
    const { dialogue } = await come('desk')
    const client = new TaskClient(dialogue)
    const full: FullQueue[] = []
    let begin = () => {}
    const begun = new Promise<void>((resolve) => (begin = resolve))
    const submitting = client.submit(
      Array.from({ length: 30 }, () => ({ name: 'add' })),
      {
        onFull: (found) => {
          full.push(found)
          begin()
        },
      },
    )
    await begun
    expect(full[0]).toEqual({ waiting: 10, most: 10, taken: 10, of: 30 })
    doAll(await aWorker('pi-1'))
    expect(await submitting).toHaveLength(30)
  })

  test('may be stopped while it waits', async () => {
    const { come } = await aPrimary({ mostWaiting: 1 })
    const { dialogue } = await come('desk')
    const stop = new AbortController()
    const submitting = new TaskClient(dialogue).submit([{ name: 'add' }, { name: 'add' }], {
      ...{ stop: stop.signal, onFull: () => stop.abort() },
    })
    await expect(submitting).rejects.toThrow(/abort/i)
  })

  test('is told why it is refused', async () => {
    const { come } = await aPrimary()
    const { dialogue } = await come('pi-1')
    const client = new TaskClient(dialogue)
    const why = 'The primary refuses that: pi-1 is not among those who may hand in tasks'
    await expect(client.submit([{ name: 'add' }], { follow: true })).rejects.toThrow(why)
    await expect(client.states({ ids: [] })).resolves.toEqual([])
    await expect(client.states({ ids: ['x'] })).rejects.toThrow(why)
    await expect(client.cancel({ group: 'x' })).rejects.toThrow(why)
    await expect(client.failed()).rejects.toThrow(why)
    await expect(client.retry({ all: true })).rejects.toThrow(why)
    expect(await collected(client.ends())).toEqual([])
    const large = client.submit([{ name: 'add' }, { name: 'add', input: 'x'.repeat(1_050_000) }])
    await expect(large).rejects.toThrow(
      'The input of task 2 of 2 is too large: it has 1050002 bytes, and 1044480 are the most.',
    )
  })

  test('cancels, looks at what has failed, and has it tried again', async () => {
    const { come, aWorker, waitFor } = await aPrimary({ attempts: 1 })
    const { dialogue } = await come('desk')
    const client = new TaskClient(dialogue)
    const ids = await client.submit([
      { name: 'add', id: 'a' },
      { name: 'add' },
      { name: 'shoot', group: 'g' },
    ])
    const worker = await aWorker('pi-1')
    await waitFor(() => expect(worker.given).toHaveLength(2))
    worker.end(worker.given[0] as Given, { kind: 'threw', reason: 'so' })
    await waitFor(async () =>
      expect(await client.failed()).toMatchObject([{ id: 'a', kind: 'threw', reason: 'so' }]),
    )
    expect(await client.retry({ ids: ['a', 'b'] })).toBe(1)
    expect(await client.cancel({ ids })).toBe(3)
    expect(await client.cancel({ group: 'g' })).toBe(0)
  })

  test('tries again what got no answer, with the same ids, and not what will not be answered otherwise', async () => {
    const { client, asked } = anAsker(new OperationalError('There is no connection.'), all)
    const ids = await client.submit([{ name: 'add' }, { name: 'add', id: 'mine' }])
    expect(asked.map(({ about }) => about.tasks.map(({ id }) => id))).toEqual([ids, ids])
    expect(ids[1]).toBe('mine')
    const { client: other } = anAsker(new TypeError('a mistake'))
    await expect(other.submit([{ name: 'add' }])).rejects.toThrow('a mistake')
    const { client: third } = anAsker('nonsense')
    await expect(third.submit([{ name: 'add' }])).rejects.toThrow(
      'What the primary answers says nothing of tasks.',
    )
  })

  test.each([
    ['while it waits', true],
    ['before it does', false],
  ])('tries again at once when there is another connection %s', async (_, pauses) => {
    const chance = vi.spyOn(Math, 'random').mockReturnValue(0.999) // of a second, without one
    onTestFinished(() => void chance.mockRestore())
    const { client, asked } = anAsker(new OperationalError('There is no connection.'), all)
    const submitted = client.submit([{ name: 'add', id: 'a' }])
    const late = sleep(900).then(() => 'late')
    expect(asked).toHaveLength(1)
    if (pauses) await sleep(1)
    await client.resume()
    expect(await Promise.race([submitted, late])).toEqual(['a'])
  })

  test('tries again what its node has ended the connection for, since somebody else leads; not what it has stopped itself', async () => {
    const over = AbortSignal.abort().reason
    const { client, asked } = anAsker(over, all)
    const submitted = client.submit([{ name: 'add', id: 'a' }])
    await client.resume()
    expect(await submitted).toEqual(['a'])
    expect(asked).toHaveLength(2)
    const stopping = new AbortController()
    const stopped = anAsker(() => {
      stopping.abort()
      throw over
    }).client.submit([{ name: 'add' }], { stop: stopping.signal })
    await expect(stopped).rejects.toBe(stopping.signal.reason)
  })

  test('hears once of what comes twice', async () => {
    const { client } = anAsker(all)
    const ids = await client.submit([{ name: 'add' }, { name: 'add' }], { follow: true })
    const ends = ids.map((id) => ({ id, name: 'add', by: 'desk', state: 'done', attempts: 1, lost: 0 }))
    for (const list of [ends.slice(0, 1), ends]) client.handlers['task_results']?.(list, {} as Connection)
    expect(await collected(client.ends())).toEqual(ends)
  })

  test('that loses its connection hears afterwards of what has ended meanwhile', async () => {
    const { come, aWorker, waitFor, port, node, stop } = await aPrimary()
    let client: TaskClient | undefined
    class Desk extends ConnectingNode {
      override async greet(): Promise<void> {
        await client?.resume()
      }
    }
    const worker = await aWorker('pi-1', { slots: 8 })
    await come('desk') // whoever comes next proves the same
    const desk = new Desk({ peer: 'primary', host: '127.0.0.1', port: port(), stop, log: recordingLog().log })
    client = new TaskClient(desk)
    desk.handlers = client.handlers
    void desk.run()
    const ids = ['a', 'b', 'c']
    await client.submit(
      ids.map((id) => ({ name: 'add', id })),
      { follow: true },
    )
    const ends = collected(client.ends())
    await waitFor(() => expect(worker.given).toHaveLength(3))
    worker.end(worker.given[0] as Given)
    await waitFor(() => expect(client?.open).toBe(2))
    const [last] = node.roster.entries.at(-1) ?? []
    last?.socket.destroy()
    worker.end(worker.given[1] as Given)
    await waitFor(() => expect(client?.open).toBe(1))
    worker.end(worker.given[2] as Given)
    expect((await ends).map(({ id }) => id)).toEqual(ids)
  })

  test('that gets no answer when it is back asks again', async () => {
    const done = { id: 'a', name: 'add', by: 'desk', state: 'done', attempts: 1, lost: 0 }
    const late = new OperationalError('No answer from the primary to "task_states" in 10 s.')
    const { client, asked } = anAsker(all, late, late, { tasks: [done], more: false })
    await client.submit([{ name: 'add', id: 'a' }], { follow: true })
    await expect(client.resume()).rejects.toThrow(late)
    expect(await collected(client.ends())).toEqual([done])
    expect(asked).toHaveLength(4)
  })

  test('hears that a primary that was started anew does not know its tasks', async () => {
    const { client } = anAsker(all, { tasks: [], more: false })
    await client.submit([{ name: 'add', id: 'a' }], { follow: true })
    await client.resume()
    expect(await collected(client.ends())).toMatchObject([
      { id: 'a', name: 'add', state: 'failed', kind: 'unknown' },
    ])
  })
})
