/** Does the tasks of a trial, and notes which it was handed. */
import { drainFirst } from '@rpi-cluster/core/daemon'
import { openKey } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import type { Handlers } from '@rpi-cluster/core/messages'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskWorker } from '@rpi-cluster/core/worker'
import { type Note, note } from './notes.ts'
import { tasks } from './tasks.ts'

const stop = stopSignal()
const log = createLogger('worker')
const name = process.env['TUTORIAL_PROGRAM'] ?? ''
const key = await openKey({ file: `keys/${name}.key`, log, stop })

class Worker extends ConnectingNode {
  readonly worker = new TaskWorker({
    ...{ node: this, file: new URL('./tasks.ts', import.meta.url), tasks, slots: 4, log, stop },
  })

  override handlers: Handlers = {
    ...this.worker.handlers,
    tasks: (payload, peer) => {
      noteAll('handed', payload)
      return this.worker.handlers['tasks']?.(payload, peer)
    },
  }

  override async greet() {
    await this.worker.introduce()
  }

  override async send(type: string, payload: unknown) {
    if (type === 'task_returns') noteAll('returned', payload)
    await super.send(type, payload)
  }
}

function noteAll(what: 'handed' | 'returned', payload: unknown) {
  const at = Date.now()
  const tasks = payload as { id: string; lease: number }[]
  note(...tasks.map(({ id, lease }): Note => ({ what, id, lease, node: name, at })))
}

const node = new Worker({
  peer: 'primary',
  host: '127.0.0.1',
  port: 7001,
  secure: encryptedBy(key),
  stop,
  log,
})
const drain = async () => {
  await node.worker.drain()
  await node.drain()
}
drainFirst({ drain }, { log })
await node.run()
