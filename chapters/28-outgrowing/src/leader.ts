/** Who leads, and how all members see it: `leader`. To have another one lead: `leader node-1`. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { ElectionWatch } from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { config } from './config.ts'
import { memberCalled } from './leader-link.ts'

stopSignal()
const log = createLogger('leader')
const [wanted] = process.argv[2]?.startsWith('-') ? [] : process.argv.splice(2, 1)
const { cluster, submitter } = loadJsonConfig(config, ['cluster', 'submitter'], log)
const { members } = cluster
if (wanted !== undefined) memberCalled(wanted, members)
const done = new AbortController()
const stop = AbortSignal.any([stopSignal(), done.signal])
const secure = encryptedBy(await openKey({ file: credentialFile('key', submitter.key), log, stop }))
const watch = new ElectionWatch({ members, secure, log, stop })

await watch.whenSeen()
const { name } = await watch.whenLed()
if (wanted === undefined) {
  for (const [member, { view, isReachable }] of watch.views)
    log.info(
      isReachable && view ? `${member}: ${view.role} in term ${view.term}` : `${member} is not reached`,
    )
} else if (wanted !== name && !(await watch.handOver(wanted)))
  throw new OperationalError(
    `${wanted} was not elected: ${watch.leader?.name ?? 'nobody'} leads. Is it there?`,
  )
log.info(`${(await watch.whenLed()).name} leads`)
done.abort()
