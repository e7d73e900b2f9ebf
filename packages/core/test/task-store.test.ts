import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TaskEvent } from '../src/task-journal.ts'
import type {
  openTaskStore as openFromSource,
  salvageTaskStore as salvageFromSource,
  TaskStore,
  TaskStoreOptions,
} from '../src/task-store.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { recordingLog, start, tempFolder } from './support.ts'
import { BEGIN, ended, MINUTE, submitted, tried } from './task-log-support.ts'

const built = await import(join(BUILT_FIXTURES, 'task-store.js'))
const openTaskStore: typeof openFromSource = built.openTaskStore
const salvageTaskStore: typeof salvageFromSource = built.salvageTaskStore

const PATIENCE = { timeout: 20_000, interval: 5 }

interface Opened {
  store: TaskStore
  folder: string
  warnings(): string[]
}

async function opened({
  folder = tempFolder(),
  ...options
}: Partial<TaskStoreOptions> = {}): Promise<Opened> {
  const { log, records } = recordingLog()
  const stop = new AbortController()
  const store = await openTaskStore({ name: 'tasks', folder, log, stop: stop.signal, ...options })
  onTestFinished(() => store.close())
  return {
    store,
    folder,
    warnings: () => records.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
  }
}

describe('a task store', () => {
  test('has what was written, once, when it is opened again', async () => {
    const events = [submitted('a'), submitted('b'), tried('a'), ended('a')]
    const { store, folder } = await opened()
    expect([...store.recovered()]).toEqual([])
    await store.write([])
    for (const event of events) await store.write([event])
    await store.close()
    const again = await opened({ folder })
    expect(again.store.openTasks).toBe(1)
    expect([...again.store.recovered()]).toEqual(events)
    expect(() => [...again.store.recovered()]).toThrow('was taken already')
  })

  test('commits together what is written at the same time, and in the order in which it was', async () => {
    const { store, folder } = await opened()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 500 }, (_, task) => store.write([submitted(task)]).then(() => order.push(task))),
    )
    expect(order).toEqual([...order].sort((one, other) => one - other))
    await store.close()
    const ids = [...(await opened({ folder })).store.recovered()].map(({ id }) => id)
    expect(ids).toEqual(order.map(String))
  })

  test('refuses what it cannot take, and nothing else', async () => {
    const { store } = await opened()
    const tooLarge = submitted('a', BEGIN, `"${'x'.repeat(2 ** 24)}"`)
    await expect(store.write([tooLarge])).rejects.toThrow('and a record may have 16777216')
    await expect(store.write([submitted('x'.repeat(1001))])).rejects.toThrow(
      'An id of 1001 bytes is too long',
    )
    await expect(store.write([{ kind: 'lost', id: 'a' } as unknown as TaskEvent])).rejects.toThrow(
      'There is no event "lost" of a task.',
    )
    await store.write([submitted('a')])
    const large = submitted('b', BEGIN, `"${'x'.repeat(2 ** 23)}"`)
    const many = Array.from({ length: 12 }, () =>
      store.write([large]).then(
        () => 'taken',
        ({ message }) => message,
      ),
    )
    const said = new Set(await Promise.all(many))
    expect([...said]).toEqual(['taken', expect.stringContaining('More than 64 MiB wait for the disk of')])
  })

  test('that is closed has on the disk what was written before, and takes nothing more', async () => {
    const { store, folder } = await opened()
    const written = store.write([submitted('a')])
    const closed = store.close()
    await expect(store.write([submitted('b')])).rejects.toThrow('is closed')
    await expect(store.history({ limit: 1 })).rejects.toThrow('is closed')
    await Promise.all([written, closed])
    expect([...(await opened({ folder })).store.recovered()]).toEqual([submitted('a')])
  })

  test('that is stopped before it has its files does not wait for that', async () => {
    const stop = new AbortController()
    const opening = opened({ stop: stop.signal })
    stop.abort()
    const { store } = await opening
    await expect(store.write([submitted('a')])).rejects.toThrow(/is closed|cannot be used/)
  })

  test('that another program has is refused, until that is killed', async () => {
    const folder = tempFolder()
    const program = start('keeps-tasks.ts', [folder])
    await vi.waitFor(() => expect(program.stdout).toContain('open 0'), PATIENCE)
    await expect(opened({ folder })).rejects.toThrow(
      `${join(folder, 'tasks')} is used by another program that runs on this machine, and only one at a time can have it: stop that, or give this one another name or folder for its tasks.`,
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
    writeFileSync(join(folder, 'tasks'), 'in the way')
    await expect(opened({ folder })).rejects.toThrow(`Cannot open ${join(folder, 'tasks')}: `)
  })
})

describe('a history', () => {
  /** Some tasks that have ended, a minute after the other. */
  async function withHistory(count: number): Promise<Opened> {
    const before = await opened()
    for (let from = 0; from < count; from += 500) {
      const events = Array.from({ length: Math.min(500, count - from) }, (_, index) => {
        const [task, at] = [from + index, BEGIN + (from + index) * MINUTE]
        const name = task % 10 === 0 ? 'trouble' : 'mandelbrot'
        return [
          { ...submitted(task, at), name } as TaskEvent,
          ended(task, at, task % 10 === 0 ? 'failed' : 'done'),
        ]
      })
      await before.store.write(events.flat())
    }
    return before
  }

  test('has a page of what has ended, the newest first, and the next one', async () => {
    const { store } = await withHistory(25)
    await store.write([submitted('waits')])
    const first = await store.history({ limit: 10 })
    expect(first.tasks.map(({ id }) => Number(id))).toEqual([24, 23, 22, 21, 20, 19, 18, 17, 16, 15])
    expect(first.tasks[4]).toEqual({
      id: '20',
      name: 'trouble',
      by: 'submitter',
      group: 'picture',
      state: 'failed',
      node: 'secondary-1',
      attempts: 1,
      lost: 0,
      ms: 12,
      failure: 'threw',
      reason: 'no such tile',
      submittedAt: BEGIN + 20 * MINUTE,
      at: BEGIN + 20 * MINUTE,
    })
    const pages = [first]
    for (let page = first; page.after !== undefined; pages.push(page))
      page = await store.history({ limit: 10, after: page.after })
    expect(pages.map(({ tasks }) => tasks.length)).toEqual([10, 10, 5])
    expect(new Set(pages.flatMap(({ tasks }) => tasks.map(({ id }) => id))).size).toBe(25)
  })

  test('is searched by name and by state', async () => {
    const { store } = await withHistory(40)
    const ids = async (query: object) =>
      (await store.history({ limit: 3, ...query })).tasks.map(({ id }) => id)
    expect(await ids({ name: 'trouble' })).toEqual(['30', '20', '10'])
    expect(await ids({ state: 'failed', after: 21 })).toEqual(['10', '0'])
    expect(await ids({ name: 'mandelbrot', state: 'failed' })).toEqual([])
    expect(await ids({ name: 'nothing' })).toEqual([])
    await expect(store.history({ limit: 0 })).rejects.toThrow('has 1 to 1000 tasks, and not 0')
  })

  test('is there after a start, over many days, and the oldest goes', async () => {
    const { store, folder } = await withHistory(1440 * 3)
    await store.history({ limit: 1 })
    await store.close()
    const again = await opened({ folder, keep: { days: 1 } })
    const files = () => readdirSync(join(folder, 'tasks')).filter((name) => name.startsWith('history'))
    expect(files().length).toBeGreaterThan(3)
    expect((await again.store.history({ limit: 1000 })).tasks).toHaveLength(1000)
    await again.store.write([
      submitted('new', BEGIN + 6 * 1440 * MINUTE),
      ended('new', BEGIN + 6 * 1440 * MINUTE),
    ])
    await vi.waitFor(async () => {
      expect((await again.store.history({ limit: 2 })).tasks[0]?.id).toBe('new')
      expect(files().length).toBeLessThan(3)
    }, PATIENCE)
    expect(again.warnings()).toEqual([])
  })

  test('that is damaged is made again of what the log still has', async () => {
    const { store, folder } = await withHistory(30)
    await store.history({ limit: 1 })
    await store.close()
    const path = join(folder, 'tasks/history-000001.log')
    const bytes = readFileSync(path)
    const at = bytes.indexOf('"id":"10"')
    bytes[at + 6] = 0x39
    writeFileSync(path, bytes)
    const again = await opened({ folder })
    expect((await again.store.history({ limit: 100 })).tasks).toHaveLength(30)
    expect(again.warnings()).toEqual([])
  })
})

describe('a damaged store', () => {
  test('has what was written last all the same, and says so', async () => {
    const { store, folder } = await opened()
    for (const event of [submitted('a'), submitted('b')]) await store.write([event])
    await store.close()
    const path = join(folder, 'tasks', '000001.log')
    const bytes = readFileSync(path)
    bytes.fill(0, bytes.lastIndexOf('tile'), bytes.lastIndexOf('tile') + 1)
    writeFileSync(path, bytes)
    const again = await opened({ folder })
    expect([...again.store.recovered()]).toEqual([submitted('a'), submitted('b')])
    expect(again.warnings()).toEqual([
      expect.stringMatching(/000001\.log is not whole from byte \d+ on, where record 2 should be\./),
    ])
  })

  test('is refused with what and where, and salvaged', async () => {
    const { store, folder } = await opened()
    for (const id of ['a', 'b', 'c']) await store.write([submitted(id)])
    await store.write([ended('a')])
    await store.history({ limit: 1 })
    await store.close()
    const path = join(folder, 'tasks/000001.log')
    const bytes = readFileSync(path)
    const at = bytes.indexOf('"tile":"b"')
    bytes[at] = 0
    writeFileSync(path, bytes)
    await expect(opened({ folder })).rejects.toThrow(
      /000001\.log is damaged at byte \d+: .* record 2 should be there/,
    )

    const salvaged = await salvageTaskStore({ name: 'tasks', folder })
    expect(salvaged).toMatchObject({ found: 3, lost: 0, tasks: 2 })
    expect(readFileSync(join(salvaged.damaged, '000001.log')).equals(bytes)).toBe(true)
    const again = await opened({ folder })
    expect([...again.store.recovered()]).toEqual([submitted('a'), submitted('c'), ended('a')])
    await again.store.write([submitted('d'), ended('d'), ended('c')])
    expect((await again.store.history({ limit: 9 })).tasks.map(({ id }) => id)).toEqual(['c', 'd', 'a'])
    await expect(salvageTaskStore({ name: 'tasks', folder })).rejects.toThrow('is used by another program')
  })
})

describe('a process', () => {
  test('is refused while its disk is full, and goes on when there is room', { timeout: 60_000 }, async () => {
    const program = start('keeps-tasks.ts', [join(tempFolder(), 'disk'), 'small'], { files: true })
    expect(await program.ended, program.stdout + program.stderr).toBe(0)
    expect(program.stdout).toMatch(/^refused: Cannot write to .*: the disk is full\.$/m)
    expect(program.stdout).toContain('Nothing is taken until that is mended.')
    expect(program.stdout).toContain('can be written again.')
    expect(program.stdout).toMatch(/^all there$/m)
  })
})
