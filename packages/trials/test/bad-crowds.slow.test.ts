/**
 * Crowds of bad peers, each of which does what one may do: it begins a frame of almost the largest size, and never
 * ends it. What all of them make the master hold is bounded, and the good ones are served meanwhile.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChapterCopy, freePort } from '@rpi-cluster/tutorial/harness'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { BadPeer, message } from './support/bad-peer.ts'
import { Cluster, MAX_FRAME_BYTES } from './support/cluster.ts'
import { MemoryWatch } from './support/memory.ts'

const MIB = 1024 * 1024

/** The budget of a process, 64 MiB, and as much again that was given back and is not yet collected. */
const MORE_MEMORY_BYTES = 160 * MIB

/** How long a newcomer and a good slave may wait, in costliest frames: as many connections are opened, read and refused. */
const WAIT_IN_FRAMES = 40

/** So many bytes of a frame. */
const begun = (bytes: number) => Buffer.from(message('x'.repeat(bytes)).slice(0, bytes))

/** Connects so many, a hundred at a time, lets each say something, and does not wait until it is heard. */
async function crowd(port: number, size: number, ...says: (string | Uint8Array)[]): Promise<BadPeer[]> {
  const peers: BadPeer[] = []
  for (let left = size; left > 0; left -= 100) {
    const more = await Promise.all(
      Array.from({ length: Math.min(left, 100) }, () => BadPeer.connect(port, { ownAddress: true })),
    )
    for (const peer of more) void peer.says(...says)
    peers.push(...more)
  }
  return peers
}

const closed = (peers: readonly BadPeer[]) => peers.filter(({ socket }) => socket.destroyed).length

/** Waits until so many were refused. */
const refuses = (peers: readonly BadPeer[], many: number) =>
  vi.waitFor(() => expect(closed(peers)).toBeGreaterThanOrEqual(many), { timeout: 90_000, interval: 10 })

vi.setConfig({ testTimeout: 180_000 })

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(() => cluster.end())

/** Newcomers, one after the other: each connects, says something, and leaves when it was heard. */
class Newcomers {
  served = 0
  longestMs = 0
  #goOn = true
  readonly #coming: Promise<void>

  /** @param heard waits until a text was heard, and gives the time at which it was, in ms since 1970 */
  constructor(port: number, heard: (text: string) => Promise<number>) {
    this.#coming = this.#come(port, heard)
  }

  /** Waits until a few were served, and lets no more come. */
  async leave(): Promise<void> {
    await vi.waitFor(() => expect(this.served).toBeGreaterThan(2), { timeout: 90_000 })
    this.#goOn = false
    await this.#coming
  }

  async #come(port: number, heard: (text: string) => Promise<number>): Promise<void> {
    while (this.#goOn) {
      const newcomer = await BadPeer.connect(port)
      const began = Date.now()
      await newcomer.says(message(`I am new, number ${this.served}`))
      this.longestMs = Math.max(this.longestMs, (await heard(`I am new, number ${this.served}`)) - began)
      this.served += 1
      await newcomer.leaves()
      await sleep(10)
    }
  }
}

// Four thousand with 1 MiB each are more than the system itself takes: it drops what comes from anybody, and the
// wait is not the master's.
test.for([
  [1000, MAX_FRAME_BYTES - 100],
  [4000, MAX_FRAME_BYTES / 4],
] as const)('%i connections, each with %i bytes of a frame that never ends', async ([size, bytes]) => {
  const report = await cluster.survives(
    async () => {
      const newcomers = new Newcomers(cluster.port, async (text) => {
        const [record] = await cluster.logs(new RegExp(`: ${text}$`))
        return record?.time ?? Number.NaN
      })
      const peers = await crowd(cluster.port, size, begun(bytes))
      // As many frames as the budget takes stay; all the others are refused.
      const stay = (64 * MIB) / bytes
      await refuses(peers, size - 1.2 * stay)
      await newcomers.leave()
      expect(newcomers.longestMs / cluster.costliestFrameMs).toBeLessThan(WAIT_IN_FRAMES)
      expect(closed(peers)).toBeLessThan(size - 0.6 * stay)
      for (const { socket } of peers) socket.destroy()
      await Promise.all(peers.map(({ gone }) => gone))
    },
    { atOnce: size, waitInFrames: WAIT_IN_FRAMES },
  )
  expect(report.moreMemoryBytes).toBeLessThan(MORE_MEMORY_BYTES)
  const refused = report.lines.filter(({ msg }) => msg.includes('is over the budget'))
  expect(refused.length).toBeGreaterThan(0)
  for (const { msg } of refused)
    expect(msg).toMatch(
      /^A frame from the slave at [\d.:]+ is over the budget: all connections together may hold 67108864 bytes of frames, and this one, which had held \d+ for \d+\.\d s, was closed\.$/,
    )
})

test('1,000 connections with a whole frame each, of which a handler has time for a few', async () => {
  const chapter = await ChapterCopy.make('06-slave-details')
  onTestFinished(() => chapter.remove())
  const program = await readFile(new URL('support/slow-master.ts', import.meta.url), 'utf8')
  await chapter.write('src/slow-master.ts', program)
  const port = await freePort()
  const master = await chapter.run('slow-master', { args: [String(port)] })
  await master.says(/Listening on/)
  const memory = new MemoryWatch(master.pid)

  const newcomers = new Newcomers(port, async (text) => {
    await master.says(new RegExp(`: ${text}$`))
    return Date.now()
  })
  const frame = Buffer.from(message('x'.repeat(MAX_FRAME_BYTES - 100), 'work'))
  const peers = await crowd(port, 1000, frame, begun(MAX_FRAME_BYTES - 100))
  await refuses(peers, 300)
  await newcomers.leave()
  expect(newcomers.longestMs / cluster.costliestFrameMs).toBeLessThan(WAIT_IN_FRAMES)
  expect(memory.more).toBeLessThan(MORE_MEMORY_BYTES)

  await master.stop('SIGTERM')
  expect(master.exitCode).toBe(0)
  for (const { socket } of peers) socket.destroy()
})
