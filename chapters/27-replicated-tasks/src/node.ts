/** A node: it keeps the log with the others, does tasks for whoever leads, and is the primary while it leads. */
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { belongToMachine } from './belong.ts'
import { tasksLog } from './ledger.ts'
import { lead, primary } from './primary.ts'
import { worker, workFor } from './secondary.ts'
import { keys, log, program, read, self, settings, stop } from './self.ts'

const { bindIp: host } = settings
const { port } = self

class Member extends ListeningNode {
  override handlers = tasksLog.handlers
  override answers = tasksLog.answers
}

const secure = encryptedWith(keys, { stop, log })
const member = new Member({ peer: 'member', host, port, secure, tellsWhoIsHere: false, stop, log })
await belongToMachine({
  program,
  config: settings,
  read,
  live: ['submitters'],
  apply: (now) => Object.assign(settings, now),
  drains: () => [worker, primary, tasksLog, member],
  health: () => ({ healthy: tasksLog.leader !== undefined, status: status() }),
  log,
})
await Promise.all([member.run(), tasksLog.run(), tasksLog.whileLeading(lead), tasksLog.follow(workFor)])

function status() {
  const { role, term, leader } = tasksLog.view
  const { applied, committed } = tasksLog.details
  const log = `has applied ${applied} entries of ${committed}`
  if (role === 'leader') return `Leads in term ${term}, ${log}`
  return leader === null
    ? `Knows of no leader, in term ${term}`
    : `Follows ${leader}, in term ${term}, ${log}`
}
