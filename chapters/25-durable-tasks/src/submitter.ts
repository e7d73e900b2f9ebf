/** A submitter's way to the primary. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { config } from './config.ts'

/** Who hands in work. It comes back after a loss as every node does, and hears what has ended meanwhile. */
class Submitter extends ConnectingNode {
  readonly tasks = new TaskClient(this)
  override handlers = this.tasks.handlers
  connected = () => {}

  override async greet() {
    await this.tasks.resume()
    this.connected()
  }

  override async beat() {
    await this.send('info', 'node_baseinfo')
  }
}

/** Does something with the tasks of the primary, as soon as it is reached. Then it leaves. */
export async function asSubmitter(log: Logger, act: (tasks: TaskClient) => Promise<void>) {
  const { secondary, submitter } = loadJsonConfig(config, ['secondary', 'submitter'], log)
  const { primaryIp: host, socketPort: port } = secondary
  const done = new AbortController()
  const stop = AbortSignal.any([stopSignal(), done.signal])
  const key = await openKey({ file: credentialFile('key', submitter.key), log, stop })
  const node = new Submitter({ peer: 'primary', host, port, secure: encryptedBy(key), stop, log })
  const connected = new Promise<void>((resolve) => {
    node.connected = resolve
  })
  const acts = connected.then(() => act(node.tasks)).finally(() => done.abort())
  acts.catch(() => {}) // it is told below
  await node.run()
  if (done.signal.aborted) await acts
}
