/** Nodes of before and after the day on which names changed, in any order, on one side or the other. */
import { join } from 'node:path'
import { ChapterCopy, chapterTest, hasPython, type Running, runPython } from '@rpi-cluster/tutorial/harness'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { pythonNode, warningsOf } from './support/company.ts'

const test = chapterTest('16-primary-secondary')
const PATIENCE = { timeout: 30_000, interval: 20 }

/** A copy of chapter 15 whose nodes meet those of a copy of 16. */
async function before(chapter: ChapterCopy): Promise<ChapterCopy> {
  const old = await ChapterCopy.make('15-live-page')
  onTestFinished(() => old.remove())
  const [page] = old.portsOf('webserver')
  await old.write(
    'rpicluster.cfg',
    `[master]
socket_port = ${chapter.port}
socket_bind_ip = 127.0.0.1
[slave]
socket_port = ${chapter.port}
master_ip = 127.0.0.1
[webserver]
webserver_port = ${page}
webserver_host = 127.0.0.1
`,
  )
  return old
}

/** How a page calls those that are here, in whatever order. */
async function here(chapter: ChapterCopy): Promise<number> {
  const [port] = chapter.portsOf('webserver')
  const response = await fetch(`http://127.0.0.1:${port}/api/nodes`)
  const nodes = (await response.json()) as Record<string, { state: string }>
  return Object.values(nodes).filter(({ state }) => state === 'here').length
}

function expectNoWarnings(programs: readonly Running[]): void {
  const expected = /Nobody listens|Lost the connection|is called|Cut off/
  for (const program of programs)
    expect(warningsOf(program).filter((line) => !expected.test(line))).toEqual([])
}

describe('of chapters 15 and 16', () => {
  test('all serve under a primary, whichever was there first, and under a master in its place', async ({
    chapter,
  }) => {
    const old = await before(chapter)
    // Two of them are there before anybody listens.
    const slave = await old.run('slave')
    const secondary = await chapter.run('secondary')
    const primary = await chapter.run('primary')
    const programs = [slave, secondary, await old.run('webserver'), await chapter.run('webserver')]
    const allServe = async (times: number) => {
      await slave.says(/We have information about the master/, times)
      await secondary.says(/We have information about the primary/, times)
      for (const one of [old, chapter])
        await vi.waitFor(async () => expect(await here(one)).toBe(4), PATIENCE)
    }
    await allServe(2)
    await primary.stop()
    const heard = slave.messages.filter((line) => /We have information/.test(line)).length
    const master = await old.run('master')
    await allServe(heard + 2)
    expectNoWarnings([...programs, primary, master])
  })
})

describe.runIf(hasPython())('in Python', () => {
  test('those of 15 and 16 serve under a primary, each by its names', async ({ chapter }) => {
    const primary = await chapter.run('primary')
    const kinds = ['15', '15-web', '16', '16-web']
    const nodes = await Promise.all(kinds.map((kind) => pythonNode(kind, chapter.port)))
    for (const node of nodes) await node.says(/^beat/, 3)
    const [, web15, , web16] = nodes.map(({ lines }) => lines.join('\n'))
    expect(web15).toMatch(/asked slave_details: slave_details/)
    expect(web16).toMatch(/asked secondary_details: secondary_details/)
    expect(web16).toMatch(/asked computer_details: primary_info/)
    for (const node of nodes) {
      expect(node.exitCode).toBeNull()
      expect(node.lines.join('\n')).not.toMatch(/UNASKED|Traceback|bad_message|lost/)
    }
    expectNoWarnings([primary])
    for (const node of nodes) await node.kill()
  })

  test.for(['15', '16'])('the master of %s has our secondary and our page', async (post, { chapter }) => {
    const script = join(import.meta.dirname, 'support/python/master.py')
    const master = await runPython(script, post, String(chapter.port), '10')
    const secondary = await chapter.run('secondary')
    const webserver = await chapter.run('webserver')
    await secondary.says(/We have information about the primary/, 2)
    await vi.waitFor(async () => expect(await here(chapter)).toBe(2), PATIENCE)
    expectNoWarnings([secondary, webserver])
    expect(master.lines.join('\n')).not.toMatch(/Traceback/)
    await master.kill()
  })
})
