/** Hands in the tasks of a trial, notes how each has ended, and leaves when all have. What was poison is tried again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openKey } from '@rpi-cluster/core/key-files'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { hasEnded, type NewTask, TaskClient, type TaskState } from '@rpi-cluster/core/tasks'
import { note } from './notes.ts'

/** How often is looked what has become of what is tried again, in ms. */
const LOOK_MS = 1_000

const done = new AbortController()
const stop = AbortSignal.any([stopSignal(), done.signal])
const log = createLogger('submitter')
const key = await openKey({ file: 'keys/submitter.key', log, stop })

class Submitter extends ConnectingNode {
  readonly tasks = new TaskClient(this)
  override handlers = this.tasks.handlers

  override async greet() {
    await this.tasks.resume()
  }
}

const secure = encryptedBy(key)
const node = new Submitter({ peer: 'primary', host: '127.0.0.1', port: 7001, secure, stop, log })
const lives = node.run()
await Promise.race([lives, handIn()])
done.abort()
await lives

async function handIn() {
  const client = node.tasks
  await client.submit(newTasks(Number(process.env['TASKS'])), { follow: true })
  log.info('All are handed in')
  let again: string[] = []
  for await (const end of client.ends()) {
    noteEnd(end)
    if (end.kind === 'poison') again.push(end.id)
  }
  while (again.length > 0) {
    log.warn(`To be tried again: ${again.join(', ')}`)
    await patiently(() => client.retry({ ids: again }))
    const ended = await allEnded(again)
    for (const end of ended) noteEnd(end)
    again = ended.flatMap(({ kind, id }) => (kind === 'poison' ? id : []))
  }
  log.info('All have ended')
}

/** Every third takes its time. */
function newTasks(count: number): NewTask[] {
  return Array.from({ length: count }, (_, number) => {
    const id = String(number)
    return number % 3 === 0
      ? { id, name: 'slow', input: { number, ms: (number * 7) % 300 } }
      : { id, name: 'quick', input: number }
  })
}

async function allEnded(ids: readonly string[]): Promise<TaskState[]> {
  for (;;) {
    const states = await patiently(() => node.tasks.states({ ids }))
    if (states.length === ids.length && states.every(hasEnded)) return states
    await sleep(LOOK_MS, undefined, { signal: stop })
  }
}

/** Does something as soon as there is a connection. */
async function patiently<Result>(act: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error
      await sleep(LOOK_MS, undefined, { signal: stop })
    }
  }
}

function noteEnd({ id, state, result, lost, kind }: TaskState) {
  note({ what: 'end', id, state, result, lost, kind })
}
