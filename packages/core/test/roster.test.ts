import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Logger } from '../src/logging.ts'
import { Roster } from '../src/roster.ts'
import { connectedPair } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** A roster, what it has logged, and a way to let peers come. */
function aRoster() {
  const lines: string[] = []
  const stopping = new AbortController()
  const log = { info: (line: string) => lines.push(line) } as unknown as Logger
  const roster = new Roster({ log, stop: stopping.signal })
  const arrives = async (details?: unknown) => {
    const { master, slave } = await connectedPair()
    roster.add(master)
    if (details !== undefined) roster.introduce(master, details)
    return { peer: master, leaves: () => slave.close() }
  }
  return { roster, lines, stopping, arrives }
}

const names = (roster: Roster) => roster.members.map(({ name }) => name)

describe('a member', () => {
  test('is there from when it is added until its connection ends, under the name that it tells', async () => {
    const { roster, lines, arrives } = aRoster()
    const before = Date.now()
    const { peer, leaves } = await arrives()
    expect(names(roster)).toEqual([peer.address])
    roster.introduce(peer, { hostname: 'pi', client: 4711, cpu_cores: 4, ram: 1024 ** 3, more: 'x' })
    expect(roster.members).toMatchObject([
      { name: 'pi #4711', address: peer.address, details: { cpu_cores: 4, ram: 1024 ** 3 } },
    ])
    expect(roster.members[0]?.since.getTime()).toBeGreaterThanOrEqual(before)
    expect(roster.nameOf(peer)).toBe('pi #4711')
    expect(peer.peer).toBe(`pi #4711 at ${peer.address}`)
    await leaves()
    await vi.waitFor(() => expect(roster.members).toEqual([]), PATIENCE)
    expect(lines).toEqual([
      `pi #4711 has joined, from ${peer.address}`,
      expect.stringMatching(/^pi #4711 has left, after \d+ s$/),
    ])
    expect(roster.nameOf(peer)).toBe(peer.address)
  })

  test('has a name of its own, whatever others tell', async () => {
    const { roster, arrives } = aRoster()
    for (const details of [
      { hostname: 'pi' },
      { hostname: 'pi' },
      { hostname: 'pi', client: 1 },
      { hostname: 'pi' },
    ])
      await arrives(details)
    expect(names(roster)).toEqual(['pi', 'pi (2)', 'pi #1', 'pi (3)'])
    const { peer, leaves } = await arrives({ hostname: 'pi', client: 1 })
    expect(roster.nameOf(peer)).toBe('pi #1 (2)')
    await leaves()
    await vi.waitFor(() => expect(roster.members).toHaveLength(4), PATIENCE)
    await arrives({ hostname: 'pi', client: 1 })
    expect(names(roster).at(-1)).toBe('pi #1 (2)')
  })

  test('may tell who it is again: the same changes nothing, another name is said', async () => {
    const { roster, lines, arrives } = aRoster()
    const { peer } = await arrives({ hostname: 'pi', client: 1 })
    roster.introduce(peer, { hostname: 'pi', client: 1, cpu_cores: 2 })
    expect(lines).toHaveLength(1)
    roster.introduce(peer, { hostname: 'attic', client: 1 })
    expect(lines.at(-1)).toBe('pi #1 calls itself attic #1 now')
    for (const nothing of [undefined, {}, { client: 3 }]) roster.introduce(peer, nothing)
    expect(names(roster)).toEqual(['attic #1'])
    expect(lines).toHaveLength(2)
  })

  test('gets the name that it wants when it is free: the old connection of a node that came back ends last', async () => {
    const { roster, lines, arrives } = aRoster()
    const details = { hostname: 'pi', client: 1 }
    const old = await arrives(details)
    const { peer } = await arrives(details)
    const third = await arrives(details)
    expect(names(roster)).toEqual(['pi #1', 'pi #1 (2)', 'pi #1 (3)'])
    await old.leaves()
    await vi.waitFor(() => expect(names(roster)).toEqual(['pi #1', 'pi #1 (3)']), PATIENCE)
    expect(roster.nameOf(peer)).toBe('pi #1')
    expect(peer.peer).toBe(`pi #1 at ${peer.address}`)
    expect(lines.slice(3)).toEqual([
      expect.stringMatching(/^pi #1 has left, after \d+ s$/),
      'pi #1 (2) is pi #1 now',
    ])
    // One that wants it no more does not get it.
    roster.introduce(third.peer, { hostname: 'attic' })
    roster.introduce(peer, { hostname: 'cellar' })
    expect(names(roster)).toEqual(['cellar', 'attic'])
  })

  test('that gives up its name for another leaves it to who wants it', async () => {
    const { roster, arrives } = aRoster()
    const { peer } = await arrives({ hostname: 'pi' })
    const other = await arrives({ hostname: 'pi' })
    roster.introduce(peer, { hostname: 'attic' })
    expect(names(roster)).toEqual(['attic', 'pi'])
    await other.leaves()
    await vi.waitFor(() => expect(names(roster)).toEqual(['attic']), PATIENCE)
    await arrives({ hostname: 'pi' })
    expect(names(roster)).toEqual(['attic', 'pi'])
  })

  test('is added once', async () => {
    const { roster, arrives } = aRoster()
    const { peer } = await arrives({ hostname: 'pi' })
    roster.add(peer)
    expect(names(roster)).toEqual(['pi'])
  })

  test.each([
    undefined,
    null,
    7,
    'pi',
    ['pi'],
    {},
    { hostname: 7 },
    { hostname: '' },
    { hostname: 'x'.repeat(201) },
    { hostname: null, client: 3 },
  ])('that tells %j of itself is called by its address', async (details) => {
    const { roster, lines, arrives } = aRoster()
    const { peer } = await arrives()
    roster.introduce(peer, details)
    expect(names(roster)).toEqual([peer.address])
    expect(lines).toEqual([])
  })

  test.each([
    [{ hostname: 'küche-2.lan' }, 'küche-2.lan'],
    [{ hostname: 'pi has left\n', client: 1 }, 'pi?has?left? #1'],
    [{ hostname: '\u202eip' }, '?ip'],
    [{ hostname: 'x'.repeat(200) }, 'x'.repeat(63)],
    [{ hostname: 'pi', client: -1 }, 'pi'],
    [{ hostname: 'pi', client: 1.5 }, 'pi'],
    [{ hostname: 'pi', client: '7' }, 'pi'],
    [{ hostname: '__proto__' }, '__proto__'],
  ])('that tells %j is called %s', async (details, name) => {
    const { roster, arrives } = aRoster()
    await arrives(details)
    expect(names(roster)).toEqual([name])
  })

  test('whose connection has ended already is none', async () => {
    const { roster } = aRoster()
    const { master, slave } = await connectedPair()
    await Promise.all([slave.close(), master.close()])
    roster.add(master)
    roster.introduce(master, { hostname: 'pi' })
    expect(roster.members).toEqual([])
  })
})

describe('the table', () => {
  const tables = (lines: string[]) => lines.filter((line) => line.startsWith('Here now'))

  test('comes once for all that changes within a second, in columns, and then when something has changed', async () => {
    const { roster, lines, arrives } = aRoster()
    await arrives({ hostname: 'pi', client: 4711, cpu_cores: 4, ram: 1024 ** 3 })
    const second = await arrives({ hostname: 'attic', client: 2, cpu_cores: 1, ram: 512 * 1024 ** 2 })
    await arrives()
    await vi.waitFor(() => expect(tables(lines)).toEqual(['Here now: 3']), PATIENCE)
    const rows = lines.slice(lines.indexOf('Here now: 3') + 1)
    const width = '(no name yet)'.length
    expect(rows).toEqual([
      expect.stringMatching(
        /^- pi #4711 +since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}from 127\.0\.0\.1:\d+ +4 cores {2}1\.0 GiB$/,
      ),
      expect.stringMatching(/^- attic #2 +since .* 1 core {3}0\.5 GiB$/),
      expect.stringMatching(/^- \(no name yet\) {2}since .* from 127\.0\.0\.1:\d+$/),
    ])
    expect(new Set(rows.map((row) => row.indexOf('since')))).toEqual(new Set([2 + width + 2]))
    await second.leaves()
    await vi.waitFor(() => expect(tables(lines)).toEqual(['Here now: 3', 'Here now: 2']), PATIENCE)
    expect(roster.members).toHaveLength(2)
  })

  test('is not logged again when nothing of it has changed', async () => {
    const { roster, lines, arrives } = aRoster()
    const { peer } = await arrives({ hostname: 'pi' })
    await vi.waitFor(() => expect(tables(lines)).toHaveLength(1), PATIENCE)
    const guest = await arrives({ hostname: 'guest' })
    await guest.leaves()
    roster.introduce(peer, { hostname: 'pi' })
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/guest has left/), PATIENCE)
    await sleep(1_100)
    expect(tables(lines)).toHaveLength(1)
  })

  test('of many says how many more there are', async () => {
    const { lines, arrives } = aRoster()
    for (let client = 1; client <= 22; client += 1) await arrives({ hostname: 'pi', client })
    await vi.waitFor(() => expect(lines.at(-1)).toBe('- and 2 more'), PATIENCE)
    expect(lines.slice(-22)[0]).toBe('Here now: 22')
  })

  test('is not logged by a program that ends', async () => {
    const { lines, stopping, arrives } = aRoster()
    const { leaves } = await arrives({ hostname: 'pi' })
    stopping.abort()
    await leaves()
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/has left/), PATIENCE)
    await sleep(1_100)
    expect(tables(lines)).toEqual([])
  })
})
