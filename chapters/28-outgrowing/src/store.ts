/** The tasks of this node itself. It has them open from its start on, so that it can go on with them as soon as it leads. */
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { log, self, settings, stop } from './self.ts'

async function open() {
  const keep = { days: settings.historyDays, mostMb: settings.historyMb }
  return await openTaskStore({ name: `tasks-${self.name}`, keep, log, stop })
}

export let store = await open()

/** It has led, and may lead again: then it begins with what there is now, as after a start. */
export async function reopen() {
  await store.close()
  if (!stop.aborted) store = await open()
}
