/** What became of work: `work failed`, `work show GROUP`, `work cancel GROUP`, `work retry ID`. */
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { TaskState } from '@rpi-cluster/core/tasks'
import { openClient } from './client.ts'

const USAGE = 'Say what to do: failed, show GROUP, cancel GROUP, or retry ID.'

const stop = stopSignal()
const log = createLogger('work')
const [verb, ...rest] = process.argv.slice(2)
const names = rest[0]?.startsWith('-') ? [] : rest.slice(0, 1)
process.argv.splice(2, 1 + names.length) // what is left is --config FILE, or nothing
const [name] = names
const { client, close } = await openClient(log, stop)

if (verb === 'failed' && name === undefined) list(await client.failed())
else if (verb === 'show' && name !== undefined) list(await client.states({ group: name }))
else if (verb === 'cancel' && name !== undefined)
  log.info(`Cancelled: ${await client.cancel({ group: name })}`)
else if (verb === 'retry' && name !== undefined)
  log.info(`Waiting again: ${await client.retry({ ids: [name] })}`)
else throw new OperationalError(USAGE)
await close()

function list(tasks: TaskState[]) {
  for (const { id, name, state, node, attempts, ms, reason, result } of tasks) {
    const where = node === undefined ? '' : ` on ${node}`
    const what = reason ?? (result === undefined ? '' : textOf(result).slice(0, 100))
    log.info(`${id} ${name}: ${state}${where}, attempt ${attempts}${ms === undefined ? '' : `, ${ms} ms`}${what && `: ${what}`}`)
  }
  if (tasks.length === 0) log.info('None')
}
