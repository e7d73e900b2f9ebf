import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { SilenceError, watch } from '../src/liveness.ts'
import type { Connection } from '../src/sockets.ts'
import { connectedPair, start, tempFolder } from './support.ts'

/** How long a peer may say nothing here, in ms. */
const SILENCE_MS = 2_000

/** Watches one end of a new connection, and takes down how it ends. */
async function watchedPair(silenceMs = SILENCE_MS) {
  const { master, slave } = await connectedPair()
  watch(master, { silenceMs })
  const end = vi.fn()
  void read(master).then(end, end)
  return { master, slave, end }
}

async function read(connection: Connection): Promise<string> {
  for await (const _ of connection.chunks());
  return 'closed'
}

describe('a peer that says nothing', () => {
  test('is cut off when the time is over, and not sooner', async () => {
    const { master, end } = await watchedPair()
    const began = performance.now()
    await vi.waitFor(() => expect(end).toHaveBeenCalled(), { timeout: 20_000, interval: 5 })
    const [error] = end.mock.lastCall ?? []
    expect(performance.now() - began).toBeGreaterThan(SILENCE_MS - 300)
    // Its system, which is this one, confirms everything.
    expect(error).toEqual(new SilenceError(master.peer, 'frozen', SILENCE_MS))
    expect(error.message).toBe(
      `Nothing came from ${master.peer} for 2 s, and its system still confirms what is sent: its program is stopped or hangs. The connection is cut.`,
    )
    expect(() => master.throwIfLost()).toThrow(error)
  })

  test('and then says something has its whole time again; each byte counts', async () => {
    const { slave, end } = await watchedPair(4_000)
    for (let count = 0; count < 12; count += 1) {
      await sleep(500)
      await slave.write('x')
    }
    expect(end).not.toHaveBeenCalled()
    await slave.close()
    await vi.waitFor(() => expect(end).toHaveBeenCalledWith('closed'), { timeout: 20_000 })
  })

  test('while this end reads nothing is not expected to', async () => {
    const { master, slave } = await connectedPair()
    watch(master, { silenceMs: SILENCE_MS })
    const reading = master.forEachChunk(() => sleep(2 * SILENCE_MS))
    await slave.write('x')
    await sleep(1.5 * SILENCE_MS)
    await slave.write('y')
    await slave.close()
    await expect(reading).resolves.toBeUndefined()
  })

  test('while this program stood still is not taken for dead', async () => {
    const { slave, end } = await watchedPair(8_000)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 9_000) // as if it were stopped
    await sleep(500)
    expect(end).not.toHaveBeenCalled()
    await slave.close()
    await vi.waitFor(() => expect(end).toHaveBeenCalledWith('closed'), { timeout: 20_000 })
  })
})

test('a peer that floods, reads nothing and freezes is cut off as well: it is waited for', async () => {
  const { master, slave } = await connectedPair()
  watch(master, { silenceMs: SILENCE_MS })
  const answer = 'x'.repeat(100_000)
  const serving = master.forEachChunk(() => master.write(answer))
  serving.catch(() => {}) // it is looked at below
  const flood = setInterval(() => void slave.socket.write('x'.repeat(1_000)), 5)
  await vi.waitFor(() => expect(master.socket.writableNeedDrain).toBe(true), { timeout: 20_000 })
  clearInterval(flood)
  slave.socket.pause()
  await expect(serving).rejects.toThrow('its program is stopped or hangs')
})

test('a silence that is too short to be told is refused', async () => {
  const { master } = await connectedPair()
  expect(() => watch(master, { silenceMs: 1_999 })).toThrow(RangeError)
})

const hasNetworks = spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0

describe.runIf(hasNetworks)('a peer whose network is gone', () => {
  test.each(['idle', 'talking'])('is told from one that is frozen (%s)', async (what) => {
    const program = start('pulled-cable.ts', [what, tempFolder()], { network: true })
    expect([await program.ended, program.stdout.trim(), program.stderr]).toEqual([0, 'silent', ''])
  })
})
