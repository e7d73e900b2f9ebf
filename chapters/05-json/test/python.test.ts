import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const NODES = join(import.meta.dirname, 'python')

describe.runIf(hasPython())('in company with Python nodes', () => {
  test('a Python slave talks to our master', async ({ chapter, expect }) => {
    const master = await chapter.run('master')
    const slave = await runPython(
      join(NODES, 'slave.py'),
      String(chapter.port),
      'hello',
      'Grüße, \u{1f353}',
      'a\rb',
    )
    await slave.ends()
    await master.says(/Client disconnected/)
    expect(slave.exitCode).toBe(0)
    const [address] = /(?<=Got client at ).*/.exec(master.messages.join('\n')) ?? []
    expect(master.messages).toContain(`Received message from ${address}: hello`)
    expect(master.messages).toContain(`Received message from ${address}: Grüße, \u{1f353}`)
    expect(master.messages).toContain(`Received message from ${address}: a\\rb`)
  })

  test('our slave talks to a Python master', async ({ chapter, expect }) => {
    const master = await runPython(join(NODES, 'master.py'), String(chapter.port))
    const slave = await chapter.run('slave')
    await master.says(/I am still alive/)
    await slave.stop()
    await master.ends()
    const number = /as client (\d+)/.exec(slave.lines.join())?.[1]
    expect(master.lines[1]).toBe(`Received message: Hello World, I am client ${number}`)
    expect(master.lines[2]).toBe(`Received message: I am still alive, client: ${number}`)
    expect(master.lines.at(-1)).toBe('Client disconnected')
  })
})
