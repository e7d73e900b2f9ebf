import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { start, tempFolder } from './support.ts'
import { aPool, isAlive, PATIENCE } from './task-support.ts'

/** The processes in the group of this one. */
function groupOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2])
}

const NO_JSON = 'no JSON: Its result has no JSON form: '

describe('a pool', () => {
  test('does tasks, each in a process that knows which it is, and keeps the process', async () => {
    const { pool, run } = aPool()
    const about = (id: string, attempt: number) =>
      pool.run({ id, name: 'about', input: '7', attempt }).then(JSON.parse)
    const [first, second] = [await about('a', 1), await about('b', 2)]
    expect(first).toEqual({ id: 'a', attempt: 1, pid: expect.any(Number), ppid: process.pid })
    expect(second).toEqual({ ...first, id: 'b', attempt: 2 })
    for (const value of ['Grüße, 世界\n', { a: [1, null, ''] }, 'x'.repeat(1_000_000), false])
      expect(await run('echo', value)).toEqual(value)
  })

  test('does as many at once as it has processes, and no more', async () => {
    const { run } = aPool({ children: 2 })
    let [atWork, most] = [0, 0]
    const one = () =>
      run('sleep', 150, { begun: () => (most = Math.max(most, ++atWork)), measured: () => (atWork -= 1) })
    await Promise.all(Array.from({ length: 8 }, one))
    expect(most).toBe(2)
  })

  test('does short tasks by the thousand, each once, and gives each its own result', async () => {
    const folder = tempFolder()
    const { run } = aPool({ children: 2 })
    const texts = Array.from({ length: 5_000 }, (_, index) => `text ${index}`)
    const results = texts.map((text) => run('notes', { file: join(folder, 'notes'), text }))
    expect(await Promise.all(results)).toEqual(texts)
    const noted = readFileSync(join(folder, 'notes'), 'utf8').split('\n').slice(0, -1)
    expect(noted.toSorted()).toEqual(texts.toSorted())
  })

  test('says how far a task is, also from a loop that gives way to nobody, and how long it ran', async () => {
    const { run } = aPool()
    const parts: number[] = []
    let took = 0
    await run('busy', 600, { progress: (part) => parts.push(part), measured: (ms) => (took = ms) })
    expect(parts.length).toBeGreaterThan(1)
    expect(parts).toEqual(parts.toSorted((a, b) => a - b))
    expect(parts.every((part) => part > 0 && part <= 1)).toBe(true)
    expect(took).toBeGreaterThanOrEqual(599)
  })

  test('logs what tasks print, and of one that prints much no more than a hundred lines', async () => {
    const { outcome, lines } = aPool()
    await outcome('prints', 3_000)
    await vi.waitFor(
      () => expect(lines().some((line) => /^warn .* the rest is left out/.test(line))).toBe(true),
      PATIENCE,
    )
    // What it prints before it is known that it has begun is the process's.
    const printed = lines().filter((line) =>
      /^info (The task prints \(t\d+\)|A process for tasks) prints: line \d+$/.test(line),
    )
    expect(printed.length).toBeGreaterThan(90)
    expect(lines().length).toBeLessThan(210)
  })

  test('stops: its processes end, and who waits is told', async () => {
    const { run, stopping } = aPool()
    const { pid } = await run('about')
    const results = [run('loop'), run('sleep', 1)]
    const settled = Promise.allSettled(results)
    await sleep(50)
    stopping.abort()
    for (const { status, reason } of (await settled) as PromiseRejectedResult[])
      expect([status, reason.name]).toEqual(['rejected', 'AbortError'])
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), PATIENCE)
    await expect(run('echo')).rejects.toThrow('aborted')
  })

  test('whose tasks cannot be loaded says so, and fails what it was given', async () => {
    const { outcome, lines } = aPool({ file: pathToFileURL(join(tempFolder(), 'none.js')) })
    expect(await outcome('echo')).toMatch(
      /^exited: No process for tasks can be started: Error \[ERR_MODULE_NOT_FOUND\]: Cannot find module .*none\.js/,
    )
    expect(lines().filter((line) => line.includes('A process for tasks cannot be started'))).toHaveLength(1)
  })
})

describe('a task costs only itself', () => {
  // One for all of them: so it is seen that it goes on.
  const stopping = new AbortController()
  const pool = aPool({ stop: stopping.signal })
  afterAll(() => stopping.abort())

  test.each([
    ['throws', 'an error', /^threw: Error: it does not work \(tasks\.js:\d+:\d+\)$/],
    ['throws', { an: 'object' }, /^threw: \[object Object\]$/],
    ['strange', 'undefined', `${NO_JSON}TypeError: A message must have a JSON form, which undefined has not`],
    ['strange', 'function', `${NO_JSON}TypeError: A message must have a JSON form, which function has not`],
    ['strange', 'bigint', `${NO_JSON}TypeError: Do not know how to serialize a BigInt`],
    [
      'strange',
      'circle',
      /^no JSON: Its result has no JSON form: TypeError: Converting circular structure to JSON/,
    ],
    ['strange', 'throws', /^no JSON: Its result has no JSON form: Error: no/],
    ['strange', 'large', 'too large: Its result has 1048578 bytes as JSON, and may have 1044480.'],
    ['strange', 'longer', 'too large: Its result has 1800002 bytes as JSON, and may have 1044480.'],
    ['constructor', null, 'unknown: There is no task "constructor" here.'],
  ])('%s %j fails, and its process goes on', async (name, input, expected) => {
    const { run, outcome } = pool
    const { pid } = await run('about')
    expect(await outcome(name, input)).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    )
    expect((await run('about')).pid).toBe(pid)
  })

  test.each([
    ['ends', 'exit', 'exited: Its process ended itself, with exit code 7.'],
    ['ends', 'abort', 'exited: Its process was ended by SIGABRT.'],
    ['ends', 'kill', 'exited: Its process was ended by SIGKILL.'],
    ['ends', 'later', /^threw: Error: thrown later/],
    ['ends', 'rejected', /^threw: Error: nobody waits for it/],
    ['ends', 'stop', 'late: It took longer than 1 s, and was ended.'],
    ['ends', 'at exit', 'late: It took longer than 1 s, and was ended.'],
    ['late', 'loop', 'late: It took longer than 0.5 s, and was ended.'],
    ['late', 'asynchronous', 'late: It took longer than 0.5 s, and was ended.'],
    ['memory', 'heap', /^memory: /],
    [
      'memory',
      'filled',
      /^memory: It took more memory than it may, and was ended: \d+ MiB, where 100 are its limit\.$/,
    ],
    ['memory', 'not filled', /^memory: /],
  ])(
    '%s %j fails, its process is gone, and what waited behind it is done by another',
    async (name, input, expected) => {
      const { run, outcome } = pool
      const { pid } = await run('about')
      const after = [run('echo', 1), run('echo', 2)]
      const failed = outcome(name, input)
      after.push(run('echo', 3))
      expect(await failed).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
      expect(await Promise.all(after)).toEqual([1, 2, 3])
      expect((await run('about')).pid).not.toBe(pid)
      expect(isAlive(pid)).toBe(false)
    },
  )

  test('signals that are for all at once do not end a process: the parent decides', async () => {
    const { run } = pool
    const { pid } = await run('about')
    expect(groupOf(pid)).not.toBe(groupOf(process.pid)) // so Ctrl-C does not reach it
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
    await sleep(50)
    expect((await run('about')).pid).toBe(pid)
  })

  test('an abort leaves no image of its memory behind', async () => {
    const { run, outcome } = pool
    const limits = readFileSync(`/proc/${(await run('about')).pid}/limits`, 'utf8')
    expect(limits).toMatch(/^Max core file size +0 /m)
    await outcome('ends', 'abort')
    expect(readdirSync('.').filter((name) => /^core(\.|$)/.test(name))).toEqual([])
  })

  test('what a task has started ends with the process', async () => {
    const { run, outcome } = pool
    const started = await run('starts')
    expect(isAlive(started)).toBe(true)
    await outcome('ends', 'exit')
    await vi.waitFor(() => expect(isAlive(started)).toBe(false), PATIENCE)
  })

  test('one that ends its process among many short ones is the only one to blame, and each is done once', async () => {
    const { run, outcome } = pool
    const path = join(tempFolder(), 'notes')
    await Promise.all(Array.from({ length: 100 }, () => run('notes', { file: path, text: 'before' })))
    for (const then of ['exit', 'abort', 'kill']) {
      const all = Array.from({ length: 120 }, (_, index) =>
        outcome('notes', { file: path, text: `${then} ${index}`, ...(index === 57 && { then }) }),
      )
      const results = await Promise.all(all)
      expect(results[57]).toMatch(/^exited: Its process /)
      expect(results.filter((result) => String(result).startsWith('exited'))).toHaveLength(1)
    }
    const noted = readFileSync(path, 'utf8')
      .split('\n')
      .filter((text) => /\d$/.test(text))
    expect(noted).toHaveLength(3 * 120)
    expect(new Set(noted).size).toBe(3 * 120)
  })

  test('memory that one has left behind is not counted against the next', async () => {
    const { run } = pool
    const first = await run('leave', 70)
    expect(await run('leave', 70)).not.toBe(first)
  })
})

test('what waits behind a short task whose process is halted before it can say so is done once each', async () => {
  const { run } = aPool({ children: 2 })
  const path = join(tempFolder(), 'notes')
  const note = (text: string) => run('notes', { file: path, text })
  await Promise.all(Array.from({ length: 100 }, () => [run('halted', 0), note('before')]).flat())
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`)
  await Promise.all([run('halted', 400), run('halted', 400), ...texts.map(note)])
  await Promise.all([run('sleep', 50), run('sleep', 50)]) // and nothing is left in either
  const noted = readFileSync(path, 'utf8')
    .split('\n')
    .filter((text) => /^\d+$/.test(text))
  expect(noted.toSorted()).toEqual(texts.toSorted())
})

test('what waits behind a short kind of task that takes long for once is done by others meanwhile, once each', async () => {
  const { run } = aPool({ children: 2 })
  const path = join(tempFolder(), 'notes')
  const note = (text: string) => run('notes', { file: path, text })
  await Promise.all(Array.from({ length: 100 }, () => [run('mixed', 0), note('before')]).flat())
  let isLongDone = false
  const long = run('mixed', 1_500).then(() => (isLongDone = true))
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`)
  await Promise.all(texts.map(note))
  expect(isLongDone).toBe(false)
  await long
  await Promise.all([run('sleep', 50), run('sleep', 50)]) // and nothing is left in either
  const noted = readFileSync(path, 'utf8')
    .split('\n')
    .filter((text) => /^\d+$/.test(text))
  expect(noted.toSorted()).toEqual(texts.toSorted())
})

describe('a task that is cancelled', () => {
  test('while it waits, never begins', async () => {
    const { run, outcome } = aPool()
    const cancelling = new AbortController()
    const before = run('sleep', 300)
    let hasBegun = false
    const waiting = outcome('sleep', 1, { signal: cancelling.signal, begun: () => (hasBegun = true) })
    cancelling.abort()
    expect(await waiting).toBe('cancelled: It was cancelled.')
    await before
    expect([await run('echo', 1), hasBegun]).toEqual([1, false])
    expect(await outcome('echo', 1, { signal: AbortSignal.abort() })).toBe('cancelled: It was cancelled.')
  })

  test('while it is at work, is ended, and others are not', async () => {
    const { run, outcome } = aPool({ children: 2 })
    const cancelling = new AbortController()
    const others = [run('sleep', 500)]
    const looping = outcome('loop', null, { signal: cancelling.signal, begun: () => cancelling.abort() })
    others.push(run('sleep', 10))
    expect(await looping).toBe('cancelled: It was cancelled.')
    expect(await Promise.all(others)).toEqual(['slept', 'slept'])
  })

  test('what has not begun can be taken back, all at once', async () => {
    const { pool, run, outcome } = aPool()
    const ids: string[] = []
    const first = run('sleep', 300, { begun: () => ids.push(...pool.withdraw()) })
    const rest = [outcome('sleep', 1), outcome('sleep', 1)]
    expect(await Promise.all([first, ...rest])).toEqual([
      'slept',
      ...rest.map(() => 'cancelled: It was cancelled.'),
    ])
    expect(ids).toHaveLength(2)
  })
})

describe('a process does not outlive the program', () => {
  test.each([['loop'], ['sleep']])('that is killed while it is at %s', async (name) => {
    const program = start('has-a-pool.ts', [name])
    await vi.waitFor(() => expect(program.stdout).toMatch(/^pid \d+$/m), PATIENCE)
    const pid = Number(/\d+/.exec(program.stdout)?.[0])
    expect(isAlive(pid)).toBe(true)
    program.child.kill('SIGKILL')
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), PATIENCE)
  })
})
