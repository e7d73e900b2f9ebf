/** Bad peers of a master that signs, before they have proven who they are, and after. `pnpm fuzz` sends more of them. */
import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BadPeer } from './support/bad-peer.ts'
import { nested } from './support/cluster.ts'
import { hostileStreams } from './support/hostile-streams.ts'
import { SignedCluster, WRONG_FRAMES } from './support/signed-cluster.ts'

const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(1_000_000_000))
const STREAMS = Math.min(20_000, Number(process.env['FUZZ_STREAMS'] ?? 100))

let cluster: SignedCluster
beforeAll(async () => {
  cluster = await SignedCluster.start()
})
afterAll(() => cluster.end())

const NONCE = 'A'.repeat(43)
const HELLO = `{"type":"hello","payload":{"signed":1,"node":"bad","nonce":"${NONCE}"}}\r`

async function leaves(peer: BadPeer): Promise<void> {
  peer.socket.destroy()
  await peer.gone
}

describe('before it has proven who it is', () => {
  test.for([
    ['a message', '{"type":"message","payload":"x"}\r', /comes without a key, so it was refused/],
    ['no JSON', 'GET / HTTP/1.1\r\n', /comes without a key, so it was refused/],
    ['not UTF-8', Buffer.from([0xff, 0x0d]), /comes without a key, so it was refused/],
    ['a frame without end', Buffer.alloc(4 * 1024 * 1024, 'x'), /comes without a key, so it was refused/],
    ['nested deeply', `${nested(200_000)}\r`, /comes without a key, so it was refused/],
    [
      'a hello that cannot be read',
      '{"type":"hello","payload":{"signed":[[]]}}\r',
      /The hello of .* cannot be read/,
    ],
    [
      'a hello without end',
      `{"type":"hello","payload":{"signed":1,"x":"${'x'.repeat(100_000)}`,
      /has said more than 16384 bytes/,
    ],
    ['half a hello', HELLO.slice(0, 50), /has not proven within 5 s who it is/],
    ['a hello, and nothing', HELLO, /has not proven within 5 s who it is/],
    [
      'a hello, and no proof',
      `${HELLO}{"type":"message","payload":"x"}\r`,
      /Refused a frame from bad at .*: it is not signed/,
    ],
  ] as const)('says %s', async ([, said, told]) => {
    const peer = await cluster.stranger()
    await peer.says(said)
    await cluster.logs(told, peer.address)
    await cluster.losesNothing()
    cluster.nobodyWasBelieved()
    await leaves(peer)
  })

  test('a hundred that connect and say nothing', async () => {
    const peers = await Promise.all(Array.from({ length: 100 }, () => cluster.stranger()))
    await cluster.losesNothing()
    const node = await cluster.connects('good')
    await node.close()
    for (const peer of peers) await leaves(peer)
    await cluster.losesNothing()
  })

  test(`${STREAMS} hostile handshakes, of seed ${SEED}`, { timeout: 120_000 + 20 * STREAMS }, async () => {
    console.log(
      `Sending ${STREAMS} hostile handshakes of seed ${SEED}: pnpm fuzz --seed ${SEED} sends these and more.`,
    )
    let count = 0
    for (const { pieces, goes } of hostileStreams(SEED, STREAMS)) {
      count += 1
      const peer = await cluster.stranger()
      // Of three, one says it at once, one in a hello, and one instead of its proof.
      if (count % 3 === 1) await peer.says(HELLO.slice(0, count % HELLO.length))
      if (count % 3 === 2) await peer.says(HELLO)
      await peer.says(...pieces)
      if (goes === 'resets') peer.resets()
      else peer.socket.end()
      if (count % 50 === 0) await cluster.losesNothing()
    }
    await cluster.losesNothing()
    cluster.nobodyWasBelieved()
    expect(cluster.master.exitCode).toBe(null)
  })
})

describe('after it has proven who it is', () => {
  test.for(WRONG_FRAMES)('says %s', ([, said, told]) => cluster.survives(said, told))

  test.for([
    [
      'a message without a signature',
      '{"type":"message","payload":"x"}\r',
      /Refused a frame from bad at .*: it is not signed/,
    ],
    ['a frame without end', 'x'.repeat(4 * 1024 * 1024), /A frame from bad at .* is too large/],
    ['random bytes', Buffer.from([0, 255, 13, 13]), /Refused a frame from bad at .*: it is not signed/],
  ] as const)('says %s on the bare socket', async ([, said, told]) => {
    const peer = await cluster.connects('bad')
    peer.socket.write(said)
    await cluster.logs(told)
    await cluster.losesNothing()
    await peer.close()
  })
})

test('the master ends well', () => cluster.endsWell())
