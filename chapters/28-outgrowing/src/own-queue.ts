/** The own queue, as it was in 27: all nodes have it in their log, and whoever leads hands its tasks to the others. */
import { replicatedJournal } from '@rpi-cluster/core/replicated-tasks'
import { Tasks } from '@rpi-cluster/core/tasks'
import { TaskWorker } from '@rpi-cluster/core/worker'
import { tellHistory } from './history.ts'
import { ledger, store } from './ledger.ts'
import { desk, log, settings, stop } from './self.ts'
import { tasks } from './tasks.ts'
import type { WorkQueue } from './work-queue.ts'

const { mostWaiting, attempts, slots, memoryMb, has } = settings
const submitters = () => settings.submitters
const file = new URL('./tasks.ts', import.meta.url)

export const ownQueue: WorkQueue = {
  openDesk({ node, reign, ended, stop }) {
    if (!('propose' in reign)) throw new TypeError('The own queue has the own leader.')
    const term = { number: reign.term, isHeld: () => reign.isHeld() }
    const journal = replicatedJournal(reign, ledger)
    const clock = () => reign.time()
    const { handlers, answers, tables, recovered } = new Tasks({
      ...{ node, tasks, submitters, journal, clock, mostWaiting, attempts, term, desk, ended, log, stop },
      recoversInTurns: true,
    })
    const task_history = tellHistory(store, submitters)
    return { handlers, answers: { ...answers, task_history }, tables, recovered }
  },

  openWorker: (link) =>
    new TaskWorker({
      ...{ node: link, file, tasks, slots, memoryMb, has, log, stop },
      desk: () => link.leader && { name: desk, term: link.leader.term },
    }),
}
