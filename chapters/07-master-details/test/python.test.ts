import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'

const NODES = join(import.meta.dirname, 'python')

describe.runIf(hasPython())('in company with Python nodes, which know no ids', () => {
  test('a Python slave gets one answer to each of its questions', async ({ chapter, expect }) => {
    const master = await chapter.run('master')
    const slave = await runPython(join(NODES, 'slave.py'), String(chapter.port), 'computer_details', 'pizza')
    await slave.ends()
    await master.says(/Client disconnected/)
    expect(slave.lines[0]).toContain(`computer_details: master_info {"hostname": "${hostname()}", `)
    expect(slave.lines[1]).toBe('pizza: bad_message "unknown"')
    expect(master.messages.join('\n')).toMatch(/Computer specifications of \S+: \{"hostname":"pi","cpu":""\}/)
    expect(master.messages.join('\n')).toMatch(/Received message from \S+: I am still alive, client: 1$/m)
  })

  test('our slave learns of a Python master what it wants to know', async ({ chapter, expect }) => {
    const master = await runPython(join(NODES, 'master.py'), String(chapter.port))
    const slave = await chapter.run('slave')
    await slave.says(/We have information about the master: \{"cpu":"","hostname":"küche"\}$/)
    await master.says(/I am still alive/, 2)
    await slave.stop()
    await master.ends()
    expect(slave.exitCode).toBe(0)
    expect(master.lines.slice(1, 3)).toEqual([
      expect.stringContaining(`computer_details: {"hostname": "${hostname()}", "cpu_percent_used": `),
      'info: "computer_details"',
    ])
  })
})
