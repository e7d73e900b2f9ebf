import { reportFrom } from '@rpi-cluster/core/broadcast'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { connect } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'

const stop = stopSignal()
const log = createLogger('everyone')
const [command] = process.argv.splice(2, 1) // what is left is --config FILE, or nothing
if (!command || command.startsWith('-'))
  throw new OperationalError('Say what everyone is to do: name, or blink.')
const { secondary, everyone } = loadJsonConfig(config, ['secondary', 'everyone'], log)
const { primaryIp: host, socketPort: port } = secondary
const key = await openKey({ file: everyone.key, log, stop })

const primary = await connect({ peer: 'primary', host, port, secure: encryptedBy(key), stop })
const dialogue = new Dialogue(primary, { unknown: () => {} })
const asked = dialogue.ask('everyone', { answer: 'report', about: command })
const { answered, silent, offline } = reportFrom(await asked)

for (const { name, afterMs, says } of answered) log.info(`${name}, after ${afterMs} ms: ${says}`)
for (const name of silent) log.warn(`${name} is connected, and has not answered`)
for (const name of offline) log.warn(`${name} is offline`)
if (answered.length === 0) log.warn('Nobody has answered')
await primary.close()
