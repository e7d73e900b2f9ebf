/** The log of a replica on files in memory: what damage is told, and what a disk that fails leaves. */
import { describe, expect, test } from 'vitest'
import type { ReplicaLog } from '../src/replica-store-log.ts'
import { headBytes } from '../src/task-log-head.ts'
import { afterPowerCut, FilesInMemory, randomFrom } from './files-in-memory.ts'
import {
  begin,
  durable,
  encoded,
  entriesFrom,
  entry,
  FOLDER,
  foundIn,
  opened,
  state,
  triedOn,
} from './replica-support.ts'

const SEED = Number(process.env['REPLICA_LOG_SEED'] ?? 27)

/** How many bits of each file are turned. */
const BITS = Number(process.env['REPLICA_LOG_BITS'] ?? 12)

const PATH = `${FOLDER}/000001.log`

/** What a damaged file says that is to be done. */
const WHAT_TO_DO =
  'A member does not vote with what is left of what it knew: remove the folder, and start it again. It joins anew then, as a learner under another id, and the others send it the log. A copy of the folder would be older, and is no help. Is the disk failing?'

/** The files of a log after some work. */
async function made(work: (log: ReplicaLog) => Promise<void>): Promise<Map<string, Buffer>> {
  const files = new FilesInMemory()
  const { log } = await opened(files)
  await work(log)
  await log.close()
  return files.contents()
}

/** Three records, each a commit. */
const three = () =>
  made(async (log) => {
    for (const index of [1, 2, 3]) await log.commit(encoded([entry(index)]))
  })

/** With a snapshot, and entries behind it in some pieces. */
const long = () =>
  made(async (log) => {
    await log.commit(encoded([{ kind: 'founding', data: '{}' }, state(1)]))
    for (let index = 1; index < 90; index += 3) await log.commit(encoded(entriesFrom(index, 3)))
    await begin(log, 20, ['twenty '.repeat(200), 'and more '.repeat(200)])
    await log.snapshot()
    for (let index = 91; index < 120; index += 3) await log.commit(encoded(entriesFrom(index, 3)))
  })

async function refusalOf(contents: Map<string, Buffer>): Promise<string> {
  const left = await triedOn(FilesInMemory.of(contents))
  return 'refused' in left ? left.refused : 'none'
}

describe('damage', () => {
  test('of one bit, anywhere: opens with all that was acknowledged, or is named', {
    timeout: 300_000,
  }, async () => {
    const random = randomFrom(SEED)
    let [refused, taken] = [0, 0]
    for (const contents of [await three(), await long()]) {
      const { found } = await opened(FilesInMemory.of(contents))
      for (const [path, bytes] of contents) {
        for (let bit = 0; bit < BITS; bit += 1) {
          // Most of a file may be zeros, in which there is nothing to damage.
          let at = 0
          for (let tries = 0; tries < 50 && (tries === 0 || bytes[at] === 0); tries += 1)
            at = Math.floor(random() * bytes.length)
          const turned = Buffer.from(bytes)
          turned[at] = (turned[at] as number) ^ (1 << Math.floor(random() * 8))
          const left = await triedOn(FilesInMemory.of(new Map(contents).set(path, turned)))
          if ('refused' in left) {
            expect(left.refused).toContain(path)
            expect(left.refused).toContain(WHAT_TO_DO)
            refused += 1
          } else {
            expect(left.found, `${path}, byte ${at}`).toEqual(found)
            taken += 1
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(BITS)
    expect(taken).toBeGreaterThan(BITS / 2)
  })

  test('is told with the file, the byte and the record, and what to do', async () => {
    const contents = await three()
    const bytes = Buffer.from(contents.get(PATH) as Buffer)
    const second = bytes.lastIndexOf('task', bytes.indexOf('entry 2'))
    bytes[second + 30] = 0xff
    expect(await refusalOf(new Map(contents).set(PATH, bytes))).toBe(
      `${PATH} is damaged at byte ${second}: what stands there is not whole: record 2 should be there. It was acknowledged: record 3, which came later, stands behind it. ${WHAT_TO_DO}`,
    )
  })

  test('of what was acknowledged last is mended from the mark, and told once', async () => {
    const contents = await three()
    const bytes = Buffer.from(contents.get(PATH) as Buffer)
    const third = bytes.lastIndexOf('task', bytes.indexOf('entry 3'))
    bytes[bytes.indexOf('entry 3')] = 0
    const files = FilesInMemory.of(new Map(contents).set(PATH, bytes))
    const told: string[][] = []
    for (let start = 0; start < 2; start += 1) {
      const { log, found, warnings } = await opened(files)
      expect(found.entries.map(({ data }) => data)).toEqual(['entry 1', 'entry 2', 'entry 3'])
      told.push(warnings)
      await log.close()
    }
    expect(told).toEqual([
      [
        `${PATH} is not whole from byte ${third} on, where record 3 should be. That was of what was written last: it is taken from the file mark beside it, and written again. A power cut may leave that; if there was none, the disk may be failing.`,
      ],
      [],
    ])
  })

  test('of what was acknowledged last is mended also where nothing more was written, nor closed, before the power went', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    for (const index of [1, 2, 3]) {
      await log.commit(encoded([entry(index)]))
      const contents = afterPowerCut(files.moment())
      const bytes = Buffer.from(contents.get(PATH) as Buffer)
      contents.set(PATH, bytes.fill(0xff, bytes.indexOf(`entry ${index}`)))
      const { found } = await opened(FilesInMemory.of(contents))
      expect(found.entries.at(-1)?.data).toBe(`entry ${index}`)
    }
  })

  test('is that a snapshot is missing, a piece, or the mark', async () => {
    const contents = await long()
    const names = [...contents.keys()].map((path) => path.slice(FOLDER.length + 1)).sort()
    expect(names.filter((name) => /log$/.test(name)).length).toBeGreaterThan(2)
    for (const name of names.slice(0, -2)) {
      const left = new Map(contents)
      left.delete(`${FOLDER}/${name}`)
      expect(await refusalOf(left), name).toMatch(/is missing|has no \d+\.log/)
      expect(await refusalOf(left)).toContain(WHAT_TO_DO)
    }
  })

  test('is a file of another store, of tasks, or of a later version', async () => {
    const contents = await three()
    const foreign = (await three()).get(PATH) as Buffer
    expect(await refusalOf(new Map(contents).set(PATH, foreign))).toContain(
      `${PATH} belongs to another replica store`,
    )
    const mark = `${FOLDER}/mark`
    const head = (bytes: Buffer) => {
      const whole = Buffer.from(contents.get(mark) as Buffer)
      bytes.copy(whole)
      return new Map(contents).set(mark, whole)
    }
    expect(await refusalOf(head(headBytes({ kind: 'mark', store: 'x', index: 0 })))).toContain(
      `${mark} is no file of a replica store.`,
    )
    const later = { name: 'replica store', version: 2, whatToDo: '' }
    expect(await refusalOf(head(headBytes({ kind: 'mark', store: 'x', index: 0 }, later)))).toContain(
      `${mark} was written by a later version of this program (its files are version 2, and 1 is known here)`,
    )
  })

  test('is that entries follow none of those before them', async () => {
    const contents = await made((log) => log.commit(encoded([entry(1), entry(3)])))
    expect(await refusalOf(contents)).toBe(
      `${FOLDER} has entries up to 1, and later ones that do not follow these. ${WHAT_TO_DO}`,
    )
  })
})

test('what was replaced does not come back behind a snapshot of what has replaced it', async () => {
  const files = new FilesInMemory()
  const { log } = await opened(files)
  await log.commit(encoded(entriesFrom(1, 11)))
  await log.commit(encoded(entriesFrom(8, 2, 2)))
  await begin(log, 9, ['nine'])
  await log.snapshot()
  expect(log.last).toBe(9)
  const { found } = await opened(FilesInMemory.of(files.contents()))
  expect([found.snapshot, found.entries]).toEqual(['9:nine', []])
})

describe('a disk', () => {
  test('that is full refuses a commit, and goes on when there is room', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    files.most = 160_000
    for (let refused = 0; refused < 3; ) {
      const next = entry(log.last + 1, 'x'.repeat(900))
      await log.commit(encoded([next])).catch((error) => {
        expect(error.message).toBe(`Cannot write to ${FOLDER}: the disk is full.`)
        refused += 1
      })
    }
    const before = log.last
    expect(before).toBeGreaterThan(5)
    files.most = Number.POSITIVE_INFINITY
    await log.commit(encoded([entry(before + 1)]))
    const { found } = await opened(FilesInMemory.of(files.contents()))
    expect(found.entries.map(({ index }) => index)).toEqual(
      Array.from({ length: before + 1 }, (_, place) => place + 1),
    )
  })

  test('that has no room for a snapshot keeps the one before it, and nothing of that', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    await log.commit(encoded(entriesFrom(1, 9)))
    await begin(log, 3, ['three'])
    await log.snapshot()
    files.most = 150_000
    await expect(begin(log, 5, ['x'.repeat(50_000)])).rejects.toThrow(
      `Cannot write a snapshot to ${FOLDER}: the disk is full.`,
    )
    expect(files.list(FOLDER).filter((name) => name.startsWith('kept'))).toEqual([])
    const { found } = await opened(FilesInMemory.of(files.contents()))
    expect([found.snapshot, found.entries.length]).toEqual(['3:three', 6])
    await begin(log, 5, ['five'])
    await log.snapshot()
    expect(await foundIn(log)).toMatchObject({ snapshot: '5:five', through: 5 })
  })

  /** A log with a snapshot, entries behind it, and a state. */
  async function begun(files: FilesInMemory): Promise<ReplicaLog> {
    const { log } = await opened(files)
    for (let index = 1; index < 60; index += 3) await log.commit(encoded(entriesFrom(index, 3)))
    await begin(log, 3, ['three'])
    await log.snapshot()
    await log.commit(encoded([state(2)]))
    return log
  }

  /** Makes a snapshot on a disk that fails at a step, and says what became of it, and what is there if it is opened then. */
  async function failingAt(
    step: number,
    files: FilesInMemory,
    log: ReplicaLog,
    how: 'snapshot' | 'install',
  ): Promise<string> {
    files.failsAt = step
    const outcome = await begin(log, 30, ['thirty'])
      .then(() => log[how]())
      .then(
        () => 'done',
        () => 'refused',
      )
    files.failsAt = Number.POSITIVE_INFINITY
    return `${outcome}: ${(await opened(FilesInMemory.of(files.contents()))).found.snapshot}`
  }

  const OUTCOMES = ['done: 30:thirty', 'refused: 30:thirty', 'refused: 3:three']

  test('that fails at any step of a snapshot has it or the one before it, and goes on', async () => {
    const outcomes = new Set<string>()
    for (let step = 0; step < 12; step += 1) {
      const files = new FilesInMemory()
      const log = await begun(files)
      outcomes.add(await failingAt(step, files, log, 'snapshot'))
      // What is made next is not less for it.
      await log.commit(encoded(entriesFrom(log.last + 1, 2)))
      await begin(log, 31, ['thirty-one'])
      await log.snapshot()
      const { found } = await opened(FilesInMemory.of(files.contents()))
      expect([found.snapshot, found.state]).toEqual(['31:thirty-one', JSON.stringify(durable(2))])
      expect(found.entries.map(({ index }) => index)).toEqual(
        Array.from({ length: 31 }, (_, place) => 32 + place),
      )
    }
    expect([...outcomes].sort()).toEqual(OUTCOMES)
  })

  test('that fails at any step of one that is installed has it or the log before it, keeps states, and installs the next', async () => {
    const outcomes = new Set<string>()
    for (let step = 0; step < 12; step += 1) {
      const files = new FilesInMemory()
      const log = await begun(files)
      const outcome = await failingAt(step, files, log, 'install')
      outcomes.add(outcome)
      await log.commit(encoded([state(3)]))
      const { found } = await opened(FilesInMemory.of(files.contents()))
      expect([found.state, found.entries.length]).toEqual([
        JSON.stringify(durable(3)),
        outcome.includes('thirty') ? 0 : 57,
      ])
      await begin(log, 100, ['hundred'])
      await log.install()
      for (let index = 101; index < 150; index += 3) await log.commit(encoded(entriesFrom(index, 3)))
      await begin(log, 110, ['hundred and ten'])
      await log.snapshot()
      const { found: next } = await opened(FilesInMemory.of(files.contents()))
      expect([next.snapshot, next.state]).toEqual(['110:hundred and ten', JSON.stringify(durable(3))])
      expect(next.entries).toEqual(entriesFrom(111, 41))
    }
    expect([...outcomes].sort()).toEqual(OUTCOMES)
  })
})
