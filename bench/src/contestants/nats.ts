import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Address, Contestant } from './contestant.ts'

const SUBJECT = 'bench'

/**
 * After how many bytes the sender waits for the server. NATS has no back-pressure: a client that falls
 * behind is cut off, so a sender has to set its own pace.
 */
const BYTES_A_FLUSH = 512 * 1024

/** A NATS server between the two, with one publisher and one subscriber. */
export const nats: Contestant = natsBy(({ port }) => connect({ port }))

/** The same, by connections that are made in another way. */
export function natsBy(connect: (address: Address) => Promise<NatsConnection>): Contestant {
  return {
    async receive(address, take) {
      const connection = await connect(address)
      connection.subscribe(SUBJECT, { callback: (_error, message) => take(message.json()) })
      await connection.flush()
      return address
    },

    async send(address, messages) {
      const connection = await connect(address)
      let bytes = 0
      for (;;) {
        for (const message of messages) {
          const text = JSON.stringify(message)
          connection.publish(SUBJECT, text)
          bytes += text.length
          if (bytes >= BYTES_A_FLUSH) {
            bytes = 0
            await connection.flush()
          }
        }
      }
    },
  }
}
