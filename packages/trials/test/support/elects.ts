/**
 * A member of an election, for trials: `elects.ts NAME MEMBERS ELECTION_MS HEARTBEAT_MS`, where MEMBERS is the list as JSON. It
 * does nothing but lead or follow, and its log is on its console.
 */
import { openElection } from '@rpi-cluster/core/election'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'

const [name = '', list = '[]', electionMs, heartbeatMs] = process.argv.slice(2)
const stop = stopSignal()
const log = createLogger(name)
const members: { name: string; host: string; port: number }[] = JSON.parse(list)
const { host, port } = members.find((member) => member.name === name) ?? { host: '', port: 0 }
const keys = await openKeys({ folder: 'keys', nodes: [], log, stop })
const key = await openKey({ file: `keys/${name}.key`, log, stop })
const times = { electionMs: Number(electionMs), heartbeatMs: Number(heartbeatMs) }
const election = await openElection({ name, members, key, ...times, log, stop })

class Member extends ListeningNode {
  override handlers = election.handlers
  override answers = election.answers
}

const quiet = log.child({}, { level: 'warn' })
const secure = encryptedWith(keys, { stop, log: quiet })
const member = new Member({ peer: 'member', host, port, secure, stop, log: quiet })
await Promise.all([election.run(), member.run()])
