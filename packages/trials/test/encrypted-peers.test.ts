/** Bad peers of a master that encrypts, before they have proven who they are, and after. */
import { randomBytes, randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostileStreams } from './support/hostile-streams.ts'
import { SignedCluster, WRONG_FRAMES } from './support/signed-cluster.ts'

const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(1_000_000_000))
const STREAMS = Math.min(20_000, Number(process.env['FUZZ_STREAMS'] ?? 60))

let cluster: SignedCluster
beforeAll(async () => {
  cluster = await SignedCluster.start('encrypted')
})
afterAll(() => cluster.end())

/** A record of a handshake, and the beginning of a greeting of 16 KiB in it. */
const HALF_A_GREETING = Buffer.from('16030140000100fffc0303', 'hex')

describe('before it has proven who it is', () => {
  test.for([
    ['a message', '{"type":"message","payload":"x"}\r', /is refused: it does not encrypt/],
    [
      'random bytes',
      Buffer.concat([Buffer.from([1]), randomBytes(4_000)]),
      /is refused: it does not encrypt/,
    ],
    [
      'TLS that is none',
      Buffer.concat([Buffer.from([0x16]), randomBytes(200)]),
      /is refused: it shows no key, or what it says is no TLS/,
    ],
    [
      'a greeting without end',
      Buffer.concat([HALF_A_GREETING, Buffer.alloc(100_000)]),
      /is refused: |has said more than 16384 bytes/,
    ],
    ['half a greeting', HALF_A_GREETING, /has not proven within 5 s who it is/],
  ] as const)('says %s', async ([, said, told]) => {
    const peer = await cluster.stranger()
    await peer.says(said)
    await cluster.logs(told, peer.address)
    await cluster.losesNothing()
    cluster.nobodyWasBelieved()
    peer.socket.destroy()
  })

  test('a hundred that say half a greeting keep no good node out', async () => {
    const peers = await Promise.all(Array.from({ length: 100 }, () => cluster.stranger()))
    for (const peer of peers) await peer.says(HALF_A_GREETING)
    const node = await cluster.connects('good')
    await node.close()
    await cluster.losesNothing()
    for (const peer of peers) peer.socket.destroy()
  })

  test(`${STREAMS} hostile handshakes, of seed ${SEED}`, { timeout: 120_000 + 20 * STREAMS }, async () => {
    let count = 0
    for (const { pieces, goes } of hostileStreams(SEED, STREAMS)) {
      count += 1
      const peer = await cluster.stranger()
      if (count % 2 === 1) await peer.says(HALF_A_GREETING.subarray(0, 1 + (count % HALF_A_GREETING.length)))
      await peer.says(...pieces)
      if (goes === 'resets') peer.resets()
      else peer.socket.end()
    }
    await cluster.losesNothing()
    cluster.nobodyWasBelieved()
    expect(cluster.master.exitCode).toBe(null)
  })
})

describe('after it has proven who it is', () => {
  test.for(WRONG_FRAMES)('says %s', ([, said, told]) => cluster.survives(said, told))
})

test('the master ends well', () => cluster.endsWell())
