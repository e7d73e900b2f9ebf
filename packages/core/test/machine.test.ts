import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, hostname, totalmem } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { machineDetails, processorName } from '../src/machine.ts'
import { jsonLines, start, stopAfterTest, tempFolder } from './support.ts'

test('the details are those of this machine, in the words of the wire', async () => {
  const details = await machineDetails()
  expect(details).toEqual({
    hostname: hostname(),
    cpu_percent_used: expect.any(Number),
    ram: totalmem(),
    cpu: expect.stringMatching(/\S/),
    cpu_cores: availableParallelism(),
  })
  expect(details.cpu_percent_used).toBeGreaterThanOrEqual(0)
  expect(details.cpu_percent_used).toBeLessThanOrEqual(100)
})

test('a busy processor is seen', async () => {
  let busy = true
  const turn = () => {
    const until = performance.now() + 20
    while (performance.now() < until);
    if (busy) setImmediate(turn)
  }
  turn()
  const { cpu_percent_used } = await machineDetails()
  busy = false
  // One of the cores was busy all the time. Half of its share is asked for, with others on this machine.
  expect(cpu_percent_used).toBeGreaterThan(50 / cpus().length)
})

test('the name of the processor is the one that Node knows', async () => {
  expect(await processorName('Cortex-A72')).toBe('Cortex-A72')
})

describe.skipIf(process.platform !== 'linux')('where Node does not know it', () => {
  /** Puts a program in the place of lscpu. */
  function asLscpu(script: string): void {
    const folder = tempFolder()
    writeFileSync(join(folder, 'lscpu'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, 'lscpu'), 0o755)
    vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
    onTestFinished(() => void vi.unstubAllEnvs())
  }

  test.each(['unknown', ''])('and says %j, the system knows it', async (known) => {
    const { stdout } = spawnSync('lscpu', { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
    const name = stdout.split('\n').find((line) => line.startsWith('Model name:'))
    expect(await processorName(known)).toBe(name?.slice(11).trim())
  })

  test.each([
    ['a Pi', 'printf "Vendor ID: ARM\\n  Model name:          Cortex-A72\\nModel: 3\\n"', 'Cortex-A72'],
    ['a machine of two kinds', 'printf "Model name: -\\nModel name: Cortex-A76\\n"', 'Cortex-A76'],
    [
      'a system that goes on for ever',
      'printf "Model name: "; head -c 5000 /dev/zero | tr "\\0" x',
      'x'.repeat(199),
    ],
    ['a system that does not know', 'echo "Model name:   -"', 'unknown'],
    ['one that has no such line', 'echo "Architecture: riscv64"', 'unknown'],
    ['one where lscpu fails', 'echo "Model name: half"; exit 1', 'unknown'],
    ['another language', 'test "$LC_ALL" = C && echo "Model name: Cortex-A76"', 'Cortex-A76'],
  ])('it is what lscpu says on %s', async (_, script, name) => {
    asLscpu(script)
    expect(await processorName('unknown')).toBe(name)
  })

  test('and without an lscpu nobody does', async () => {
    vi.stubEnv('PATH', tempFolder())
    onTestFinished(() => void vi.unstubAllEnvs())
    expect(await processorName('unknown')).toBe('unknown')
  })
})

test('the look ends when it is stopped, before it or while it watches the processor', async () => {
  const stop = stopAfterTest()
  const details = machineDetails({ stop: stop.signal })
  stop.abort()
  await expect(details).rejects.toMatchObject({ name: 'AbortError' })
  await expect(machineDetails({ stop: stop.signal })).rejects.toMatchObject({ name: 'AbortError' })
})

test('as many as like may wait for the look at once: that is no leak, of which Node warns', async () => {
  const program = start('program.ts', [tempFolder(), 'is asked for its machine by many at once'])
  expect(await program.ended).toBe(0)
  expect(program.stdout).toContain('Answered')
  expect(program.stderr).toBe('')
})

// A busy Pi takes seconds to start the programs that know the name of its processor.
test.skipIf(process.platform !== 'linux')(
  'a program that looks its machine up ends at once when it is stopped, however long that takes',
  async () => {
    const folder = tempFolder()
    const called = join(folder, 'called')
    writeFileSync(join(folder, 'lscpu'), `#!/bin/sh\ntouch '${called}'\nexec sleep 5\n`)
    chmodSync(join(folder, 'lscpu'), 0o755)
    const program = start('program.ts', [folder, 'looks its machine up'], {
      env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
    })
    await vi.waitFor(() => expect(existsSync(called)).toBe(true), 20_000)
    program.child.kill('SIGTERM')
    const [code] = await once(program.child, 'exit') // the look-up goes on, and keeps the pipe open
    expect(code).toBe(0)
    expect(jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)).toEqual(['Looking', 'Stopped'])
  },
)
