/** A submitter's way to whoever leads. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { ElectionWatch } from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { config } from './config.ts'
import { LeaderLink, wayTo } from './leader-link.ts'

/** Does something with the tasks of whoever leads, as soon as that is reached. Then it leaves. */
export async function asSubmitter(log: Logger, act: (tasks: TaskClient) => Promise<void>) {
  const { cluster, submitter } = loadJsonConfig(config, ['cluster', 'submitter'], log)
  const { members } = cluster
  const done = new AbortController()
  const stop = AbortSignal.any([stopSignal(), done.signal])
  const secure = encryptedBy(await openKey({ file: credentialFile('key', submitter.key), log, stop }))
  const link = new LeaderLink()
  const tasks = new TaskClient(link)
  let acts: Promise<void> | undefined

  /** Who hands in work. It comes back after a loss as every node does, and hears what has ended meanwhile. */
  class Submitter extends ConnectingNode {
    override handlers = tasks.handlers

    override async greet() {
      await tasks.resume()
      acts ??= act(tasks).finally(() => done.abort())
      acts.catch(() => {}) // it is told below
    }

    override async beat() {
      await this.send('info', 'node_baseinfo')
    }
  }

  log.info('Asking the members who leads...')
  await new ElectionWatch({ members, secure, log, stop }).follow(async (leader, over) => {
    await link.run(leader, new Submitter({ ...wayTo(leader, members), secure, stop: over, log }))
  })
  if (done.signal.aborted) await acts
}
