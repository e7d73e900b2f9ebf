import { expect, test, vi } from 'vitest'
import { Identities, newIdentity } from '../src/identity.ts'
import { Presence } from '../src/live.ts'
import { handleMessages } from '../src/messages.ts'
import { Roster } from '../src/roster.ts'
import { connectedPair, recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** Longer than the time between two looks, in ms. */
const BUSY_MS = 300

test('who is looked at between the end of its connection and its leaving the roster keeps its row', async () => {
  const { log } = recordingLog()
  const { signal: stop } = stopAfterTest()
  const roster = new Roster({ log, stop })
  const identities = new Identities({ log })
  const presence = new Presence({ roster, identities, stop })
  const { master, slave } = await connectedPair()
  void handleMessages(master, {}, () => {}).catch(() => {})
  const details = { hostname: 'pi', client: 1, uuid: newIdentity() }
  roster.add(master)
  identities.introduce(master, details)
  roster.introduce(master, details)
  const rows = () => presence.table.entries().map(([id, { state }]) => [id, state])
  await vi.waitFor(() => expect(rows()).toEqual([[details.uuid, 'here']]), PATIENCE)
  // A program that has much to do at this moment: its next look comes before the member is taken out.
  master.socket.once('close', () => {
    const began = performance.now()
    while (performance.now() - began < BUSY_MS);
  })
  slave.socket.destroy()
  await vi.waitFor(() => expect(rows().map(([, state]) => state)).toEqual(['gone']), PATIENCE)
  expect(rows()).toEqual([[details.uuid, 'gone']])
})
