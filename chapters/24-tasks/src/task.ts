/** Has a node do a task, if it may: `task secondary-1 node-time`. */
import { askForTask, credentialFile } from '@rpi-cluster/core/daemon'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { connect } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'

const stop = stopSignal()
const log = createLogger('task')
const [node, task] = process.argv.splice(2, 2) // what is left is --config FILE, or nothing
if (!node || !task || node.startsWith('-') || task.startsWith('-'))
  throw new OperationalError('Name a node, and what it is to do: secondary-1 node-time.')
const { secondary, everyone } = loadJsonConfig(config, ['secondary', 'everyone'], log)
const { primaryIp: host, socketPort: port } = secondary
const key = await openKey({ file: credentialFile('key', everyone.key), log, stop })

const primary = await connect({ peer: 'primary', host, port, secure: encryptedBy(key), stop })
const dialogue = new Dialogue(primary, { unknown: () => {} })
dialogue.ended.catch(() => {}) // who asks is told
for (const line of await askForTask(dialogue, task, { of: node })) log.info(line)
await primary.close()
