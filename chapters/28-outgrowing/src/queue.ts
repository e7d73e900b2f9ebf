/** What became of work: `queue failed`, `queue show GROUP`, `queue cancel GROUP`, `queue retry ID`. */
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { TaskState } from '@rpi-cluster/core/tasks'
import { asSubmitter } from './submitter.ts'

stopSignal()
const log = createLogger('queue')
const [verb, ...rest] = process.argv.slice(2)
const names = rest[0]?.startsWith('-') ? [] : rest.slice(0, 1)
process.argv.splice(2, 1 + names.length) // what is left is --config FILE, or nothing
const [name = ''] = names
if (!['failed', 'show', 'cancel', 'retry'].includes(verb ?? '') || (verb === 'failed') !== (name === ''))
  throw new OperationalError('Say what to do: failed, show GROUP, cancel GROUP, or retry ID.')

await asSubmitter(log, async (tasks) => {
  if (verb === 'failed') list(await tasks.failed())
  if (verb === 'show') list(await tasks.states({ group: name }))
  if (verb === 'cancel') log.info(`Cancelled: ${await tasks.cancel({ group: name })}`)
  if (verb === 'retry') log.info(`Waiting again: ${await tasks.retry({ ids: [name] })}`)
})

function list(tasks: TaskState[]) {
  for (const { id, name, state, node, attempts, reason, result } of tasks) {
    const where = node === undefined ? '' : ` on ${node}`
    const what = reason ?? (result === undefined ? '' : textOf(result).slice(0, 100))
    log.info(
      `${name} ${id} is ${state}${where}, after ${attempts === 1 ? 'one attempt' : `${attempts} attempts`}${what && `: ${what}`}`,
    )
  }
  if (tasks.length === 0) log.info('None')
}
