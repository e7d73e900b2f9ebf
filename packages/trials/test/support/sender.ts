/**
 * Sends numbered messages to whoever connects, at a steady pace, and never waits for a peer that
 * does not read them. Tests run it in a copy of chapter 06: `sender.ts PORT`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { send } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('sender')
const port = Number(process.argv[2])

const text = 'x'.repeat(10_000)
const server = await listen({ peer: 'slave', host: '127.0.0.1', port, stop, log }, async (slave) => {
  for (let number = 1; ; number += 1) {
    void send(slave, 'message', { number, text })
    if (number % 2 === 0) await sleep(100)
  }
})
log.info(`Listening on ${server.address}`)
