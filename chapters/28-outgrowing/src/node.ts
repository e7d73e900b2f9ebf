/** A node: it knows who leads, does tasks, and is the primary while it leads. */
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { belongToMachine } from './belong.ts'
import { openLeadership } from './leadership.ts'
import { lead, primary } from './primary.ts'
import { worker, workFor } from './secondary.ts'
import { keys, log, program, read, self, settings, stop } from './self.ts'

const { bindIp: host } = settings
const { port } = self
const leadership = await openLeadership()

class Member extends ListeningNode {
  override handlers = leadership.handlers
  override answers = leadership.answers
}

const secure = encryptedWith(keys, { stop, log })
const member = new Member({ peer: 'member', host, port, secure, tellsWhoIsHere: false, stop, log })
await belongToMachine({
  program,
  config: settings,
  read,
  live: ['submitters'],
  apply: (now) => Object.assign(settings, now),
  drains: () => [worker, primary, leadership, member],
  health: () => ({ healthy: leadership.leader !== undefined, status: status() }),
  log,
})
await Promise.all([member.run(), leadership.run(), leadership.whileLeading(lead), leadership.follow(workFor)])

function status() {
  const { role, term, leader } = leadership.view
  if (role === 'leader') return `Leads in term ${term}`
  return leader === null ? `Knows of no leader, in term ${term}` : `Follows ${leader}, in term ${term}`
}
