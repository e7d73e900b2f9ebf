import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe, expect } from 'vitest'
import { firmware, sendEvery } from './support.ts'

const PRIMARY = join(import.meta.dirname, 'python/primary.py')

describe.runIf(hasPython())('with a primary in Python', () => {
  test.for([
    ['18', 'writes our temperature, as a float', /^Written cpu,.*temperature=\d+\.\d+ \d+$/],
    ['17', 'passes over it', /^Written cpu,.*percentage=\d+\.\d+ \d+$/],
  ] as const)('of %s, which %s', async ([post, , written], { chapter }) => {
    await sendEvery(chapter, 5)
    const primary = await runPython(PRIMARY, post, String(chapter.port))
    const secondary = await chapter.run('secondary', { env: firmware(chapter) })
    await primary.says(written, 3)
    await secondary.stop()
    await primary.says(/Client disconnected/)
    expect(primary.lines.join('\n')).not.toContain('Traceback')
  })
})
