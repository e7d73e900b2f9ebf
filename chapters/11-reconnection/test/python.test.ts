import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const SLAVE = join(import.meta.dirname, 'python/slave.py')

describe.runIf(hasPython())('with a slave in Python', () => {
  test('the master is found again, and gives one answer', async ({ chapter, expect }) => {
    const first = await chapter.run('master')
    await first.says(/Listening on/)
    const slave = await runPython(SLAVE, String(chapter.port), '0.2', '0.2')
    await slave.says(/answer master_info/)
    await first.stop('SIGKILL')
    await slave.says(/lost/)
    await slave.says(/waiting/)
    const second = await chapter.run('master')
    await slave.says(/answer master_info/, 2)
    await second.says(/Received message from python: I am still alive, client: 7/)
    expect(second.messages.filter((line) => /python has joined/.test(line))).toHaveLength(1)
    expect(second.messages.join('\n')).not.toMatch(/Lost the connection|Unknown/)
  })
})
