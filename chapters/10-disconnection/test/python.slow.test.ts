import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const MASTER = join(import.meta.dirname, 'python/master.py')

/** How long the slaves have to stay, in ms of this machine: ten minutes of the fast clock. */
const STAY_MS = 60_000

describe.runIf(hasPython())('under a Python master that answers on whatever connection', () => {
  test('five slaves stay up for ten minutes', { timeout: 240_000 }, async ({ chapter, expect }) => {
    const master = await runPython(MASTER, String(chapter.port), '0.1')
    const slaves = await Promise.all(Array.from({ length: 5 }, () => chapter.run('slave')))
    await sleep(STAY_MS)
    for (const slave of slaves) {
      expect(slave.exitCode, slave.lines.join('\n')).toBeNull()
      await slave.says(/We have information about the master/, 3)
    }
    for (const slave of slaves) await slave.stop()
    expect(slaves.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0])
    expect(master.lines.filter((line) => line.includes('Error'))).toEqual([])
    await master.stop()
  })
})
