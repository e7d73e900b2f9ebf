import { hostname } from 'node:os'
import { join } from 'node:path'
import { send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
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
    const [address] = /(?<=Got client at ).*/.exec(master.messages.join('\n')) ?? []
    expect(master.messages).toContain(`Machine specifications of ${address}: {"hostname":"küche"}`)
    expect(master.messages).toContain(`Received message from ${address}: hello`)
    expect(master.messages).toContain(`Unknown type of message from ${address}: dance, with [1]`)
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

  test('names and texts beyond ASCII reach a Python master whole, also one that decodes each read of 512 bytes by itself', async ({
    chapter,
    expect,
  }) => {
    const master = await runPython(join(NODES, 'master.py'), String(chapter.port))
    const { signal: stop } = new AbortController()
    const slave = await connect({ peer: 'master', host: '127.0.0.1', port: chapter.port, stop })
    const names = Array.from({ length: 100 }, (_, length) => `${'küche-€-\u{1f353}-'.repeat(length)}x`)
    for (const hostname of names) await send(slave, 'machine_details', { hostname })
    await slave.close()
    await master.ends()
    const details = master.lines.filter((line) => line.startsWith('machine_details: '))
    expect(details.map((line) => JSON.parse(line.slice('machine_details: '.length)).hostname)).toEqual(names)
    expect(master.lines.at(-1)).toBe('Client disconnected')
  })
})
