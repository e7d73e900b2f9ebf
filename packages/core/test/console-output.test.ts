import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { jsonLines, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 20 }
const PROGRAM = join(BUILT_FIXTURES, 'program.js')
const TERMINAL = join(import.meta.dirname, 'fixtures', 'terminal.py')
const TALKS = 'talks at length until it is stopped'

/** More lines of a kilobyte than a pipe takes (64 KiB, or 200 KiB for what Node makes its children) and a program keeps for it. */
const FULL = 400

const hasPython = spawnSync('python3', ['--version']).status === 0

describe.skipIf(process.platform === 'win32')('a pipe that nobody reads', () => {
  test('does not keep the program: it goes on, counts what is lost, and ends when it is asked to', async () => {
    const folder = tempFolder()
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    onTestFinished(() => closeSync(reader))
    const program = run(folder, [TALKS], ['ignore', openSync(pipe, 'w'), 'inherit'])
    await says(folder, FULL)

    // Somebody reads again.
    let shown = ''
    const read = () => {
      shown += readAll(reader)
      expect(shown).toMatch(/would stand here[\s\S]*Line \d+/)
    }
    await vi.waitFor(read, PATIENCE)
    const lost = expectWholeLines(shown)
    expect(lost).toBeGreaterThan(0)

    // And nobody again.
    await says(folder, linesIn(folder) + FULL)
    program.kill('SIGTERM')
    expect(await ended(program)).toBe(0)
    expect(jsonLines(join(folder, 'program.log')).at(-1)).toMatchObject({ msg: 'Stopped' })
    shown += readAll(reader)
    expect(shown).not.toContain('Stopped')
  })

  // Node gives its children a socket where a shell gives them a pipe.
  test('may be a socket', async () => {
    const folder = tempFolder()
    const program = run(folder, [TALKS], ['ignore', 'pipe', 'inherit'])
    await says(folder, FULL)
    program.kill('SIGTERM')
    const [code] = await once(program, 'exit')
    expect(code).toBe(0)
    expect(jsonLines(join(folder, 'program.log')).at(-1)).toMatchObject({ msg: 'Stopped' })
  })

  test('which takes its time, but reads on, loses nothing', async () => {
    const folder = tempFolder()
    // It reads when all lines have been said, and more of them than a pipe takes.
    const command = `exec "$0" "$1" "$2" "$3" | { read -u 3; cat; }`
    const program = spawn(
      'bash',
      ['-c', command, process.execPath, PROGRAM, folder, 'says a hundred long lines at once'],
      {
        stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
        env: { ...process.env, LOG_EVERY_LINE: '1', NO_COLOR: '1' },
      },
    )
    let shown = ''
    program.stdout?.setEncoding('utf8').on('data', (text) => {
      shown += text
    })
    await says(folder, 100)
    const beginsToRead = program.stdio[3] as Writable
    beginsToRead.end('now\n')
    await vi.waitFor(() => expect(shown).toContain('Line 99,'), PATIENCE)
    process.kill(Number(jsonLines(join(folder, 'program.log'))[0]?.['pid']), 'SIGTERM')
    await once(program, 'close')
    expect(expectWholeLines(shown)).toBe(0)
    expect(shown).toMatch(/Line 99,.*\n.*Stopped\n$/)
  })
})

describe.skipIf(!hasPython)('a terminal (needs python3)', () => {
  test('that is stopped with Ctrl-S does not keep the program, and shows how many lines are lost after Ctrl-Q', async () => {
    const folder = tempFolder()
    const program = run(folder, [TALKS], ['pipe', 'pipe', 'inherit'], ['python3', TERMINAL])
    let shown = ''
    program.stdout?.setEncoding('utf8').on('data', (text) => {
      shown += text
    })
    await says(folder, 1)
    program.stdin?.write('\x13')
    await says(folder, linesIn(folder) + FULL)
    program.stdin?.write('\x11')
    await vi.waitFor(() => expect(shown).toMatch(/would stand here[\s\S]*Line \d+/), PATIENCE)
    expect(expectWholeLines(shown.replaceAll('\r', ''))).toBeGreaterThan(0)

    program.stdin?.write('\x13')
    await says(folder, linesIn(folder) + FULL)
    process.kill(Number(jsonLines(join(folder, 'program.log'))[0]?.['pid']), 'SIGTERM')
    await vi.waitFor(
      () => expect(jsonLines(join(folder, 'program.log')).at(-1)).toMatchObject({ msg: 'Stopped' }),
      PATIENCE,
    )
    expect(await ended(program)).toBe(0)
  })

  test('that is closed stops the program as Ctrl-C does', async () => {
    const folder = tempFolder()
    const program = run(
      folder,
      ['works until it is stopped'],
      ['pipe', 'ignore', 'inherit'],
      ['python3', TERMINAL],
    )
    await says(folder, 1)
    program.stdin?.end()
    expect(await ended(program)).toBe(0)
    expect(jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)).toEqual(['Working', 'Stopped'])
  })
})

test('a program without a console, from the start, works and ends well', async () => {
  const folder = tempFolder()
  const closed = ['bash', '-c', 'exec "$0" "$@" <&- >&- 2>&-']
  const program = run(folder, ['works until it is stopped'], ['ignore', 'ignore', 'inherit'], closed)
  await says(folder, 1)
  program.kill('SIGTERM')
  expect(await ended(program)).toBe(0)
  expect(jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)).toEqual(['Working', 'Stopped'])
})

test.skipIf(process.platform !== 'linux')(
  'a console on a full disk costs lines, and nothing else (needs /dev/full, of Linux)',
  async () => {
    const folder = tempFolder()
    const program = run(
      folder,
      ['works until it is stopped'],
      ['ignore', openSync('/dev/full', 'w'), 'inherit'],
    )
    await says(folder, 1)
    program.kill('SIGTERM')
    expect(await ended(program)).toBe(0)
    expect(jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)).toEqual(['Working', 'Stopped'])
  },
)

/** Starts the program, perhaps by another one. */
function run(
  folder: string,
  args: string[],
  stdio: ('ignore' | 'pipe' | 'inherit' | number)[],
  by: string[] = [],
): ChildProcess {
  const [command = '', ...rest] = [...by, process.execPath, PROGRAM, folder, ...args]
  const child = spawn(command, rest, { stdio, env: { ...process.env, LOG_EVERY_LINE: '1', NO_COLOR: '1' } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null) return child.exitCode
  const [code, signal] = await once(child, 'exit')
  return code ?? signal
}

/** Waits until a program has logged so many lines. */
async function says(folder: string, lines: number): Promise<void> {
  await vi.waitFor(() => expect(linesIn(folder)).toBeGreaterThanOrEqual(lines), PATIENCE)
}

function linesIn(folder: string): number {
  return readFileSync(join(folder, 'program.log'), 'utf8').split('\n').length - 1
}

/** All that a pipe holds. */
function readAll(descriptor: number): string {
  const pieces: Buffer[] = []
  try {
    for (;;) {
      const piece = Buffer.alloc(64 * 1024)
      pieces.push(piece.subarray(0, readSync(descriptor, piece)))
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
  return Buffer.concat(pieces).toString()
}

/** Expects that no line is cut, and that each gap between their numbers is told. Returns how many are lost. */
function expectWholeLines(shown: string): number {
  let [next, lost] = [0, 0]
  for (const line of shown.slice(0, shown.lastIndexOf('\n')).split('\n')) {
    const [, gap] = /did not take (\d+) lines? that would stand here/.exec(line) ?? []
    const [, number] = /INFO \(program\): Line (\d+), (?:at length){100}\.$/.exec(line) ?? []
    if (gap !== undefined) {
      lost += Number(gap)
      next += Number(gap)
    } else if (number !== undefined) {
      expect(Number(number)).toBe(next)
      next += 1
    } else expect(line).toMatch(/Stopped$/)
  }
  return lost
}
