/**
 * Sends numbered messages of a size as fast as the master takes them, or the first half of one and
 * nothing more: `patient-slave.ts PORT BYTES [half]`. Tests run it in a copy of chapter 06.
 */
import { encode } from '@rpi-cluster/core/json-lines'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('patient')
const [port, bytes, half] = process.argv.slice(2)

const master = await connect({ peer: 'master', host: '127.0.0.1', port: Number(port), stop })
const text = 'x'.repeat(Number(bytes))
if (half) {
  const frame = encode({ type: 'message', payload: text })
  await master.write(frame.slice(0, frame.length / 2))
  log.info('Half a message is sent')
  setInterval(() => {}, 60_000)
} else {
  for (let number = 1; ; number += 1) {
    await send(master, 'message', `${number} ${text}`)
    log.info(`Sent ${number}`)
  }
}
