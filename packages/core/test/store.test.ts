import fs, {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import sqlite from 'node-sqlite3-wasm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openStore as openFromSource, type Store, type StoreOptions } from '../src/store.ts'
import { openFile } from '../src/store-file.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const { openStore }: { openStore: typeof openFromSource } = await import(join(BUILT_FIXTURES, 'store.js'))

const PATIENCE = { timeout: 20_000, interval: 5 }

/** A moment at which an hour and a day begin. */
const BEGIN = 1_699_920_000
const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

interface Opened {
  store: Store
  folder: string
  path: string
  warnings(): string[]
}

async function opened({ folder = tempFolder(), ...options }: Partial<StoreOptions> = {}): Promise<Opened> {
  const { log, records } = recordingLog()
  const store = await openStore({ name: 'vitals', folder, log, commitMs: 600_000, ...options })
  onTestFinished(() => store.close())
  return {
    store,
    folder,
    path: join(folder, 'vitals.db'),
    warnings: () => records.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
  }
}

/** Adds a sample of one vital. */
function add(store: Store, at: number, load: number, node = 'a'): void {
  store.add({ node, name: `pi-${node}`, at, values: { load } })
}

/** What a node's vital was, without the gaps. */
async function means(store: Store, from: number, to: number, node = 'a'): Promise<number[]> {
  const { lines } = await store.history({ vital: 'load', node, from, to })
  return (lines[0]?.mean ?? []).filter((mean) => mean !== null)
}

describe('history', () => {
  test('has a line for each node, with gaps, and what the vital is called', async () => {
    const { store } = await opened()
    store.describe('load', { label: 'Load', unit: '%' })
    add(store, BEGIN + 5, 1, '10')
    add(store, BEGIN + 4 * MINUTE + 9.5, 2.5, '10')
    add(store, BEGIN + MINUTE, 4, '9')
    store.add({ node: 'b', name: 'pi-b', at: BEGIN, values: { heat: 50 } })
    await store.flush()
    expect(await store.history({ vital: 'load', from: BEGIN, to: BEGIN + 5 * MINUTE })).toEqual({
      vital: 'load',
      label: 'Load',
      unit: '%',
      from: BEGIN,
      to: BEGIN + 5 * MINUTE,
      step: 60,
      times: [0, 1, 2, 3, 4].map((minute) => BEGIN + minute * MINUTE),
      lines: [
        { node: '9', name: 'pi-9', mean: [null, 4, null, null, null] },
        { node: '10', name: 'pi-10', mean: [1, null, null, null, 2.5] },
      ],
    })
    expect(await store.vitals()).toEqual([{ vital: 'heat' }, { vital: 'load', label: 'Load', unit: '%' }])
  })

  test('of one node has its least and greatest values, too', async () => {
    const { store } = await opened({ sampleSeconds: 10 })
    for (const [second, load] of [4, 1, 7].entries()) add(store, BEGIN + second, load)
    await store.flush()
    const { lines } = await store.history({ vital: 'load', node: 'a', from: BEGIN, to: BEGIN + 10 })
    expect(lines).toEqual([{ node: 'a', name: 'pi-a', mean: [4], min: [1], max: [7] }])
    expect(
      (await store.history({ vital: 'load', node: 'nobody', from: BEGIN, to: BEGIN + 10 })).lines,
    ).toEqual([])
    expect((await store.history({ vital: 'nothing', from: BEGIN, to: BEGIN + 10 })).lines).toEqual([])
  })

  test('has at most a hundred lines, and says how many it left out', async () => {
    const { store } = await opened()
    for (let node = 0; node < 103; node += 1) add(store, BEGIN, node, String(node))
    await store.flush()
    const { lines, more } = await store.history({ vital: 'load', from: BEGIN, to: BEGIN + HOUR })
    expect([lines.length, lines.at(-1)?.name, more]).toEqual([100, 'pi-99', 3])
  })

  test('steps over no gap that is none: nobody measures to the second', async () => {
    const { store } = await opened()
    for (const at of [0.2, 59.9, 120.4, 240.1]) add(store, BEGIN + at, at)
    await store.flush()
    const { lines } = await store.history({ vital: 'load', from: BEGIN, to: BEGIN + 5 * MINUTE })
    expect(lines[0]?.mean).toEqual([30.05, 30.05, 120.4, null, 240.1])
  })

  test('calls a node by its newest name', async () => {
    const { store } = await opened()
    for (const name of ['raspberrypi', 'kitchen'])
      store.add({ node: 'a', name, at: BEGIN, values: { load: 1 } })
    await store.flush()
    const { lines } = await store.history({ vital: 'load', from: BEGIN, to: BEGIN + HOUR })
    expect(lines.map(({ name }) => name)).toEqual(['kitchen'])
  })

  test('is refused where it has no beginning, or no end', async () => {
    const { store } = await opened()
    for (const [from, to] of [
      [2, 1],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
      [-1, 1],
    ] as const) {
      await expect(store.history({ vital: 'load', from, to })).rejects.toThrow(
        `A history is asked from one time to a later one, and not from ${from} to ${to}.`,
      )
    }
  })

  test('has what a vital is called as soon as that is said, also before any of it is on the disk', async () => {
    const { store } = await opened()
    store.describe('load', { label: 'Load', unit: '%' })
    expect(await store.history({ vital: 'load', from: 0, to: 60 })).toMatchObject({
      label: 'Load',
      unit: '%',
    })
    store.describe('load', { label: 'Burden', unit: '' })
    expect(await store.history({ vital: 'load', from: 0, to: 60 })).toMatchObject({
      label: 'Burden',
      unit: '',
    })
  })
})

describe('add', () => {
  test('leaves out what is no number, and never throws', async () => {
    const { store } = await opened()
    const values = {
      load: 1,
      none: Number.NaN,
      endless: Number.POSITIVE_INFINITY,
      tooMuch: 1e39,
      text: '7' as never,
      '': 1,
    }
    store.add({ node: 'a', name: '', at: BEGIN, values })
    for (const at of [Number.NaN, -1, Number.POSITIVE_INFINITY]) add(store, at, 2)
    add(store, BEGIN, 3, '')
    add(store, BEGIN, 3, 'x'.repeat(201))
    await store.flush()
    expect(await store.vitals()).toEqual([{ vital: 'load' }])
    const { lines } = await store.history({ vital: 'load', from: BEGIN, to: BEGIN + MINUTE })
    expect(lines).toEqual([{ node: 'a', name: 'a', mean: [1] }])
  })

  test('of two in the same second has the later one', async () => {
    const { store } = await opened()
    for (const [at, load] of [
      [0.1, 1],
      [0.9, 2],
      [1, 9],
    ] as const)
      add(store, BEGIN + at, load)
    await store.flush()
    add(store, BEGIN + 1, 4)
    await store.flush()
    expect(await means(store, BEGIN, BEGIN + MINUTE)).toEqual([3])
  })

  test('tells what is too old, or of a time to come', async () => {
    const { store, warnings } = await opened({ keep: { rawDays: 1 } })
    for (let hour = 0; hour <= 30; hour += 1) add(store, BEGIN + hour * HOUR, hour)
    await store.flush()
    await vi.waitFor(async () => {
      add(store, BEGIN, 1000)
      await store.flush()
      expect(warnings()).toEqual([expect.stringContaining('takes no samples that are older than 1 days')])
    }, PATIENCE)
    add(store, Date.now() / 1000 + 2 * DAY, 1000)
    await store.flush()
    expect(Math.max(...(await means(store, 0, Date.now() / 1000 + 3 * DAY)))).toBeLessThan(100)
  })

  test('takes no more pairs of a node and a vital than it may, and says so once', async () => {
    const { store, warnings } = await opened({ mostSeries: 2 })
    for (let node = 0; node < 4; node += 1) {
      add(store, BEGIN, node, String(node))
      await store.flush()
    }
    const { lines } = await store.history({ vital: 'load', from: BEGIN, to: BEGIN + MINUTE })
    expect(lines.map(({ name }) => name)).toEqual(['pi-0', 'pi-1'])
    expect(warnings()).toEqual([
      expect.stringContaining('has 2 pairs of a node and a vital, and takes no more'),
    ])
  })

  test('is on the disk after commitMs, without being asked', async () => {
    const { store } = await opened({ commitMs: 10 })
    add(store, BEGIN, 1)
    await vi.waitFor(async () => expect(await means(store, BEGIN, BEGIN + MINUTE)).toEqual([1]), PATIENCE)
  })
})

describe('an outbox', () => {
  test('keeps texts in order until they are taken away, over a restart as well', async () => {
    const first = await opened()
    const outbox = first.store.outbox('influx')
    for (const text of ['a', 'b', 'c', 'd']) outbox.add(text)
    expect(outbox.size).toBe(4)
    await first.store.flush()
    expect(await outbox.oldest(2)).toEqual([
      { id: 1, text: 'a' },
      { id: 2, text: 'b' },
    ])
    await outbox.drop(2)
    expect(outbox.size).toBe(2)
    await first.store.close()

    const { store } = await opened({ folder: first.folder })
    const again = store.outbox('influx')
    expect(again.size).toBe(2)
    await again.drop(4)
    again.add('e')
    await store.flush()
    expect(await again.oldest(10)).toEqual([{ id: 5, text: 'e' }])
    expect(await store.outbox('other').oldest(10)).toEqual([])
  })

  test('that has too many drops the oldest, and says so once', async () => {
    const { store, warnings } = await opened({ outboxLimit: 3 })
    const outbox = store.outbox('influx')
    for (let text = 1; text <= 5; text += 1) {
      outbox.add(String(text))
      await store.flush()
    }
    expect((await outbox.oldest(10)).map(({ text }) => text)).toEqual(['3', '4', '5'])
    expect(outbox.size).toBe(3)
    expect(warnings()).toEqual([
      'More than 3 texts wait for influx: the oldest one was dropped, and so are the next.',
    ])
  })
})

describe('a process', () => {
  test('that is killed loses nothing that was committed, and its file is opened again at once', async () => {
    const folder = tempFolder()
    for (let round = 0; round < 4; round += 1) {
      const program = start('keeps-a-store.ts', [folder, 'heavily'])
      await vi.waitFor(() => expect(program.stdout).toMatch(/open\n(\d+\n){3}/), PATIENCE)
      await sleep(Math.random() * 50)
      program.child.kill('SIGKILL')
      await program.ended
      const said = Number(program.stdout.trim().split('\n').at(-1))

      const { store, warnings } = await opened({ folder })
      expect(warnings()).toEqual([])
      const texts = (await store.outbox('elsewhere').oldest(1_000_000)).map(({ text }) => Number(text))
      expect(texts.length).toBeGreaterThanOrEqual(said)
      // All that came before what came, and the samples with the texts.
      expect(texts).toEqual(texts.map((_, index) => index))
      const to = BEGIN_OF_PROGRAM + texts.length * MINUTE
      expect((await means(store, to - HOUR, to)).at(-1)).toBe(texts.length - 1)
      await store.close()
      for (const file of readdirSync(folder)) rmSync(join(folder, file), { recursive: true })
    }
  })

  test('that stops before it has the file does not wait for that', async () => {
    const stop = new AbortController()
    const opening = opened({ stop: stop.signal })
    stop.abort()
    const { store, folder } = await opening
    await expect(store.history({ vital: 'load', from: 0, to: 1 })).rejects.toThrow('is closed')
    await (await opened({ folder })).store.close()
  })

  test('that stops has all on the disk that was added', async () => {
    const folder = tempFolder()
    const program = start('keeps-a-store.ts', [folder])
    await vi.waitFor(() => expect(program.stdout).toContain('open'), PATIENCE)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    const { store } = await opened({ folder })
    expect(await means(store, BEGIN_OF_PROGRAM, BEGIN_OF_PROGRAM + MINUTE)).toEqual([0])
  })

  test('is refused a file that another one has', async () => {
    const { store, folder, path } = await opened()
    const second = start('keeps-a-store.ts', [folder])
    await vi.waitFor(() => expect(second.stdout).toContain('\n'), PATIENCE)
    expect(second.stdout).toContain(
      `${path} is used by another program that runs on this machine, and only one at a time can have it: stop that, or`,
    )
    expect(await second.ended).toBe(1)
    await expect(opened({ folder })).rejects.toThrow('is used by another program')
    await store.close()
    await opened({ folder })
  })

  test('goes on while its disk is full, and writes what came meanwhile', { timeout: 60_000 }, async () => {
    const program = start('keeps-a-store.ts', [join(tempFolder(), 'disk'), 'small'], { files: true })
    expect(await program.ended, program.stderr).toBe(0)
    const said = program.stdout.split('\n').filter((line) => /^(written|waits|\d)/.test(line))
    // What is there can be asked for all the time.
    expect(said.slice(0, 4)).toEqual(['written', 'waits', '1 line', 'written'])
    expect(said[4]).toMatch(/^(\d+) of \1$/)
    expect(program.stdout).toContain(
      'vitals.db (the disk is full): what comes waits in memory, up to 200000 values',
    )
    expect(program.stdout).toContain('vitals.db can be written again.')
  })

  test('begins with a disk that is read-only, and writes when that is mended', async () => {
    const program = start('keeps-a-store.ts', [join(tempFolder(), 'disk'), 'read-only'], { files: true })
    expect(await program.ended, program.stderr).toBe(0)
    expect(program.stdout).toMatch(/^open\n/m)
    expect(program.stdout).toContain('(the disk is read-only): what comes waits in memory')
    expect(program.stdout).toMatch(/^waits\n(.*\n)*written\n(\d+) of \2$/m)
  })
})

/** When the first sample of the program is. */
const BEGIN_OF_PROGRAM = 1_700_000_000

describe('a file', () => {
  test('that cannot be written yet keeps samples waiting, the newest ones within the limit', async () => {
    const folder = join(tempFolder(), 'state')
    writeFileSync(folder, 'in the way')
    const { store, warnings } = await opened({ folder, waitingLimit: 100 })
    for (let minute = 0; minute < 150; minute += 1) add(store, BEGIN + minute * MINUTE, minute)
    await expect(store.flush()).rejects.toThrow('there is a file where the folder should be')
    await expect(store.history({ vital: 'load', from: BEGIN, to: BEGIN + HOUR })).rejects.toThrow(
      /^Cannot read .*vitals.db: there is a file where the folder should be\.$/,
    )
    rmSync(folder)
    await store.flush()
    const kept = await means(store, BEGIN, BEGIN + 3 * HOUR)
    expect(kept.at(-1)).toBe(149)
    expect(kept.length).toBeLessThanOrEqual(100)
    expect(kept.length).toBeGreaterThan(80)
    expect(warnings().filter((line) => line.includes('the oldest are dropped'))).toHaveLength(1)
  })

  test.each(['no database', 'what SQLite writes'])('that is damaged (%s) is set aside', async (kind) => {
    const before = await opened()
    add(before.store, BEGIN, 1)
    await before.store.flush()
    await before.store.close()
    const { folder, path } = before
    if (kind === 'no database') writeFileSync(path, 'x'.repeat(10_000))
    else {
      // The schema stands on the first page; its log would have it whole.
      rmSync(`${path}-wal`)
      const bytes = readFileSync(path)
      bytes.fill(0xff, 100, 4096)
      writeFileSync(path, bytes)
    }
    const damaged = readFileSync(path)
    const { store, warnings } = await opened({ folder })
    expect(warnings()).toEqual([
      expect.stringMatching(
        /vitals\.db is damaged \(.*\)\. It is called vitals-damaged-\S+\.db now, and a new one is begun/,
      ),
    ])
    const aside = readdirSync(folder).find((file) => /^vitals-damaged-.*\.db$/.test(file)) ?? ''
    expect(readFileSync(join(folder, aside)).equals(damaged)).toBe(true)
    add(store, BEGIN, 2)
    await store.flush()
    expect(await means(store, BEGIN, BEGIN + MINUTE)).toEqual([2])
  })

  test('whose damage shows when something is added is set aside, and that goes into another one', async () => {
    const before = await opened()
    for (let minute = 0; minute < 5000; minute += 1) add(before.store, BEGIN + minute * MINUTE, minute)
    await before.store.flush()
    await before.store.close()
    const { path, folder } = before
    alter(path, 'PRAGMA wal_checkpoint')
    const bytes = readFileSync(path)
    const isPageOfSamples = (page: number) => bytes[page] === 0x0a && bytes.readUInt16BE(page + 3) > 100
    let found = 0
    for (let page = 4096; page < bytes.length; page += 4096) {
      if (!isPageOfSamples(page)) continue
      bytes.fill(0xff, page, page + 2000)
      found += 1
    }
    expect(found).toBeGreaterThan(5)
    writeFileSync(path, bytes)

    const { store, warnings } = await opened({ folder })
    add(store, BEGIN + 4998 * MINUTE, 1)
    await store.flush().catch(() => {}) // unless what there was to do besides came upon it before
    await store.flush()
    expect(await means(store, BEGIN + 4000 * MINUTE, BEGIN + 5000 * MINUTE)).toEqual([1])
    expect(warnings()[0]).toContain('vitals.db is damaged')
  })

  test('of a later version, or of another program, is refused and left as it is', async () => {
    const { store, folder, path } = await opened()
    await store.close()
    alter(path, 'PRAGMA user_version = 2')
    const bytes = readFileSync(path)
    await expect(opened({ folder })).rejects.toThrow(
      `${path} was written by a later version of this program (its tables are version 2, and 1 is known here)`,
    )
    expect(readFileSync(path).equals(bytes)).toBe(true)
    alter(path, 'PRAGMA application_id = 7')
    await expect(opened({ folder })).rejects.toThrow(
      `${path} is a database, and none that this program has made`,
    )
  })

  test('is synchronised with each commit', () => {
    const synchronised = vi.spyOn(fs, 'fsyncSync')
    onTestFinished(() => synchronised.mockRestore())
    const file = openFile(join(tempFolder(), 'vitals.db'))
    for (let hour = 0; hour < 5; hour += 1) {
      synchronised.mockClear()
      file.transaction(() => file.run('INSERT INTO late_hours VALUES (?)', hour))
      expect(synchronised).toHaveBeenCalled()
    }
    file.close()
  })

  test('whose log was torn by a power cut has what was committed before', async () => {
    const { store, folder, path } = await opened()
    for (let minute = 0; minute < 30; minute += 1) {
      add(store, BEGIN + minute * MINUTE, minute)
      await store.flush()
    }
    // As the disk may be, whenever the power goes: a part of the last commit, or something else in its place.
    for (const [bytes, how] of [
      [9000, 'short'],
      [5000, 'short'],
      [9000, 'other'],
    ] as const) {
      const torn = join(tempFolder(), 'torn')
      mkdirSync(torn)
      const copy = join(torn, 'vitals.db')
      copyFileSync(path, copy)
      copyFileSync(`${path}-wal`, `${copy}-wal`)
      const size = statSync(`${copy}-wal`).size
      if (how === 'short') truncateSync(`${copy}-wal`, size - bytes)
      else {
        const log = readFileSync(`${copy}-wal`)
        log.fill(0, size - bytes)
        writeFileSync(`${copy}-wal`, log)
      }
      const again = await opened({ folder: torn })
      expect(again.warnings()).toEqual([])
      const kept = await means(again.store, BEGIN, BEGIN + HOUR)
      expect(kept).toEqual([...kept.keys()])
      expect(kept.length).toBeGreaterThanOrEqual(27)
      expect(kept.length).toBeLessThan(30)
      await again.store.close()
    }
    expect(readdirSync(folder)).toContain('vitals.db-wal')
  })
})

test('it works from its source, too, where threads need a helper to read TypeScript', async () => {
  const store = await openFromSource({ name: 'vitals', folder: tempFolder(), log: recordingLog().log })
  add(store, BEGIN, 1)
  await store.flush()
  expect(await means(store, BEGIN, BEGIN + MINUTE)).toEqual([1])
  await store.close()
})

/** Changes a file by hand, as nobody should. */
function alter(path: string, sql: string): void {
  rmSync(`${path}.lock`, { recursive: true, force: true })
  const database = new sqlite.Database(path)
  database.exec(`PRAGMA locking_mode = EXCLUSIVE; ${sql}`)
  database.close()
}
