/**
 * Many slaves in one process, each with a beat every five seconds: `slaves.ts PORT COUNT WAY`. Asked, it tells how many of
 * their tries found no master. The ways:
 *
 * - `windows`: the core's, one try in each window of 1, 2, 4, 8 ... s.
 * - `fixed`: the original's, at once after a loss, and a minute after a try that failed.
 * - `jitter`: a pause of random(0, min(cap, base * 2 ** tries)), called full jitter in "Exponential Backoff And Jitter",
 *   Marc Brooker, AWS Architecture Blog, 2015.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { every } from '@rpi-cluster/core/lifecycle'
import { send } from '@rpi-cluster/core/messages'
import { stayConnected } from '@rpi-cluster/core/reconnect'
import { type Connection, connect } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'
import type { Way } from './index.ts'

export interface SlavesSay {
  refused: number
}

/** The original's pause, in ms, and the longest of full jitter. */
const MINUTE_MS = 60_000

/** What full jitter begins with, in ms: as long as the core's first window. */
const BASE_MS = 1_000

const BEAT_MS = 5_000

const [port, count, way] = process.argv.slice(2)
const { signal: stop } = new AbortController()
const options = { peer: 'master', host: '127.0.0.1', port: Number(port), stop, log: noLog }

/** Node tells of each socket that it opens, so tries are counted in one place, whoever makes them. */
let refused = 0
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  refused += 1
  socket.once('connect', () => {
    refused -= 1
  })
})

const ways: Record<Way, () => Promise<void>> = {
  windows: () => stayConnected(options, useMaster),
  fixed: () => stayConnectedWith((failed) => (failed === 0 ? 0 : MINUTE_MS)),
  jitter: () => stayConnectedWith((failed) => Math.random() * Math.min(MINUTE_MS, BASE_MS * 2 ** failed)),
}

process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.({ refused } satisfies SlavesSay))
for (let slave = 0; slave < Number(count); slave += 1) void ways[way as Way]()

/** @param pauseMs how long to wait, after so many tries in a row that failed; after a loss that is none */
async function stayConnectedWith(pauseMs: (failed: number) => number): Promise<never> {
  let failed = 0
  for (;;) {
    const master = await connect(options).catch(() => undefined)
    failed = master ? 0 : failed + 1
    if (master) await useUntilLost(master)
    await sleep(pauseMs(failed))
  }
}

async function useUntilLost(master: Connection): Promise<void> {
  const controller = new AbortController()
  master.socket.once('close', () => controller.abort())
  await useMaster(master, controller.signal).catch(() => {})
  void master.close()
}

async function useMaster(master: Connection, over: AbortSignal): Promise<void> {
  await Promise.all([untilItEnds(master), beat(master, over)])
}

async function untilItEnds(master: Connection): Promise<void> {
  for await (const _ of master.chunks());
}

async function beat(master: Connection, over: AbortSignal): Promise<void> {
  for await (const _ of every(BEAT_MS, over)) await send(master, 'info', 'computer_details')
}
