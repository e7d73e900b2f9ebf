import { asTyped } from '@rpi-cluster/core/commands'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { type NodeTask, nodeTasks } from '@rpi-cluster/core/node-tasks'

stopSignal() // Ctrl-C ends what a task runs, too
const log = createLogger('helpers')
const tasks = nodeTasks()
const [name, ...options] = process.argv.slice(2)

if (name === undefined) list()
else await run(findTask(name))

function list() {
  for (const [name, { does, changes }] of tasks) {
    log.info(`${name}: ${does}${changes ? ' (with --yes)' : ''}`)
  }
}

function findTask(name: string): NodeTask {
  const task = tasks.get(name)
  if (!task) throw new OperationalError(`There is no task "${name}". Without a name, all are listed.`)
  const wrong = options.find((option) => option !== '--yes')
  if (wrong !== undefined) throw new OperationalError(`There is no option "${wrong}". A task takes --yes.`)
  return task
}

async function run(task: NodeTask) {
  if (!task.changes || options.includes('--yes')) {
    await task.run((line) => log.info(line))
    return
  }
  for (const command of task.commands) log.info(`Would run: ${asTyped(command)}`)
  log.info('Nothing was done. Say --yes to do it.')
}
