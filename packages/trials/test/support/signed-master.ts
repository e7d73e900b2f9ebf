/**
 * A master of chapter 06 where all that is said is signed, as chapter 21 has it, or encrypted, as 22 has it:
 * `signed-master.ts PORT FOLDER encrypted`. Tests run it in a
 * copy of chapter 06.
 */
import { openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { handleMessages, textOf } from '@rpi-cluster/core/messages'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { signedWith } from '@rpi-cluster/core/signed'
import { listen } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('signed-master')
const [port, folder = '', way] = process.argv.slice(2)
const secured = way === 'encrypted' ? encryptedWith : signedWith
const keys = await openKeys({ folder, nodes: ['good', 'bad'], log, stop })

const server = await listen(
  {
    peer: 'slave',
    host: '127.0.0.1',
    port: Number(port),
    stop,
    log,
    secure: secured(keys, { stop, log }),
  },
  (slave) =>
    handleMessages(
      slave,
      { message: (text) => log.info(`Received message from ${slave.node}: ${textOf(text)}`) },
      (type, payload) => log.warn(`Unknown message from ${slave.node}: ${type}, with ${textOf(payload)}`),
    ),
)
log.info(`Listening on ${server.address}`)
