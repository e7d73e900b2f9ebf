/**
 * A task's id as NATS delivers it from its work queue. What is said of it goes to the subject to which it wants to be answered:
 * the words are those of JetStream's protocol (docs.nats.io, "JetStream wire API", acknowledging messages). The client has them
 * for messages that come as it wants them to come; here each slot asks for one, when it is free, and does not wait.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { nanos } from '@nats-io/transport-node'
import { TASKS } from './nats.ts'

export class Delivery {
  readonly id: string
  /** Its number in the stream: the same each time that it is delivered. */
  readonly seq: number
  readonly #message: Msg

  constructor(message: Msg) {
    this.#message = message
    this.id = message.string()
    // $JS.ACK.STREAM.CONSUMER.DELIVERIES.SEQ.CONSUMERSEQ.TIME.PENDING, and in front of STREAM a later server may name more.
    this.seq = Number(message.reply?.split('.').at(-4))
  }

  /** It has ended: it goes from the stream. */
  ack() {
    this.#message.respond('+ACK')
  }

  /** It is in work still: its lease begins anew. */
  working() {
    this.#message.respond('+WPI')
  }

  /** It is to be delivered again, to anybody, after so many ms. */
  again(afterMs: number) {
    this.#message.respond(`-NAK ${JSON.stringify({ delay: nanos(afterMs) })}`)
  }

  /** It is never to be delivered again. */
  end() {
    this.#message.respond('+TERM')
  }
}

/**
 * Asks for one task of a demand, without waiting for one to come.
 *
 * @throws what the client throws when NATS is not there, or does not answer within `timeoutMs`
 */
export async function nextDelivery(
  connection: NatsConnection,
  demand: string,
  timeoutMs: number,
): Promise<Delivery | undefined> {
  const about = JSON.stringify({ batch: 1, no_wait: true })
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${TASKS}.${demand}`
  // What is delivered keeps its subject, by which the client's common inbox would not know whose answer it is.
  const answer = await connection.request(subject, about, { timeout: timeoutMs, noMux: true })
  return answer.headers?.code ? undefined : new Delivery(answer)
}
