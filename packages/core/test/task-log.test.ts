/** A log of tasks on files in memory: what it keeps, what it throws away, and what it says of damage. */
import { describe, expect, test } from 'vitest'
import type { TaskEvent } from '../src/task-journal.ts'
import { HEAD_BYTES } from '../src/task-log-head.ts'
import { FilesInMemory, randomFrom } from './files-in-memory.ts'
import {
  BEGIN,
  commit,
  commitsOf,
  ended,
  eventsOf,
  FOLDER,
  keyOf,
  MINUTE,
  opened,
  placesOf,
  submitted,
  tried,
  triedOn,
  wrongOf,
} from './task-log-support.ts'

const SEED = Number(process.env['TASK_LOG_SEED'] ?? 25)

/** How many bits of each file are turned. */
const BITS = Number(process.env['TASK_LOG_BITS'] ?? 8)

/** As long as a busy machine takes to open some hundred logs. */
const LONG = { timeout: 300_000 }

interface Made {
  contents: Map<string, Buffer>
  events: TaskEvent[]
  /** How many events each commit had. */
  commits: number[]
}

/** A log as it is after some commits, and what is in it. */
async function made(commits: Iterable<TaskEvent[]>, { isTidied = false } = {}): Promise<Made> {
  const files = new FilesInMemory()
  const { log } = await opened(files)
  const all: TaskEvent[][] = []
  for (const events of commits) {
    all.push(events)
    await commit(log, ...events)
  }
  if (isTidied) await log.tidy()
  await log.close()
  return { contents: files.contents(), events: all.flat(), commits: all.map(({ length }) => length) }
}

const keys = (events: readonly TaskEvent[]) => events.map(keyOf)

describe('what was committed', () => {
  test('is there again, in order, with every field that it had', async () => {
    const events: TaskEvent[] = [
      { ...submitted('a'), requires: ['camera', '64-bit'] } as TaskEvent,
      submitted('Grüße 🍓', BEGIN, '{"text":"\\ud800 😀"}'),
      tried('a'),
      ended('a', BEGIN, 'failed'),
      { kind: 'retried', id: 'a' },
      { kind: 'tried', id: 'a', attempts: 2, lost: 1 },
      ended('a'),
      { kind: 'ended', id: 'Grüße 🍓', state: 'cancelled', attempts: 0, lost: 0, at: BEGIN + 1 },
    ]
    const { contents } = await made([events.slice(0, 3), events.slice(3)])
    const { events: again, log } = await opened(FilesInMemory.of(contents))
    expect(keys(again)).toEqual(keys(events))
    expect([log.size, log.last]).toEqual([2, 8])
  })

  test('is there after many commits, of any size, and a start in between', async () => {
    const files = new FilesInMemory()
    const events: TaskEvent[] = []
    for (let round = 0; round < 4; round += 1) {
      const { log, events: again } = await opened(files)
      expect(keys(again)).toEqual(keys(events))
      for (let task = 0; task < 8; task += 1) {
        const input = `"${'x'.repeat(task === 5 ? 100_000 : task * 300)}"`
        const event = submitted(`${round}-${task}`, BEGIN, input)
        events.push(event)
        await commit(log, event)
      }
      await log.close()
    }
  })

  test('costs two synchronisations at the same time, and no more, where it is short', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files, { segmentBytes: 65_536 })
    await commit(log, submitted('first'))
    const before = files.synced
    await commit(log, submitted('second'))
    expect(files.synced - before).toBe(2)
  })

  test('of a task that is submitted again is what came since then', async () => {
    const { contents } = await made([
      [submitted('a')],
      [ended('a')],
      [submitted('a', BEGIN + 1)],
      [tried('a')],
    ])
    const { events } = await opened(FilesInMemory.of(contents))
    expect(keys(events)).toEqual(keys([submitted('a', BEGIN + 1), tried('a')]))
  })
})

describe('what is done', () => {
  test('is thrown away an hour later, but for the newest that have failed', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    await commit(log, submitted('waits'), submitted('done'), submitted('failed'))
    await commit(log, ended('done'), ended('failed', BEGIN, 'failed'))
    for (let task = 0; task < 80; task += 1)
      await commit(log, submitted(task, BEGIN + 61 * MINUTE), ended(task, BEGIN + 61 * MINUTE))
    await log.tidy()
    const ids = new Set((await eventsOf(log)).map(({ id }) => id))
    expect([ids.has('waits'), ids.has('done'), ids.has('failed'), ids.has('0')]).toEqual([
      true,
      false,
      true,
      true,
    ])
    await log.close()
    const again = await opened(files)
    expect(new Set(again.events.map(({ id }) => id))).toEqual(ids)
  })

  test('takes no more room than what is not', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    const bytes = () =>
      [...files.contents()].reduce(
        (sum, [path, { length }]) => (/history|mark/.test(path) ? sum : sum + length),
        0,
      )
    let most = 0
    for (let task = 0; task < 500; task += 1) {
      const at = BEGIN + task * 5 * MINUTE
      await commit(log, submitted(task, at), tried(task), ended(task, at))
      // As soon as there is something to do besides, it is done.
      if (task % 20 === 0) await log.tidy()
      most = Math.max(most, bytes())
    }
    expect(most).toBeLessThan(12 * 4096)
    expect((await log.history.page({ limit: 1000 })).tasks).toHaveLength(500)
  })

  test('is not torn apart when it ends while others are copied', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    for (let task = 0; task < 60; task += 1) await commit(log, submitted(task, BEGIN))
    const tidied = log.tidy()
    for (let task = 0; task < 60; task += 2)
      await commit(log, tried(task), ended(task, BEGIN + task * MINUTE))
    await tidied
    const left = new Map(
      (await opened(FilesInMemory.of(files.contents()))).events.map((event) => [event.id, event]),
    )
    expect([...left.values()].filter(({ kind }) => kind === 'submitted')).toHaveLength(30)
  })
})

describe('a tail', () => {
  test('is cut at every byte: nothing that was acknowledged is missing without a word', LONG, async () => {
    const { contents, events } = await made(commitsOf(randomFrom(SEED), 12))
    const places = placesOf(events)
    for (const name of ['000001.log', '000002.log', 'mark']) {
      const path = `${FOLDER}/${name}`
      const whole = contents.get(path)
      if (!whole) continue
      // The mark is mostly empty, and so is the end of a piece: there, and far from the end, not at every byte.
      const end = name === 'mark' ? whole.length : whole.lastIndexOf('tile')
      const step = Math.ceil(whole.length / 40)
      let refused = 0
      for (
        let length = 0;
        length < whole.length;
        length += length > end - 300 && length < end + 60 ? 1 : step
      ) {
        const left = await triedOn(FilesInMemory.of(new Map(contents).set(path, whole.subarray(0, length))))
        if ('refused' in left) {
          expect(left.refused).toContain(path)
          expect(left.refused).toMatch(/damaged|does not begin|missing/)
          refused += 1
        } else
          expect(wrongOf(left.events, events, places, events.length), `${name} cut to ${length}`).toBe(
            undefined,
          )
      }
      expect(refused, name).toBeGreaterThan(0)
    }
  })

  test('that nobody was told of is cut off without a word, wherever it is torn', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    await commit(log, submitted('told'))
    const before = files.contents()
    await commit(log, submitted('not told'), submitted('nor this'))
    const path = `${FOLDER}/000001.log`
    const whole = files.contents().get(path) as Buffer
    const end = whole.indexOf(0, whole.lastIndexOf('tile')) // what follows are zeros
    for (let torn = HEAD_BYTES + 1; torn < end; torn += 1) {
      const bytes = Buffer.from(whole)
      bytes.fill(0, torn, end)
      const left = await opened(
        FilesInMemory.of(new Map(before).set(path, torn < 700 ? (before.get(path) as Buffer) : bytes)),
      )
      expect(left.warnings).toEqual([])
      expect(left.events[0]?.id).toBe('told')
      // And it is gone on with, over what was cut off.
      await commit(left.log, submitted('next'))
      expect((await eventsOf(left.log)).at(-1)?.id).toBe('next')
    }
  })
})

test('what was cut off does not come back behind what is written in its place', async () => {
  const files = new FilesInMemory()
  const { log } = await opened(files)
  await commit(log, submitted('told'))
  const before = files.contents()
  await commit(log, submitted('not told'), submitted('nor this'))
  const path = `${FOLDER}/000001.log`
  const torn = Buffer.from(files.contents().get(path) as Buffer)
  torn[torn.indexOf('not told')] = 0
  const left = FilesInMemory.of(new Map(before).set(path, torn))
  const again = await opened(left)
  expect(again.events.map(({ id }) => id)).toEqual(['told'])
  // As long as what was there.
  await commit(again.log, submitted('new told'))
  await again.log.close()
  expect((await opened(left)).events.map(({ id }) => id)).toEqual(['told', 'new told'])
})

describe('damage', () => {
  test('of one bit, anywhere: opens with all that was acknowledged, or is named', LONG, async () => {
    const random = randomFrom(SEED)
    const log = await made(commitsOf(random, 25))
    const tidied = await made(commitsOf(random, 60), { isTidied: true })
    expect([...tidied.contents.keys()].some((path) => path.endsWith('.kept'))).toBe(true)
    let [refused, taken] = [0, 0]
    for (const { contents, events } of [log, tidied]) {
      const places = placesOf(events)
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
            refused += 1
          } else {
            expect(wrongOf(left.events, events, places, events.length), `${path}, byte ${at}`).toBe(undefined)
            taken += 1
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(taken / 10)
    expect(taken).toBeGreaterThan(BITS / 2)
  })

  async function refusalOf(contents: Map<string, Buffer>): Promise<string> {
    const left = await triedOn(FilesInMemory.of(contents))
    return 'refused' in left ? left.refused : 'none'
  }

  /** A log of one piece with three records, each a commit. */
  const three = () => made([[submitted('a')], [submitted('b')], [submitted('c')]])
  const PATH = `${FOLDER}/000001.log`

  test('is told with the file, the byte and the record, and what to do', async () => {
    const { contents } = await three()
    const bytes = Buffer.from(contents.get(PATH) as Buffer)
    const second = bytes.indexOf('task', bytes.indexOf('task', HEAD_BYTES) + 4)
    bytes[second + 30] = 0xff
    expect(await refusalOf(new Map(contents).set(PATH, bytes))).toBe(
      `${PATH} is damaged at byte ${second}: what stands there is not whole: record 2 should be there. It was acknowledged: record 3, which came later, stands behind it. Put back a copy of the folder, or begin with what is whole in it: salvageTaskStore does that, and keeps the damaged files.`,
    )
    expect(await refusalOf(new Map(contents).set(PATH, bytes.subarray(0, second)))).toContain(
      `${PATH} is damaged at byte ${second}: the file ends, and record 2 should be there. It was acknowledged: 3 records were acknowledged, as the file mark beside it says.`,
    )
  })

  test('of the last commit is mended from the mark, and told once', async () => {
    const { contents, events } = await three()
    const bytes = Buffer.from(contents.get(PATH) as Buffer)
    const third = bytes.lastIndexOf('task', bytes.lastIndexOf('tile'))
    bytes.fill(0xff, third, third + 100)
    const files = FilesInMemory.of(new Map(contents).set(PATH, bytes))
    const left = await opened(files)
    expect(keys(left.events)).toEqual(keys(events))
    expect(left.warnings).toEqual([
      `${PATH} is not whole from byte ${third} on, where record 3 should be. That was of what was written last: it is taken from the file mark beside it, and written again. A power cut may leave that; if there was none, the disk may be failing.`,
    ])
    await left.log.close()
    const again = await opened(files)
    expect([keys(again.events), again.warnings]).toEqual([keys(events), []])
  })

  test('of a commit that is too long for the mark is named', async () => {
    const { contents } = await made([[submitted('a')], [submitted('b', BEGIN, `"${'x'.repeat(70_000)}"`)]])
    const [path = '', whole = Buffer.alloc(0)] =
      [...contents].find(([, bytes]) => bytes.includes('xxx')) ?? []
    const bytes = Buffer.from(whole)
    bytes[bytes.indexOf('xxx') + 60_000] = 0
    expect(await refusalOf(new Map(contents).set(path, bytes))).toContain(`${path} is damaged at byte`)
  })

  test('is that a piece is missing, the mark, or what was kept', async () => {
    const { contents } = await made(commitsOf(randomFrom(SEED), 60), { isTidied: false })
    const without = async (name: string, from = contents) => {
      const left = new Map(from)
      expect(left.delete(`${FOLDER}/${name}`)).toBe(true)
      return refusalOf(left)
    }
    const pieces = [...contents.keys()]
      .filter((path) => /\d+\.log$/.test(path) && !path.includes('history'))
      .sort()
    const names = pieces.map((path) => path.slice(FOLDER.length + 1))
    expect(names.length).toBeGreaterThan(2)
    for (const name of names.slice(1, -2)) expect(await without(name)).toContain(`${FOLDER} has no ${name}`)
    expect(await without('mark')).toContain(`${FOLDER}/mark is missing`)
    const tidied = await made(commitsOf(randomFrom(SEED), 60), { isTidied: true })
    const kept = [...tidied.contents.keys()].find((path) => path.endsWith('.kept')) as string
    expect(await without(kept.slice(FOLDER.length + 1), tidied.contents)).toContain(
      'a piece of the log is missing',
    )
    const all = (await three()).contents
    expect(await without('000001.log', all)).toContain(
      `${FOLDER} has no 000001.log: 3 records were acknowledged, as the file mark beside it says, and here are 0.`,
    )
  })

  test('is a file of another store, of another program, or of a later version', async () => {
    const { contents } = await three()
    const other = await three()
    const foreign = other.contents.get(PATH) as Buffer
    expect(await refusalOf(new Map(contents).set(PATH, foreign))).toContain(
      `${PATH} belongs to another task store`,
    )
    expect(await refusalOf(new Map(contents).set(PATH, Buffer.alloc(9000, 'x')))).toContain(
      `${PATH} does not begin as a file of a task store does`,
    )
    const mark = `${FOLDER}/mark`
    const { headBytes } = await import('../src/task-log-head.ts')
    const later = headBytes({ kind: 'mark', store: 'x', index: 0, ...{ version: 2 } })
    const bytes = Buffer.from(contents.get(mark) as Buffer)
    later.copy(bytes)
    expect(await refusalOf(new Map(contents).set(mark, bytes))).toContain(
      `${mark} was written by a later version of this program (its files are version 2, and 1 is known here)`,
    )
    // What has another name is nobody's business.
    expect(await refusalOf(new Map(contents).set(`${FOLDER}/notes.txt`, Buffer.from('mine')))).toBe('none')
  })
})

describe('a disk', () => {
  test('that is full refuses what waits for it, and goes on when there is room', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    const events: TaskEvent[] = []
    files.most = 160_000
    let refused = 0
    for (let task = 0; refused < 5; task += 1) {
      const event = submitted(task)
      await commit(log, event).then(
        () => events.push(event),
        (error) => {
          expect(error.message).toBe(`Cannot write to ${FOLDER}: the disk is full.`)
          refused += 1
        },
      )
    }
    expect(events.length).toBeGreaterThan(20)
    expect(keys((await opened(FilesInMemory.of(files.contents()))).events)).toEqual(keys(events))
    files.most = Number.POSITIVE_INFINITY
    events.push(submitted('after'))
    await commit(log, submitted('after'))
    expect(keys((await opened(FilesInMemory.of(files.contents()))).events)).toEqual(keys(events))
  })

  test('that has room for a part of a commit keeps nothing of it', async () => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    await commit(log, submitted('a'))
    files.most = 210_000
    await expect(commit(log, submitted('b', BEGIN, `"${'x'.repeat(90_000)}"`))).rejects.toThrow(
      'the disk is full',
    )
    await commit(log, submitted('c'))
    const left = await opened(FilesInMemory.of(files.contents()))
    expect(left.events.map(({ id }) => id)).toEqual(['a', 'c'])
  })

  test.each([1, 2, 3, 4])('whose synchronisation fails %d times takes it back', async (failing) => {
    const files = new FilesInMemory()
    const { log } = await opened(files)
    const events = [submitted('a'), submitted('b')]
    for (const event of events) await commit(log, event)
    files.failing = failing
    for (let refused = true; refused; ) {
      await commit(log, submitted('refused')).then(
        () => (refused = false),
        (error) => expect(error.message).toContain('the disk does not answer as it should'),
      )
      if (refused && files.failing === 0) break
    }
    const without = await opened(FilesInMemory.of(files.contents()))
    const ids = without.events.map(({ id }) => id)
    await commit(log, submitted('c'))
    const left = (await opened(FilesInMemory.of(files.contents()))).events.map(({ id }) => id)
    expect(left).toEqual([...ids, 'c'])
    expect(ids.slice(0, 2)).toEqual(['a', 'b'])
    if (failing === 1) expect(ids).toEqual(['a', 'b'])
  })
})
