/** A master that answers its slaves, and the webserver: `master.ts`. Asked, it tells its port. */
import { ListeningNode } from '@rpi-cluster/core/node'
import getPort from 'get-port'
import { noLog } from '../no-log.ts'

const port = await getPort()

class Master extends ListeningNode {
  override handlers = { computer_details: () => {} }
  override answers = { computer_details: () => ({ type: 'master_info', payload: { hostname: 'master' } }) }
}

void new Master({
  peer: 'slave',
  host: '127.0.0.1',
  port,
  stop: new AbortController().signal,
  log: noLog,
}).run()
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.({ port }))
