import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const SLAVE = join(import.meta.dirname, 'python/slave.py')

/** That of the posts 09 to 15. */
const MASTER = '10-disconnection/test/python/master.py'

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

describe.runIf(hasPython())('with a master in Python', () => {
  test('slaves wait while it cannot listen, and find it again when it can', async ({ chapter, expect }) => {
    const port = String(chapter.port)
    const first = await runPython(MASTER, port, '0.1', 'reuse')
    const slaves = [await chapter.run('slave'), await chapter.run('slave')]
    for (const slave of slaves) await slave.says(/We have information/)
    await first.stop('SIGKILL')
    for (const slave of slaves) await slave.says(/Nobody listens/)
    // Linux keeps its connections for a minute, and the posts' master has to wait for that; here one comes that has not.
    const early = await runPython(MASTER, port, '0.1')
    await early.says(/Address already in use/)
    const second = await runPython(MASTER, port, '0.1', 'reuse')
    await second.says(/Listening/)
    for (const slave of slaves) await slave.says(/Connected to/, 2)
    for (const slave of slaves) await slave.says(/We have information/, 2)
    for (const slave of slaves) await slave.stop()
    expect(slaves.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  })
})
