import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import { every, OperationalError, within } from '../src/lifecycle.ts'
import { jsonLines, start, stopAfterTest, tempFolder } from './support.ts'

const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0

describe('OperationalError', () => {
  test('carries one line for each problem', () => {
    expect(new OperationalError('one').problems).toEqual(['one'])
    expect(new OperationalError(['one', 'two'])).toMatchObject({
      name: 'OperationalError',
      message: 'one\ntwo',
      problems: ['one', 'two'],
    })
  })
})

describe('within', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')

  /** Resolves when a signal is aborted that only its listener knows of. */
  function aborted(ms: number, stop: AbortSignal): Promise<unknown> {
    return new Promise((resolve) => {
      const signal = within(ms, stop)
      signal.addEventListener('abort', () => resolve(signal.reason))
    })
  }

  test('ends after its time, though nobody else holds its signal and all garbage was collected', async () => {
    const { signal: stop } = stopAfterTest()
    const ended = aborted(300, stop)
    const collecting = setInterval(collectGarbage, 20)
    try {
      expect(await ended).toMatchObject({ name: 'TimeoutError', message: 'It took more than 300 ms.' })
    } finally {
      clearInterval(collecting)
    }
  })

  test('ends when it is stopped, with that reason, and at once when it was', async () => {
    const stop = new AbortController()
    const ended = aborted(60_000, stop.signal)
    stop.abort('enough')
    expect(await ended).toBe('enough')
    expect(within(60_000, stop.signal)).toBe(stop.signal)
  })

  test('many of one signal are no leak, of which Node warns', async () => {
    const { signal: stop } = stopAfterTest()
    const warned = vi.fn()
    process.on('warning', warned)
    try {
      for (let count = 0; count < 20; count += 1) within(60_000, stop)
      await sleep(1) // Node warns in a turn of its own
      expect(warned).not.toHaveBeenCalled()
    } finally {
      process.off('warning', warned)
    }
  })
})

describe('every', () => {
  test('takes its first turn at once, and ends at once when stopped', async () => {
    const stop = stopAfterTest()
    let turns = 0
    for await (const _ of every(60_000, stop.signal)) {
      turns += 1
      setImmediate(() => stop.abort())
    }
    expect(turns).toBe(1)
  })

  test('takes no turn when it was stopped before, or while it waits for the first', async () => {
    const stop = stopAfterTest()
    const loop = every(60_000, stop.signal, { firstAfter: 60_000 })
    const first = loop.next()
    stop.abort()
    expect(await first).toEqual({ done: true, value: undefined })
    expect(await every(60_000, stop.signal).next()).toEqual({ done: true, value: undefined })
  })

  test('waits for firstAfter before the first turn', async () => {
    const began = performance.now()
    await every(60_000, stopAfterTest().signal, { firstAfter: 50 }).next()
    expect(performance.now() - began).toBeGreaterThan(48)
  })

  test('pauses in full after a slow turn, so that no burst follows', async () => {
    const stop = stopAfterTest()
    const pauses: number[] = []
    let turnEnded: number | undefined
    for await (const _ of every(20, stop.signal)) {
      if (turnEnded !== undefined) pauses.push(performance.now() - turnEnded)
      if (pauses.length === 0) await sleep(100)
      if (pauses.length === 4) stop.abort()
      turnEnded = performance.now()
    }
    expect(Math.min(...pauses)).toBeGreaterThan(18)
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses a pace of %d ms', async (ms) => {
    await expect(every(ms, stopAfterTest().signal).next()).rejects.toThrow(
      new RangeError(`every() takes 1 to 2147483647 milliseconds here, not ${ms}`),
    )
  })

  test.each([-1, Number.NaN, 2 ** 31])('refuses a firstAfter of %d ms', async (firstAfter) => {
    await expect(every(1, stopAfterTest().signal, { firstAfter }).next()).rejects.toThrow(RangeError)
  })
})

describe('a program', () => {
  test.each([
    ['works until it is stopped', 'SIGINT'],
    ['works until it is stopped', 'SIGTERM'],
    ['waits for what the stop signal gives up', 'SIGTERM'],
  ] as const)('that %s ends on %s with exit code 0, and its last line is Stopped', async (way, signal) => {
    const { program, file } = run(way)
    await vi.waitFor(() => expect(program.stdout).toContain('Working'), 20_000)
    program.child.kill(signal)
    expect(await program.ended).toBe(0)
    expect(program.stdout).toMatch(/INFO \(program\): Working\n.*INFO \(program\): Stopped\n$/)
    expect(program.stderr).toBe('')
    expect(jsonLines(file).at(-1)).toMatchObject({ msg: 'Stopped' })
  })

  test('that ignores the stop signal is ended after 900 ms, with exit code 1 and a line that says so', async () => {
    const { program } = run('does not listen to the stop signal')
    await vi.waitFor(() => expect(program.stdout).toContain('Working'), 20_000)
    const stopped = performance.now()
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(1)
    expect(performance.now() - stopped).toBeGreaterThan(850)
    expect(program.stdout).toContain('Still busy 900 ms after the stop signal, so it was ended.')
  })

  test('that the system does not let run is given the time that it lacks', async () => {
    const { program } = run('needs a moment to end')
    await vi.waitFor(() => expect(program.stdout).toContain('Working'), 20_000)
    program.child.kill('SIGTERM')
    await vi.waitFor(() => expect(program.stdout).toContain('Ending'), 20_000)
    program.child.kill('SIGSTOP')
    await sleep(1_500) // longer than it may take
    program.child.kill('SIGCONT')
    expect(await program.ended, program.stdout).toBe(0)
  })

  // As with a name in .local, where nobody answers. The system asks for many seconds, and Node waits for it.
  test.skipIf(!hasCompiler)(
    'that waits for the address of a name ends as by the signal (needs cc)',
    async () => {
      const folder = tempFolder()
      const slow = join(folder, 'slow.so')
      execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-o', slow, '-'], {
        input: '#include <unistd.h>\nint getaddrinfo(void) { sleep(60); return -3; }\n',
      })
      const program = start('program.ts', [folder, 'looks up a name'], {
        env: { ...process.env, LD_PRELOAD: slow },
      })
      await vi.waitFor(() => expect(program.stdout).toContain('Working'), 20_000)
      program.child.kill('SIGTERM')
      expect(await program.ended).toBe('SIGTERM')
      expect(jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)).toEqual(['Working', 'Stopped'])
    },
  )

  test('that meets problems ends with a line for each and exit code 1', async () => {
    const { program } = run('meets problems')
    expect(await program.ended).toBe(1)
    expect(program.stdout.split('\n')).toEqual([
      expect.stringMatching(/FATAL \(program\): Port 1 is taken\.$/),
      expect.stringMatching(/FATAL \(program\): The key "x" is missing\.$/),
      '',
    ])
    expect(program.stderr).toBe('')
  })

  test.each(['has a bug', 'rejects a promise that nobody has', 'rejects at its top level'])(
    'that %s ends with one line and exit code 1, its stack in the log file alone',
    async (way) => {
      const { program, file } = run(way)
      expect(await program.ended).toBe(1)
      expect(program.stdout).toMatch(
        /^.*FATAL \(program\): A mistake in the program ended it: TypeError: x is not a function \(its stack is in the log file, at level debug\)\n$/,
      )
      expect(program.stderr).toBe('')
      expect(jsonLines(file).at(-1)).toMatchObject({
        level: 'debug',
        err: { stack: expect.stringContaining('program.js') },
      })
    },
  )

  test('that has no log shows the stack of a bug', async () => {
    const file = join(tempFolder(), 'no-log.mts')
    const lifecycle = join(import.meta.dirname, '../src/lifecycle.ts')
    writeFileSync(
      file,
      `import { stopSignal } from ${JSON.stringify(lifecycle)}\nstopSignal()\nthrow new TypeError('x')\n`,
    )
    const program = start(file)
    expect(await program.ended).toBe(1)
    expect(program.stderr).toMatch(/^A mistake in the program ended it: TypeError: x\n +at .*no-log\.mts/)
  })

  test.each(['talks until it is stopped', 'prints until it is stopped'])(
    'that %s ends quietly, with exit code 0, when its console goes away',
    async (way) => {
      const { program, file } = run(way)
      await vi.waitFor(() => expect(program.stdout).toContain('Talking'), 20_000)
      program.child.stdout?.destroy()
      expect(await program.ended).toBe(0)
      expect(program.stderr).toBe('')
      expect(jsonLines(file).at(-1)).toMatchObject({ msg: 'Stopped' })
    },
  )

  function run(way: string) {
    const folder = tempFolder()
    return { program: start('program.ts', [folder, way]), file: join(folder, 'program.log') }
  }
})
