import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe, vi } from 'vitest'

const MASTER = join(import.meta.dirname, 'python/master.py')
const PATIENCE = { timeout: 30_000, interval: 20 }

describe.runIf(hasPython())('with a master in Python', () => {
  test('the webserver shows what it answers, again and again, on one connection', async ({
    chapter,
    expect,
  }) => {
    const master = await runPython(MASTER, String(chapter.port))
    const webserver = await chapter.run('webserver')
    const [port] = chapter.portsOf('webserver')
    await vi.waitFor(async () => {
      const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
      expect(page).toMatch(/The master is here[\s\S]*<td>1\.0 GiB<\/td>[\s\S]*<td>küche<\/td>/)
    }, PATIENCE)
    await master.says(/^info: "computer_details"$/, 4)
    await webserver.stop()
    await master.says(/Client disconnected/)
    expect(webserver.exitCode).toBe(0)
    expect(webserver.messages.filter((line) => /Lost|Unknown|No answer/.test(line))).toEqual([])
    expect(master.lines[1]).toContain(`computer_details: {"hostname": "${hostname()}", `)
  })
})
