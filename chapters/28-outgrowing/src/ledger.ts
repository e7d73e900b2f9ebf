/** The queue as this node has it: a ledger, made of the log that all members have alike; and a history of what has ended. */
import { openReplicatedLog } from '@rpi-cluster/core/replicated-log'
import { LedgerHistory, TaskLedger } from '@rpi-cluster/core/replicated-tasks'
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { key, log, self, settings, stop } from './self.ts'

const { name } = self
const { members, founders, electionMs, heartbeatMs } = settings
const mayHandOver = () => settings.submitters
const keep = { days: settings.historyDays, mostMb: settings.historyMb }

export const store = await openTaskStore({ name: `history-${name}`, keep, log, stop })
export const ledger = new TaskLedger({ ended: (ends) => history.add(ends) })
export const tasksLog = await openReplicatedLog({
  ...{ name, members, founders, key, machine: ledger, electionMs, heartbeatMs, mayHandOver, log, stop },
  details: () => ({ open: ledger.open }),
})
const history = new LedgerHistory({ store, cluster: () => tasksLog.details.cluster, log })
