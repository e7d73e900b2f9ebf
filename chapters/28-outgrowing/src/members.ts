/** Who keeps the log: `members`. While the cluster runs one may come, `members add node-4`, or go: `members remove node-2`. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { ElectionWatch } from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { changeMembers } from '@rpi-cluster/core/replicated-log'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { config } from './config.ts'
import { memberCalled } from './leader-link.ts'

stopSignal()
const log = createLogger('members')
const [verb, name] = process.argv[2]?.startsWith('-') ? [] : process.argv.splice(2, 2)
if (verb !== undefined && (name === undefined || !['add', 'remove'].includes(verb)))
  throw new OperationalError('Say nothing, and it shows who the members are; or add NAME, or remove NAME.')
const { cluster, submitter } = loadJsonConfig(config, ['cluster', 'submitter'], log)
const { members } = cluster
if (cluster.leader === 'etcd')
  throw new OperationalError(
    'etcd says who leads: there is no log, of which a node would have to be a member. "leader" shows who is there.',
  )
if (verb === 'add') memberCalled(name ?? '', members)
const done = new AbortController()
const stop = AbortSignal.any([stopSignal(), done.signal])
const secure = encryptedBy(await openKey({ file: credentialFile('key', submitter.key), log, stop }))
const watch = new ElectionWatch({ members, secure, log, stop })

await watch.whenSeen()
for (const member of await changeMembers(watch, verb === undefined ? {} : { [verb]: name }))
  log.info(
    `${member.name} ${member.isVoter ? 'is a member' : 'learns, and has no vote yet'}, as ${member.id}`,
  )
done.abort()
