import { describe, expect, test } from 'vitest'
import * as v from 'valibot'
import type { TaskEvent } from '../src/tasks.ts'
import { failedRow, queueRow, workerRow } from '../src/tasks.ts'
import { aPrimary, type Given } from './tasks-support.ts'

describe('a task', () => {
  test('goes from who submits it to a node, and its end to who follows it', async () => {
    const { come, aWorker, submit, waitFor, tasks, lines } = await aPrimary()
    const results: unknown[] = []
    const { dialogue } = await come('desk', {
      task_results: (payload) => void results.push(...(payload as unknown[])),
    })
    const worker = await aWorker('pi-1')
    const input = { text: 'Grüße\r\n', list: [1, null, { deep: true }] }
    const { ids } = await submit(dialogue, [{ name: 'add', input, group: 'a picture' }], true)
    await waitFor(() => expect(worker.given).toHaveLength(1))
    const [task] = worker.given as [Given]
    expect(task).toEqual({ id: ids[0], lease: expect.any(Number), name: 'add', input, attempt: 1 })
    worker.send('task_progress', [{ id: task.id, lease: task.lease, done: 0.5 }])
    const states = async () =>
      (await dialogue.ask('task_states', { answer: 'task_states', about: { ids } })) as { tasks: unknown[] }
    await waitFor(async () => expect((await states()).tasks).toMatchObject([{ progress: 0.5, state: 'running' }]))
    worker.end(task, { result: { said: 'é' }, ms: 12.5 })
    await waitFor(() => expect(results).toHaveLength(1))
    const end = {
      ...{ id: task.id, name: 'add', group: 'a picture', by: 'desk', state: 'done', node: 'pi-1' },
      ...{ attempts: 1, lost: 0, ms: 12.5, result: { said: 'é' } },
    }
    expect(results).toEqual([end])
    expect(await states()).toEqual({ tasks: [end], more: false })
    await waitFor(() => expect(lines()).toContainEqual(expect.stringMatching(/^info a picture: 1 task done in /)))
    expect(tasks.tables.queue.get('queue')).toMatchObject({ waiting: 0, running: 0, done: 1 })
  })
})
