/**
 * A master whose handler takes a minute for each message of the type `work`, and no time for the others. Tests run
 * it in a copy of chapter 06: `slow-master.ts PORT`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { handleMessages, textOf } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('slow-master')
const port = Number(process.argv[2])

const server = await listen({ peer: 'slave', host: '127.0.0.1', port, stop, log }, (slave) =>
  handleMessages(
    slave,
    {
      work: () => sleep(600_000, undefined, { signal: stop }).catch(() => {}), // on a clock that is ten times as fast
      message: (text) => log.info(`Received message: ${textOf(text)}`),
    },
    () => {},
  ),
)
log.info(`Listening on ${server.address}`)
