/**
 * Many slaves in one process: `slaves.ts PORT COUNT WAY`. The way is `windows`, the core's, or `fixed`, the original's: at
 * once after a loss, and a minute after a try that failed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { stayConnected } from '@rpi-cluster/core/reconnect'
import { type Connection, connect } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'

/** The original's pause, in ms. */
const FIXED_PAUSE_MS = 60_000

const [port, count, way] = process.argv.slice(2)
const { signal: stop } = new AbortController()
const options = { peer: 'master', host: '127.0.0.1', port: Number(port), stop, log: noLog }

process.on('disconnect', () => process.exit())
for (let slave = 0; slave < Number(count); slave += 1) {
  if (way === 'windows') void stayConnected(options, untilLost)
  else void stayConnectedByFixedPauses()
}

async function stayConnectedByFixedPauses(): Promise<never> {
  for (;;) {
    const master = await connect(options).catch(() => undefined)
    if (master) await untilLost(master).catch(() => {})
    else await sleep(FIXED_PAUSE_MS)
  }
}

async function untilLost(master: Connection): Promise<void> {
  for await (const _ of master.chunks());
}
