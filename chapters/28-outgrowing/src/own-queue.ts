/** The own queue, as it was in 26: the tasks of whoever leads are in its store, and it hands them to its secondaries. */
import { Tasks } from '@rpi-cluster/core/tasks'
import { TaskWorker } from '@rpi-cluster/core/worker'
import { tellHistory } from './history.ts'
import { log, self, settings, stop } from './self.ts'
import { reopen, store } from './store.ts'
import { tasks } from './tasks.ts'
import type { WorkQueue } from './work-queue.ts'

const { mostWaiting, attempts, slots, memoryMb, has } = settings
const submitters = () => settings.submitters
const file = new URL('./tasks.ts', import.meta.url)
let leads = false

export const ownQueue: WorkQueue = {
  openDesk({ node, reign, ended, stop }) {
    leads = true
    const term = { number: reign.term, isHeld: () => reign.isHeld() }
    const journal = store
    const desk = new Tasks({
      ...{ node, tasks, submitters, journal, mostWaiting, attempts, term, desk: self.name, ended, log, stop },
    })
    const { handlers, answers, tables } = desk
    return { handlers, answers: { ...answers, task_history: tellHistory(journal, submitters) }, tables }
  },

  async closeDesk() {
    await reopen()
    leads = false
  },

  openWorker: (link) =>
    new TaskWorker({
      ...{ node: link, desk: () => link.leader, file, tasks, slots, memoryMb, has, log, stop },
    }),

  get waitingHere() {
    return leads ? 0 : store.openTasks
  },
}
