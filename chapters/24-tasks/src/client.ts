/** A program's way to the primary, to hand in work and to ask what became of it. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import type { Logger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { connect } from '@rpi-cluster/core/sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { config } from './config.ts'

/** Connects to the primary as a submitter. Whoever opens it closes it. */
export async function openClient(log: Logger, stop: AbortSignal) {
  const { secondary, submitter } = loadJsonConfig(config, ['secondary', 'submitter'], log)
  const { primaryIp: host, socketPort: port } = secondary
  const key = await openKey({ file: credentialFile('key', submitter.key), log, stop })
  const primary = await connect({ peer: 'primary', host, port, secure: encryptedBy(key), stop })
  const client: TaskClient = new TaskClient({ ask: (question, options) => dialogue.ask(question, options) })
  const dialogue = new Dialogue(primary, { handlers: client.handlers, unknown: () => {} })
  dialogue.ended.catch(() => {}) // who asks is told
  return { client, close: () => primary.close() }
}
