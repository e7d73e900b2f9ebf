import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasPython, runPython, test } from '@rpi-cluster/tutorial/harness'
import { describe, expect, vi } from 'vitest'
import { configure, historyOf, PATIENCE, valuesOf } from './support.ts'

const PRIMARY = join(import.meta.dirname, 'python/primary.py')
const SECONDARY = join(import.meta.dirname, 'python/secondary.py')

describe.runIf(hasPython())('with nodes in Python', () => {
  test.for(['17', '18'])(
    'a primary of %s has our vitals, floats and ints as it needs them, and serves the page',
    async (post, { chapter }) => {
      await configure(chapter, { vitals_seconds: 5 })
      const primary = await runPython(PRIMARY, post, String(chapter.port))
      const secondary = await chapter.run('secondary')
      const webserver = await chapter.run('webserver')
      await primary.says(/^vitals: /, 3)
      await secondary.says(/We have information about the primary/, 3)
      const [port] = chapter.portsOf('webserver')
      await vi.waitFor(
        async () =>
          expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toMatch(
            /The primary is here[\s\S]*<td>1\.0 GiB<\/td>/,
          ),
        PATIENCE,
      )
      const written = (pattern: string) => new RegExp(`^Written ${pattern} \\d+000000000$`)
      await primary.says(written(`cpu,node=${hostname()} frequency=\\d+\\.\\d+,percentage=\\d+\\.\\d+`), 3)
      await primary.says(written(`ram,node=${hostname()} free=\\d+i`), 3)
      await primary.says(written(`swap,node=${hostname()} free=\\d+i`), 3)
      await secondary.stop()
      await webserver.stop()
      await primary.says(/Client disconnected/, 2)
      expect(primary.lines.join('\n')).not.toMatch(/Traceback|computer_details/)
      const trouble = [...secondary.messages, ...webserver.messages].filter((line) =>
        /Lost|Unknown|refused/.test(line),
      )
      expect(trouble).toEqual([])
    },
  )

  test('our primary keeps what secondaries of 17 and 18 send, by their hostname, over all their connections', async ({
    chapter,
  }) => {
    const primary = await chapter.run('primary')
    const first = await runPython(SECONDARY, '17', String(chapter.port))
    await first.says(/^beat/, 3)
    expect(first.lines.slice(0, 2)).toEqual([
      expect.stringMatching(/^uuid: uuid: "[0-9a-f]{32}"$/),
      expect.stringMatching(/^node_baseinfo: primary_info: \{.*"swap": \d+/),
    ])
    await first.kill()
    await primary.says(/snake has left/)
    const second = await runPython(SECONDARY, '18', String(chapter.port))
    await second.says(/^beat/, 3)
    await vi.waitFor(
      async () => expect(valuesOf(await historyOf(chapter, 'cpu_temperature'))).toContain(40.5),
      PATIENCE,
    )
    const history = await historyOf(chapter, 'ram_free')
    expect(history.lines.map(({ node, name }) => [node, name])).toEqual([['snake', 'snake']])
    expect(new Set(valuesOf(history))).toEqual(new Set([512e6]))
    expect(primary.lines.filter((line) => /WARN/.test(line))).toEqual([])
  })
})
