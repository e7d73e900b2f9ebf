/** As bad-peers.test.ts, with peers that are bad for longer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BadPeer, manyPeers, message } from './support/bad-peer.ts'
import { Cluster, MAX_FRAME_BYTES } from './support/cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(() => cluster.end())

test('a flood of messages that are in order', async () => {
  await cluster.survives(async () => {
    const peer = await BadPeer.connect(cluster.port)
    await peer.says(message('flood').repeat(50_000), message(`after, from ${peer.address}`))
    await cluster.logs(/^Received message from \S+: after, from /)
    await peer.leaves()
    expect(await cluster.logs(/^Received message from \S+: flood$/)).toHaveLength(50_000)
  })
})

test('300 frames of the largest size', async () => {
  const rest = message('').length - 1
  const frame = message('x'.repeat(MAX_FRAME_BYTES - rest))
  await cluster.survives(async () => {
    const peer = await BadPeer.connect(cluster.port)
    for (let left = 300; left > 0; left -= 1) await peer.says(frame)
    await cluster.logs(/^Received message from \S+: x{900}.*\(\d+ characters in all\)$/, 300)
    await peer.leaves()
  })
})

test('one frame of 200,000 bytes, a byte at a time', async () => {
  const text = Buffer.from(message('x'.repeat(200_000)))
  await cluster.survives(async () => {
    const peer = await BadPeer.connect(cluster.port)
    for (const byte of text) await peer.says(Uint8Array.of(byte))
    await cluster.logs(/^Received message from \S+: x{900}/)
    await peer.leaves()
  })
})

test('connects 2,000 times and resets', async () => {
  await cluster.survives(async () => {
    await manyPeers(cluster.port, 2000, async (peer) => peer.resets())
    await cluster.countsAll(
      2000,
      /^Lost the connection to the slave at .+: the other end reset it\.$/,
      /^Lost the connection to the slave at [^:]+: (\d+) more warnings that begin so/,
    )
  })
})

test('the slave process has noticed nothing of all this, and the master ends well', async () => {
  await cluster.hearsItsSlave()
  await cluster.stopMaster()
})
