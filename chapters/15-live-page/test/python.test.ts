import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe, vi } from 'vitest'
import { nodesOf, runWebserver } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 20 }

describe.runIf(hasPython())('with nodes in Python', () => {
  test('our webserver asks a master that sends nothing by itself who is there; a slave has its identity', async ({
    chapter,
    expect,
  }) => {
    const master = await runPython(join(import.meta.dirname, 'python/master.py'), String(chapter.port))
    const slave = await chapter.run('slave')
    const { webserver, site } = await runWebserver(chapter)
    await vi.waitFor(async () => {
      const rows = Object.values(await nodesOf(site))
      expect(rows).toHaveLength(2)
      for (const { name, address, uuid } of rows) {
        expect([name, address]).toEqual(['(no name told)', expect.stringMatching(/^127\.0\.0\.1:\d+$/)])
        expect(uuid).toMatch(/^[0-9a-f]{32}$/)
      }
    }, PATIENCE)
    await master.says(/^info: "slave_details"$/, 3)
    await slave.stop()
    await vi.waitFor(async () => expect(Object.keys(await nodesOf(site))).toHaveLength(1), PATIENCE)
    await webserver.stop()
    await master.says(/Client disconnected/, 2)
    expect([slave.exitCode, webserver.exitCode]).toEqual([0, 0])
    expect(master.lines.join('\n')).toMatch(/info: "uuid"\n(.*\n)?computer_details: .*"uuid": "[0-9a-f]{32}"/)
    const troubles = [...slave.messages, ...webserver.messages].filter((line) =>
      /Lost|Unknown|No answer|identity/.test(line),
    )
    expect(troubles).toEqual([])
  })

  test('our master gives a Python node its identity and the list, and nothing that it did not ask for', async ({
    chapter,
    expect,
  }) => {
    const master = await chapter.run('master')
    const slave = await chapter.run('slave')
    const { site } = await runWebserver(chapter)
    const node = await runPython(join(import.meta.dirname, 'python/webserver.py'), String(chapter.port))
    await node.says(/^slave_details: /, 4)
    await slave.stop('SIGKILL')
    await node.says(/^slave_details: /, 7)
    const answers = node.lines.map((line) => line.split(':').slice(0, 2).join(':'))
    expect(answers.slice(0, 7)).toEqual([
      'uuid: uuid',
      'computer_details: master_info',
      'slave_details: slave_details',
      'computer_details: master_info',
      'slave_details: slave_details',
      'computer_details: master_info',
      'slave_details: slave_details',
    ])
    const uuid = /"([0-9a-f]{32})"/.exec(node.lines[0] ?? '')?.[1] ?? ''
    const last = node.lines.findLast((line) => line.startsWith('slave_details')) ?? ''
    const list = JSON.parse(last.replace(/^.*?: .*?: /, ''))
    expect(list[uuid]).toEqual({ uuid, address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) })
    expect(Object.keys(list)).toHaveLength(2)
    await vi.waitFor(
      async () =>
        expect(Object.values(await nodesOf(site)).map(({ name, state }) => `${name} ${state}`)).toEqual(
          expect.arrayContaining(['snake here', expect.stringMatching(`^${hostname()} #\\d+ gone$`)]),
        ),
      PATIENCE,
    )
    expect(master.messages.filter((line) => /Unknown/.test(line))).toEqual([])
  })
})
