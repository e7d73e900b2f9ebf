import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const NODES = join(import.meta.dirname, 'python')

describe.runIf(hasPython())('in company with Python nodes', () => {
  test('a Python slave talks to our master', async ({ chapter, expect }) => {
    const master = await chapter.run('master')
    const sent = ['machine_details', '{"hostname": "küche"}', 'message', '"hello"', 'dance', '[1]']
    const slave = await runPython(join(NODES, 'slave.py'), String(chapter.port), ...sent)
    await slave.ends()
    await master.says(/Client disconnected/)
    expect(master.messages).toContain('Machine specifications: {"hostname":"küche"}')
    expect(master.messages).toContain('Received message: hello')
    expect(master.messages).toContain('Unknown type of message: dance, with [1]')
  })

  test('our slave talks to a Python master', async ({ chapter, expect }) => {
    const master = await runPython(join(NODES, 'master.py'), String(chapter.port))
    const slave = await chapter.run('slave')
    await master.says(/I am still alive/)
    await slave.stop()
    await master.ends()
    expect(master.lines[1]).toContain(`machine_details: {"hostname": "${hostname()}", "cpu_percent_used": `)
    expect(master.lines[2]).toMatch(/^message: "I am still alive, client: \d+"$/)
    expect(master.lines.at(-1)).toBe('Client disconnected')
  })
})
