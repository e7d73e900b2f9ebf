import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { hasPython } from '../src/harness/harness.ts'
import { runInTerminal } from '../src/record/terminal.ts'

/** Runs a command in a terminal of 24 rows and 100 columns, until it ends or has printed `until`. */
async function run(command: string, until?: string) {
  let output = ''
  const stop = new AbortController()
  const exitCode = await runInTerminal(command, {
    columns: 100,
    rows: 24,
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', WORD: 'été' },
    onOutput: (text) => {
      output += text
      if (until && output.includes(until)) stop.abort()
    },
    signal: stop.signal,
  })
  return { output, exitCode }
}

describe.skipIf(!hasPython())('a command in a terminal', () => {
  test('finds a terminal of the stated size at both ends, from its first moment', async () => {
    const { output, exitCode } = await run('test -t 0 && test -t 1 && test -t 2 && stty size')
    expect(output).toBe('24 100\r\n')
    expect(exitCode).toBe(0)
  })

  test('has the environment that it was given, and no other', async () => {
    const { output } = await run('echo $WORD; env | grep -c -E "^(HOME|npm_|VITEST)"')
    expect(output).toBe('été\r\n0\r\n')
  })

  test('is heard to its last byte, and its exit code is told', async () => {
    const { output, exitCode } = await run('seq 20000 | sed s/$/é/; exit 3')
    expect(output).toBe(Array.from({ length: 20_000 }, (_, index) => `${index + 1}é\r\n`).join(''))
    expect(exitCode).toBe(3)
  })

  test('is ended by the signal', async () => {
    const command = 'trap "echo told; exit 0" TERM; echo begun; while :; do sleep 0.1; done'
    expect((await run(command, 'begun')).output).toBe('begun\r\ntold\r\n')
  })
})
