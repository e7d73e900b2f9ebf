/**
 * Random hostile streams against a living master, each on a connection of its own, several at a time.
 * `pnpm fuzz` sends 100,000 of them, and `pnpm fuzz --seed N` the same ones again.
 */
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { BadPeer } from './support/bad-peer.ts'
import { Cluster } from './support/cluster.ts'
import { type HostileStream, hostileStreams } from './support/hostile-streams.ts'

const STREAMS = Number(process.env['FUZZ_STREAMS'] ?? 500)
const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(1_000_000_000))

/** How many hostile peers there are at a time. */
const AT_ONCE = 8

/** How long all of it may take, in ms. */
const LIMIT_MS = 60_000 + 5 * STREAMS

test(`${STREAMS} hostile streams, of seed ${SEED}`, { timeout: 2 * LIMIT_MS }, async () => {
  console.log(
    `Sending ${STREAMS} hostile streams of seed ${SEED}: pnpm fuzz --seed ${SEED} sends these and more.`,
  )
  const began = performance.now()
  const cluster = await Cluster.start()
  try {
    const streams = hostileStreams(SEED, STREAMS)
    let sent = 0
    await cluster.survives(
      () =>
        Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            for (const stream of streams) {
              sent += 1
              await isHostile(cluster.port, stream, `stream ${sent} of seed ${SEED}`)
              if (performance.now() - began > LIMIT_MS)
                throw new Error(`After ${LIMIT_MS} ms only ${sent} were sent`)
            }
          }),
        ),
      { atOnce: AT_ONCE },
    )
    expect(sent).toBe(STREAMS)
    await cluster.hearsItsSlave()
    await cluster.stopMaster()
  } finally {
    await cluster.end()
  }
})

/** Lets a peer send its stream and go, and expects that the master lets go of it, too. */
async function isHostile(port: number, { pieces, goes }: HostileStream, name: string): Promise<void> {
  const peer = await BadPeer.connect(port, {
    allowHalfOpen: goes === 'half-closes and waits',
    ownAddress: true,
  })
  await peer.says(...pieces)
  if (goes === 'resets') peer.resets()
  else peer.socket.end()
  let timeout: NodeJS.Timeout | undefined
  const tooLong = new Promise((_, reject) => {
    timeout = setTimeout(() => reject(new Error(`In 20 s the master did not let go of ${name}`)), 20_000)
  })
  await Promise.race([peer.gone, tooLong]).finally(() => clearTimeout(timeout))
}
