import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type {
  openReplicaStore as openFromSource,
  ReplicaRecovered,
  ReplicaStore,
  ReplicaStoreOptions,
} from '../src/replica-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { durable, entriesFrom, entry, snapshotAt } from './replica-support.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const { openReplicaStore }: { openReplicaStore: typeof openFromSource } = await import(
  join(BUILT_FIXTURES, 'replica-store.js')
)

const PATIENCE = { timeout: 20_000, interval: 5 }

async function opened({
  folder = tempFolder(),
  ...options
}: Partial<ReplicaStoreOptions> = {}): Promise<{ store: ReplicaStore; folder: string }> {
  const { log } = recordingLog()
  const stop = new AbortController()
  const store = await openReplicaStore({ name: 'queue', folder, log, stop: stop.signal, ...options })
  onTestFinished(() => store.close())
  return { store, folder }
}

/** What is there when a store is closed and opened again. */
async function again(store: ReplicaStore, folder: string): Promise<ReplicaRecovered> {
  await store.close()
  const { store: next } = await opened({ folder })
  const recovered = next.take()
  await next.close()
  return recovered
}

const indexes = ({ entries }: ReplicaRecovered) => entries.map(({ index }) => index)

/** In which words something is refused, or that it is not. */
const outcomeOf = (done: Promise<void>) =>
  done.then(
    () => 'done',
    ({ message }) => message,
  )

describe('a replica store', () => {
  test('that is new has nothing in it but its identity', async () => {
    const { store, folder } = await opened()
    expect([store.id, store.isNew]).toEqual([expect.stringMatching(/^[a-z0-9]{8}$/), true])
    expect(store.writeMs).toBeGreaterThan(0)
    expect(store.take()).toEqual({
      durable: { term: 0, votedFor: null, start: { number: 0, token: '', before: '' }, seen: {} },
      founding: undefined,
      snapshot: undefined,
      entries: [],
    })
    expect(() => store.take()).toThrow('was taken already')
    await store.close()
    // It is as new when it is opened again, and the same.
    const { store: next } = await opened({ folder })
    expect([next.id, next.isNew]).toEqual([store.id, true])
    expect((await opened()).store.id).not.toBe(store.id)
  })

  test('has what was written, with every field that it had', async () => {
    const { store, folder } = await opened()
    const known = {
      term: 7,
      votedFor: 'node-2~bbbbbbbb',
      start: { number: 3, token: 'c', before: 'b' },
      seen: { 'node-2~bbbbbbbb': { number: 1, token: 'Grüße' } },
    }
    const entries = [
      { index: 1, term: 1, time: 0.25, kind: 'begin' as const, data: '' },
      { index: 2, term: 1, time: 2 ** 52, kind: 'members' as const, data: '[]' },
      entry(3, '{"text":"\\ud800 🍓"}', 7),
    ]
    await store.found({ cluster: 'x', members: ['node-1~aaaaaaaa'] })
    await expect(store.found({})).rejects.toThrow('knows already how its cluster began')
    await store.append([])
    await store.append(entries)
    await store.save(durable(1))
    await store.save(known)
    await store.close()
    const { store: next } = await opened({ folder })
    expect(next.isNew).toBe(false)
    expect(next.take()).toEqual({
      durable: known,
      founding: { cluster: 'x', members: ['node-1~aaaaaaaa'] },
      snapshot: undefined,
      entries,
    })
    await expect(next.found({})).rejects.toThrow('knows already how its cluster began')
  })

  test('has the newest entry of each index, and none behind one that replaced it', async () => {
    const { store, folder } = await opened()
    await store.append(entriesFrom(1, 10))
    await store.append(entriesFrom(6, 2, 2))
    await store.append(entriesFrom(8, 1, 3))
    const recovered = await again(store, folder)
    expect(recovered.entries.map(({ index, term }) => `${index} of ${term}`)).toEqual([
      ...[1, 2, 3, 4, 5].map((index) => `${index} of 1`),
      '6 of 2',
      '7 of 2',
      '8 of 3',
    ])
  })

  test('commits together what is appended at the same time, in the order in which it was', async () => {
    const { store, folder } = await opened()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 500 }, (_, place) =>
        store.append([entry(place + 1)]).then(() => order.push(place + 1)),
      ),
    )
    expect(order).toEqual(Array.from({ length: 500 }, (_, place) => place + 1))
    expect(indexes(await again(store, folder))).toEqual(order)
  })

  test('refuses what it cannot take, and what would follow that', async () => {
    const { store, folder } = await opened()
    await store.append(entriesFrom(1, 2))
    const large = 'x'.repeat(2 ** 24)
    await expect(store.append([entry(3, large)])).rejects.toThrow('and a record may have 16777216')
    await expect(store.append([entry(4)])).rejects.toThrow(
      'Entry 4 does not follow entry 2, which is the last',
    )
    await expect(store.append([entry(3), entry(5)])).rejects.toThrow(
      'Entries from 3 on do not follow each other',
    )
    await expect(store.snapshot(snapshotAt(1), [large])).rejects.toThrow(
      'A piece of a snapshot has 16777217 bytes',
    )
    await store.append([entry(3)])
    await expect(store.install(snapshotAt(9), [large])).rejects.toThrow(
      'A piece of a snapshot has 16777217 bytes',
    )
    const recovered = await again(store, folder)
    expect([indexes(recovered), recovered.snapshot]).toEqual([[1, 2, 3], undefined])
  })

  test('that is closed has on the disk what was written before, and takes nothing more', async () => {
    const { store, folder } = await opened()
    const written = Promise.all([store.append([entry(1)]), store.save(durable(4))])
    const closed = store.close()
    await expect(store.append([entry(2)])).rejects.toThrow('is closed')
    await expect(store.save(durable(5))).rejects.toThrow('is closed')
    await expect(store.snapshot(snapshotAt(1), [])).rejects.toThrow('is closed')
    await expect(store.install(snapshotAt(1), [])).rejects.toThrow('is closed')
    await Promise.all([written, closed])
    const recovered = await again(store, folder)
    expect([indexes(recovered), recovered.durable.term]).toEqual([[1], 4])
  })

  test('that is stopped before it has its files does not wait for that', async () => {
    const stop = new AbortController()
    const opening = opened({ stop: stop.signal })
    stop.abort()
    const { store } = await opening
    await expect(store.append([entry(1)])).rejects.toThrow(/is closed|cannot be used/)
  })

  test('that another program has is refused, until that is killed', async () => {
    const folder = tempFolder()
    const program = start('keeps-log.ts', [folder])
    await vi.waitFor(() => expect(program.stdout).toContain('open 0'), PATIENCE)
    await expect(opened({ folder })).rejects.toThrow(
      `${join(folder, 'queue')} is used by another program that runs on this machine, and a member is one process: stop that, or give this one another name or folder.`,
    )
    program.child.kill('SIGKILL')
    await program.ended
    const { store } = await opened({ folder })
    await expect(opened({ folder })).rejects.toThrow('is used by another program')
    await store.close()
    await opened({ folder })
  })

  test('says what is wrong with its folder', async () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'queue'), 'in the way')
    await expect(opened({ folder })).rejects.toThrow(`Cannot open ${join(folder, 'queue')}: `)
  })

  test('that is damaged is refused, with what and where, and what to do', async () => {
    const { store, folder } = await opened()
    for (const index of [1, 2, 3]) await store.append([entry(index)])
    await store.close()
    const path = join(folder, 'queue/000001.log')
    const bytes = readFileSync(path)
    const at = bytes.indexOf('entry 2')
    bytes[at] = 0
    writeFileSync(path, bytes)
    await expect(opened({ folder })).rejects.toThrow(
      /000001\.log is damaged at byte \d+: what stands there is not whole: record \d+ should be there\. .* does not vote with what is left .*: remove the folder, and start it again\. It joins anew then, as a learner/,
    )
  })
})

describe('a snapshot', () => {
  test('stands for the entries up to its last one, and later ones stay', async () => {
    const { store, folder } = await opened()
    await store.found({ cluster: 'x' })
    await store.append(entriesFrom(1, 10))
    await store.save(durable(2))
    await store.snapshot(snapshotAt(6), ['a', '', 'b'])
    await store.append(entriesFrom(11, 1))
    const recovered = await again(store, folder)
    expect(recovered).toEqual({
      durable: durable(2),
      founding: { cluster: 'x' },
      snapshot: { ...snapshotAt(6), pieces: ['a', '', 'b'] },
      entries: [...entriesFrom(7, 4), ...entriesFrom(11, 1)],
    })
  })

  test('is written while appends go on, and is taken as that gets on', async () => {
    const { store, folder } = await opened()
    await store.append(entriesFrom(1, 10))
    // Whether others had their turn between the first piece and the last.
    let [hadTurn, hadItThen] = [false, false]
    const pieces = function* () {
      void Promise.resolve().then(() => (hadTurn = true))
      for (let piece = 0; piece < 40; piece += 1) yield 'x'.repeat(50_000)
      hadItThen = hadTurn
    }
    await Promise.all([store.snapshot(snapshotAt(10), pieces()), store.append(entriesFrom(11, 1))])
    expect(hadItThen).toBe(true)
    const recovered = await again(store, folder)
    expect([indexes(recovered), recovered.snapshot?.pieces?.length]).toEqual([[11], 40])
  })

  test('takes the place of the one before it, and pieces that it stands for are removed', {
    timeout: 60_000,
  }, async () => {
    const { store, folder } = await opened()
    const names = () => readdirSync(join(folder, 'queue')).sort()
    const data = 'x'.repeat(100_000)
    for (let index = 1; index <= 300; index += 20)
      await store.append(Array.from({ length: 20 }, (_, place) => entry(index + place, data)))
    expect(names()).toContain('000001.log')
    for (const index of [100, 200, 290]) await store.snapshot(snapshotAt(index), [`up to ${index}`])
    expect(names().filter((name) => name.endsWith('.kept'))).toHaveLength(1)
    expect(names()).not.toContain('000001.log')
    const recovered = await again(store, folder)
    expect(recovered.snapshot?.pieces).toEqual(['up to 290'])
    expect(indexes(recovered)).toEqual([291, 292, 293, 294, 295, 296, 297, 298, 299, 300])
  })

  test('whose making goes wrong leaves the one before it', async () => {
    const { store, folder } = await opened()
    await store.append(entriesFrom(1, 10))
    await store.snapshot(snapshotAt(3), ['three'])
    const pieces = function* () {
      yield 'x'.repeat(1_000_000)
      throw new Error('no more')
    }
    await expect(store.snapshot(snapshotAt(5), pieces())).rejects.toThrow('no more')
    await store.append([entry(11)])
    await store.snapshot(snapshotAt(4), ['four'])
    const recovered = await again(store, folder)
    expect([recovered.snapshot?.pieces, indexes(recovered)]).toEqual([['four'], [5, 6, 7, 8, 9, 10, 11]])
  })
})

describe('a snapshot that is installed', () => {
  test('is the whole log: what was before it does not count, also no later entries', async () => {
    const { store, folder } = await opened()
    await store.found({ cluster: 'x' })
    await store.save(durable(2))
    await store.append(entriesFrom(1, 50))
    await store.install(snapshotAt(20, 3), ['of', 'another'])
    const recovered = await again(store, folder)
    expect(recovered).toEqual({
      durable: durable(2),
      founding: { cluster: 'x' },
      snapshot: { ...snapshotAt(20, 3), pieces: ['of', 'another'] },
      entries: [],
    })
    const { store: next } = await opened({ folder })
    await expect(next.append([entry(22)])).rejects.toThrow('Entry 22 does not follow entry 20')
    await next.append(entriesFrom(21, 2, 3))
    expect((await again(next, folder)).entries).toEqual(entriesFrom(21, 2, 3))
  })

  test('has entries wait for it, and no state', async () => {
    const { store, folder } = await opened()
    const order: string[] = []
    const note = (what: string, done: Promise<void>) => done.then(() => order.push(what))
    let saved = Promise.resolve<unknown>(undefined)
    const pieces = function* () {
      for (let piece = 0; piece < 10; piece += 1) yield 'x'.repeat(300_000)
      saved = note('saved', store.save(durable(9)))
      yield 'x'.repeat(300_000)
    }
    const done = [
      note('before', store.append(entriesFrom(1, 10))),
      note('installed', store.install(snapshotAt(99), pieces())),
      note('after', store.append(entriesFrom(100, 2))),
      note('next', store.install(snapshotAt(200), ['next'])),
      note('last', store.append(entriesFrom(201, 1))),
    ]
    await Promise.all(done)
    await saved
    expect(order.filter((what) => what !== 'saved')).toEqual(['before', 'installed', 'after', 'next', 'last'])
    expect(order.indexOf('saved')).toBeLessThan(order.indexOf('installed'))
    const recovered = await again(store, folder)
    expect([recovered.durable.term, recovered.snapshot?.pieces, indexes(recovered)]).toEqual([
      9,
      ['next'],
      [201],
    ])
  })

  test('that is refused takes along what would follow it, and nothing else', async () => {
    const { store, folder } = await opened()
    const pieces = function* () {
      yield 'x'.repeat(300_000)
      throw new Error('no more')
    }
    const done = [
      store.append(entriesFrom(1, 10)),
      store.install(snapshotAt(50), pieces()),
      store.append(entriesFrom(51, 1)),
      store.save(durable(3)),
      store.install(snapshotAt(100), ['a hundred']),
      store.append(entriesFrom(101, 1)),
    ]
    expect(await Promise.all(done.map(outcomeOf))).toEqual([
      'done',
      'no more',
      'no more',
      'done',
      'done',
      'done',
    ])
    await expect(store.install(snapshotAt(200), pieces())).rejects.toThrow('no more')
    // What comes now would follow that, also where there is another entry before it here.
    for (const index of [102, 201])
      await expect(store.append([entry(index)])).rejects.toThrow(
        'lacks the snapshot that was to take the place',
      )
    await expect(store.snapshot(snapshotAt(101), [])).rejects.toThrow('lacks the snapshot')
    await store.save(durable(4))
    const recovered = await again(store, folder)
    expect([recovered.durable.term, recovered.snapshot?.pieces, indexes(recovered)]).toEqual([
      4,
      ['a hundred'],
      [101],
    ])
    const { store: next } = await opened({ folder })
    await expect(next.install(snapshotAt(200), pieces())).rejects.toThrow('no more')
    await Promise.all([next.install(snapshotAt(200), ['two']), next.append([entry(201)])])
    expect(indexes(await again(next, folder))).toEqual([201])
  })

  test('that is not on the disk when the store is closed is given up, with what waits for it', async () => {
    const { store, folder } = await opened()
    await store.append(entriesFrom(1, 10))
    const pieces = function* () {
      for (let piece = 0; piece < 100; piece += 1) yield 'x'.repeat(300_000)
    }
    const done = [store.install(snapshotAt(50), pieces()), store.append(entriesFrom(51, 1))].map(outcomeOf)
    await store.append([]).then(() => store.close())
    expect(await Promise.all(done)).toEqual([
      expect.stringContaining('cannot be used'),
      expect.stringContaining('cannot be used'),
    ])
    expect(indexes(await again(store, folder))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })
})

describe('a process', () => {
  test('is refused while its disk is full, and goes on when there is room', { timeout: 60_000 }, async () => {
    const program = start('keeps-log.ts', [join(tempFolder(), 'disk'), 'small'], { files: true })
    expect(await program.ended, program.stdout + program.stderr).toBe(0)
    expect(program.stdout).toMatch(/^refused: Cannot write to .*: the disk is full\.$/m)
    expect(program.stdout).toMatch(/^behind: Cannot write to .*: the disk is full\. true$/m)
    expect(program.stdout).toMatch(/^then: Entry \d+ does not follow entry \d+/m)
    expect(program.stdout).toMatch(/^snapshot: Cannot write a snapshot to .*: the disk is full\.$/m)
    expect(program.stdout.match(/Nothing is taken until that is mended\./g)).toHaveLength(1)
    expect(program.stdout.match(/can be written again\./g)).toHaveLength(1)
    expect(program.stdout).toMatch(/^all there$/m)
  })
})
