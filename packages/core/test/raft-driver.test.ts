import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { Connection } from '../src/connection.ts'
import type { Durable, RaftMessage } from '../src/raft.ts'
import { RaftDriver } from '../src/raft-driver.ts'
import { recordingLog, stopAfterTest } from './support.ts'

const ELECTION_MS = 60
const settings = { id: 'a', members: ['a', 'b', 'c'], electionMs: ELECTION_MS, heartbeatMs: 10 }
const via = {} as Connection

/** A member whose others are a function: what it says is answered at once, as they would. */
function aMember({ save = async () => {} }: { save?: (durable: Durable) => Promise<void> } = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const others = { areThere: true }
  const sent: RaftMessage[] = []
  const driver = new RaftDriver({
    settings,
    durable: { term: 0, votedFor: null },
    save,
    log,
    stepped: () => {},
    send: (message) => {
      sent.push(message)
      const { to: from, from: to, term } = message
      const about = { from, to, term }
      const answer: RaftMessage | undefined =
        message.type === 'pre_vote'
          ? { ...about, type: 'pre_vote_answer', granted: true }
          : message.type === 'vote'
            ? { ...about, type: 'vote_answer', granted: true }
            : message.type === 'heartbeat'
              ? { ...about, type: 'heartbeat_answer', at: message.at }
              : undefined
      if (answer && others.areThere) driver.give({ kind: 'message', message: answer, via })
    },
  })
  const run = driver.run(stop)
  return { driver, run, others, sent, lines: () => records.map(({ msg }) => msg) }
}

const PATIENCE = { timeout: 10_000, interval: 1 }

/** Stands still, with all of this process. */
function standStill(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) {}
}

test('a leader whose process stood still knows it before anything else is done', async () => {
  const { driver } = aMember()
  await vi.waitFor(() => expect(driver.holdsLead).toBe(true), PATIENCE)
  standStill(2 * ELECTION_MS)
  expect(driver.holdsLead).toBe(false)
  expect(driver.state.role).toBe('follower')
})

test('what the disk does not take has not happened, and is tried again, but not in a hurry', async () => {
  const disk = { isFull: true, tries: 0 }
  const { driver, sent, lines } = aMember({
    save: async () => {
      disk.tries += 1
      if (disk.isFull) throw new Error('ENOSPC')
    },
  })
  await vi.waitFor(() => expect(disk.tries).toBeGreaterThan(0), PATIENCE)
  await sleep(5 * ELECTION_MS)
  // The answers that were under way ask the disk as well, and the clock a second later.
  expect(disk.tries).toBeLessThan(5)
  expect(driver.state).toMatchObject({ term: 0, role: 'pre-candidate' })
  expect(sent.map(({ type }) => type)).not.toContain('vote')
  expect(lines()).toEqual([expect.stringMatching(/^Cannot write the vote \(ENOSPC\): does not vote/)])
  disk.isFull = false
  await vi.waitFor(() => expect(driver.holdsLead).toBe(true), PATIENCE)
  expect(lines().at(-1)).toBe('The disk takes the vote again')
})

test('messages that come while the disk is busy wait, the newest of them, and all are answered by what is on the disk', async () => {
  const finish: (() => void)[] = []
  const { driver, sent } = aMember({ save: () => new Promise((resolve) => finish.push(resolve)) })
  await vi.waitFor(() => expect(finish).toHaveLength(1), PATIENCE)
  const heartbeat = (term: number): RaftMessage => ({ from: 'b', to: 'a', term, type: 'heartbeat', at: term })
  for (let term = 1; term <= 1_000; term += 1) driver.give({ kind: 'message', message: heartbeat(term), via })
  expect(driver.state.term).toBe(0)
  expect(sent.map(({ type }) => type)).not.toContain('heartbeat_answer')
  const before = finish.length
  await vi.waitFor(() => {
    for (const done of finish.splice(0)) done()
    expect(driver.state.term).toBe(1_000)
  }, PATIENCE)
  expect(before).toBe(1)
  expect(sent.filter(({ type }) => type === 'heartbeat_answer').length).toBeLessThan(300)
})
