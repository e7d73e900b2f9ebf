import * as v from 'valibot'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  DEFAULT_MAX_FRAME_BYTES,
  encode,
  FrameBudget,
  FrameError,
  forEachMessage,
  receive,
} from '../src/json-lines.ts'
import type { Connection } from '../src/sockets.ts'
import { connectedPair } from './support.ts'

const KIB = 1024
const schema = v.unknown()
const half = (bytes: number) => `"${'x'.repeat(bytes - 1)}`

/** Waits until something is so, on a busy machine too. */
const until = (isSo: () => void) => vi.waitFor(isSo, { interval: 1, timeout: 20_000 })

/** The two ways to receive, each as: give every message to `take`, and wait for what it returns. */
const ways = {
  async receive(connection: Connection, budget: FrameBudget, take: (message: unknown) => unknown) {
    for await (const message of receive(connection, { schema, budget })) await take(message)
  },
  forEachMessage(connection: Connection, budget: FrameBudget, take: (message: unknown) => unknown) {
    return forEachMessage(connection, { schema, budget }, (message) => take(message) as Promise<void>)
  },
}

describe.each(Object.entries(ways))('the budget of all connections, by %s', (_name, receiving) => {
  /** A connection whose messages are read. `end` is what reading it ended with. */
  async function reader(budget: FrameBudget, take: (message: unknown) => unknown = () => {}) {
    const { master, slave } = await connectedPair()
    const end = receiving(master, budget, take).then(
      () => 'ended',
      (error) => error,
    )
    return { slave, end, address: master.address }
  }

  /** Waits until the budget counts something. */
  const holds = (budget: FrameBudget, bytes: number) =>
    until(() => expect(budget.heldBytes).toBeGreaterThanOrEqual(bytes))

  test('refuses those that hold most for longest, keeps within its bytes, and serves the others', async () => {
    const budget = new FrameBudget(1024 * KIB)
    const got: unknown[] = []
    const good = await reader(budget, (message) => got.push(message))
    const bad = []
    for (let n = 0; n < 30; n += 1) {
      const peer = await reader(budget)
      bad.push(peer)
      void peer.slave.write(half(100_000))
      await good.slave.write(`${encode(n)}${half(3)}`) // it has a frame begun, too
      await until(() => expect(got.length).toBe(n + 1))
      await good.slave.write('"\r')
      expect(budget.heldBytes).toBeLessThanOrEqual(1024 * KIB)
      got.pop()
      await until(() => expect(got.length).toBe(n + 1))
    }
    const refused = await Promise.all(bad.slice(0, 15).map(({ end }) => end))
    for (const [n, error] of refused.entries()) {
      expect(error).toBeInstanceOf(FrameError)
      expect(error.kind).toBe('over the budget')
      expect(error.message).toMatch(
        new RegExp(
          `^A frame from the slave at ${bad[n]?.address} is over the budget: all connections together may hold 1048576 bytes of frames, and this one, which had held \\d+ for \\d+\\.\\d s, was closed\\.$`,
        ),
      )
    }
    await Promise.all([good, ...bad].map(({ slave }) => slave.close()))
    expect(await good.end).toBe('ended')
    await Promise.all(bad.map(({ end }) => end))
    expect(budget.heldBytes).toBe(0)
  })

  test('refuses no large frame that is on its way, where many small ones have stood for long', async () => {
    const budget = new FrameBudget(512 * KIB)
    const idle = await Promise.all(Array.from({ length: 30 }, () => reader(budget)))
    for (const { slave } of idle) void slave.write(half(15_000))
    await holds(budget, 30 * 15_000)
    const { now } = performance
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 60_000)
    onTestFinished(() => clock.mockRestore())
    const got: unknown[] = []
    const good = await reader(budget, (message) => got.push(message))
    await good.slave.write(encode('x'.repeat(400_000)))
    await until(() => expect(got.length).toBe(1))
    expect(await idle[0]?.end).toMatchObject({ kind: 'over the budget' })
    await Promise.all([good, ...idle].map(({ slave }) => slave.close()))
    expect(await good.end).toBe('ended')
  })

  test('counts the room that was made, and not only what is in it', async () => {
    const budget = new FrameBudget(512 * KIB)
    const { slave, end } = await reader(budget)
    let written = 0
    for (const size of [1, 9 * KIB, KIB]) {
      await slave.write(half(size + 1).slice(1))
      written += size
      await until(() => expect(budget.heldBytes).toBeGreaterThanOrEqual(written))
    }
    expect(budget.heldBytes).toBe(2 * (9 * KIB + 1))
    await slave.close()
    expect(await end).toMatchObject({ kind: 'unfinished' })
    expect(budget.heldBytes).toBe(0)
  })

  test('gives slow handlers half of it, lets the next messages wait, and small ones pass', async () => {
    const budget = new FrameBudget(1024 * KIB)
    let [inWork, mostInWork, done] = [0, 0, 0]
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const work = async () => {
      inWork += 1
      mostInWork = Math.max(mostInWork, inWork)
      await finished
      inWork -= 1
      done += 1
    }
    const large = await Promise.all(Array.from({ length: 12 }, () => reader(budget, work)))
    for (const { slave } of large) {
      void slave.write(encode('x'.repeat(60_000)))
      await new Promise(setImmediate)
    }
    await until(() => expect(inWork).toBe(9)) // the ninth is what makes it more than half
    const small = await reader(budget, work)
    await small.slave.write(encode('small'))
    await until(() => expect(inWork).toBe(10))
    expect(budget.heldBytes).toBeLessThanOrEqual(1024 * KIB)
    expect(budget.heldBytes).toBeGreaterThanOrEqual(12 * 60_000)
    finish()
    await until(() => expect(done).toBe(13))
    expect(mostInWork).toBe(10)
    await Promise.all([small, ...large].map(({ slave }) => slave.close()))
    expect(await Promise.all([small, ...large].map(({ end }) => end))).toEqual(Array(13).fill('ended'))
    expect(budget.heldBytes).toBe(0)
  })

  test('refuses who sends on while its handler is slow, also what waits for its turn or was read ahead', async () => {
    const budget = new FrameBudget(512 * KIB)
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const greedy = await Promise.all(Array.from({ length: 20 }, () => reader(budget, () => finished)))
    for (const { slave } of greedy) {
      void slave.write(encode(1))
      await new Promise(setImmediate)
      void slave.write(`"${'x'.repeat(60_000)}"\r`.repeat(2))
    }
    const refused = () => greedy.filter(({ slave }) => !slave.socket.writable).length
    await until(() => expect(refused()).toBeGreaterThan(8))
    expect(budget.heldBytes).toBeLessThanOrEqual(512 * KIB)
    finish()
    await Promise.all(greedy.map(({ slave }) => slave.close()))
    const ends = await Promise.all(greedy.map(({ end }) => end))
    expect(ends.filter((end) => end !== 'ended').every(({ kind }) => kind === 'over the budget')).toBe(true)
    expect(budget.heldBytes).toBe(0)
  })
})

test('one connection alone may hold the largest frame in the budget of a process', async () => {
  expect(new FrameBudget().maxBytes).toBeGreaterThan(8 * DEFAULT_MAX_FRAME_BYTES)
  expect(new FrameBudget().maxBytes).toBe(64 * 1024 * KIB)
})
