/** A node: it takes part in the election, does tasks for whoever leads, and is the primary while it leads. */
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { belongToMachine } from './belong.ts'
import { openLeadership } from './leadership.ts'
import { lead, primary } from './primary.ts'
import { worker, workFor } from './secondary.ts'
import { key, keys, log, program, read, self, settings, stop } from './self.ts'
import { queue } from './work-queue.ts'

const { members, electionMs, heartbeatMs, bindIp: host } = settings
const { name, port } = self
const mayHandOver = () => settings.submitters
const details = () => ({ waiting: queue.waitingHere })
const times = { electionMs, heartbeatMs }
const election = await openLeadership({ name, members, key, ...times, mayHandOver, details, log, stop })

class Member extends ListeningNode {
  override handlers = election.handlers
  override answers = election.answers
}

const secure = encryptedWith(keys, { stop, log })
const member = new Member({ peer: 'member', host, port, secure, tellsWhoIsHere: false, stop, log })
await belongToMachine({
  program,
  config: settings,
  read,
  live: ['submitters'],
  apply: (now) => Object.assign(settings, now),
  drains: () => [worker, primary, election, member],
  health: () => ({ healthy: election.leader !== undefined, status: status() }),
  log,
})
await Promise.all([member.run(), election.run(), election.whileLeading(lead), election.follow(workFor)])

function status() {
  const { role, term, leader } = election.view
  if (role === 'leader') return `Leads in term ${term}`
  return leader === null ? `Knows of no leader, in term ${term}` : `Follows ${leader}, in term ${term}`
}
