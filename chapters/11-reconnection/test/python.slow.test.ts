import { join } from 'node:path'
import { hasPython, type Running, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe, vi } from 'vitest'

/** That of the posts 09 to 15. */
const MASTER = join(import.meta.dirname, '../../10-disconnection/test/python/master.py')

/** Where it has listened before, it can again when the system has forgotten its connections: Linux takes a minute. */
const PATIENCE = { timeout: 150_000, interval: 3_000 }

describe.runIf(hasPython())('with a master in Python', () => {
  test('slaves find it again, though it cannot listen for a minute', { timeout: 240_000 }, async ({
    chapter,
    expect,
  }) => {
    const start = async (): Promise<Running> => {
      const master = await runPython(MASTER, String(chapter.port), '0.1')
      if (master.lines[0] === 'Listening') return master
      await master.kill() // its port is taken by the connections that it had before
      throw new Error(master.lines.join('\n'))
    }
    const first = await start()
    const slaves = [await chapter.run('slave'), await chapter.run('slave')]
    for (const slave of slaves) await slave.says(/We have information/)
    await first.stop('SIGKILL')
    const second = await vi.waitFor(start, PATIENCE)
    for (const slave of slaves) await slave.says(/Connected to/, 2)
    for (const slave of slaves) await slave.says(/We have information/, 2)
    for (const slave of slaves) await slave.stop()
    expect(slaves.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    await second.stop()
  })
})
