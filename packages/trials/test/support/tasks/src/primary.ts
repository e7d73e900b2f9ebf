/** Hands out the tasks of a trial, and notes which node it has lost when. */
import { openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import type { Handlers } from '@rpi-cluster/core/messages'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import type { Connection } from '@rpi-cluster/core/sockets'
import { Tasks } from '@rpi-cluster/core/tasks'
import { note } from './notes.ts'
import { tasks } from './tasks.ts'

const stop = stopSignal()
const log = createLogger('primary')
const nodes = (process.env['NODES'] ?? '').split(',')
const keys = await openKeys({ folder: 'keys', nodes, log, stop })
const watched = new WeakSet<Connection>()

class Primary extends ListeningNode {
  readonly tasks = new Tasks({ node: this, tasks, submitters: () => ['submitter'], log, stop })

  override handlers: Handlers = {
    ...this.tasks.handlers,
    worker: (payload, peer) => {
      // Noted before anybody else gets what it had.
      if (!watched.has(peer))
        peer.socket.once('close', () => note({ what: 'lost', node: peer.node ?? '', at: Date.now() }))
      watched.add(peer)
      return this.tasks.handlers['worker']?.(payload, peer)
    },
  }

  override answers = {
    ...this.tasks.answers,
    computer_details: async () => ({ type: 'primary_info', payload: null }),
  }
}

const secure = encryptedWith(keys, { stop, log })
await new Primary({ peer: 'node', host: '127.0.0.1', port: 7001, secure, stop, log }).run()
