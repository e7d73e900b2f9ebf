/**
 * Talks to a daemon, and connects anew whenever that says goodbye: talker.js SECONDS. Says at last how many messages it has sent,
 * and what went wrong.
 */
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const until = performance.now() + Number(process.argv[2]) * 1_000
const told = { sent: 0, connections: 0, problems: [] as string[] }
while (performance.now() < until) {
  try {
    await talk()
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error
    told.problems.push(error.message)
  }
}
console.log(JSON.stringify(told))

async function talk() {
  const connection = await connect({ peer: 'node', host: '127.0.0.1', port: 7001, stop, timeoutMs: 30_000 })
  told.connections += 1
  const dialogue = new Dialogue(connection, { unknown: () => {} })
  let isOver = false
  const ended = dialogue.ended.finally(() => {
    isOver = true
  })
  while (!isOver && performance.now() < until) {
    await send(connection, 'message', 'x')
    told.sent += 1
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  // Whoever closes waits until all of it has been taken.
  if (isOver) await ended
  else await dialogue.finish()
}
