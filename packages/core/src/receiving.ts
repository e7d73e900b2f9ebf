/**
 * Receiving messages: each is checked before the program sees it, and while one is being worked on the peer waits.
 *
 * @since 0.5.0
 */
import type * as v from 'valibot'
import { checked, type ReceiveOptions } from './checking.ts'
import type { Connection } from './connection.ts'
import { Intake } from './intake.ts'

/**
 * How many messages of one piece are handed over between two looks at the clock, which cost a little.
 *
 * @internal
 */
export const LOOK_AT_CLOCK = 16

/**
 * Reads the messages that arrive, one at a time. While a message is being worked on, no more is
 * read, and a peer that sends faster is made to wait.
 *
 * @throws FrameError at a frame that breaks the protocol, or is not what the schema asks for. Its
 *   text names the peer, and the connection is of no more use.
 * @throws OperationalError when the connection is lost
 */
export async function* receive<Schema extends v.GenericSchema>(
  connection: Connection,
  options: ReceiveOptions<Schema>,
): AsyncGenerator<v.InferOutput<Schema>, void, void> {
  const intake = new Intake(connection, options)
  let message: unknown
  const takeOne = (next: unknown) => {
    message = next
    return false
  }
  try {
    for await (const chunk of connection.chunks()) {
      intake.add(chunk)
      for (let handled = 1; ; handled += 1) {
        const wait = intake.whenThereIsTime()
        if (wait) await wait
        if (intake.handOver(takeOne)) break
        if (handled % LOOK_AT_CLOCK === 0) await connection.giveWay()
        intake.begin()
        try {
          yield checked(message, options, connection.peer)
        } finally {
          intake.finish()
        }
      }
    }
    // When this end has closed the connection, it does not matter in the middle of what.
    if (!connection.closedHere) intake.end()
  } finally {
    intake.close()
  }
}
