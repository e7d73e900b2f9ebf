import { describe, expect, test, vi } from 'vitest'
import { aCluster, type ClusterOptions, PATIENCE } from './election-support.ts'

/** A cluster whose members keep a log. */
const cluster = (options: ClusterOptions = {}) =>
  aCluster({ program: 'keeps.ts', electionMs: 500, heartbeatMs: 50, ...options })

describe('members that keep a log', () => {
  test('have what their leader was told, also when that is killed, and one that was away', async () => {
    const { elected, ask, members, begin } = await cluster()
    const names = members.map(({ name }) => name)
    const first = await elected()
    for (const text of ['one', 'two'])
      expect(await ask(first.name, 'put', text)).toEqual({ index: expect.any(Number) })
    const others = names.filter((name) => name !== first.name)
    first.kill('SIGKILL')
    const second = await elected(others)
    expect(await ask(second.name, 'texts')).toEqual(['one', 'two'])
    await ask(second.name, 'put', 'three')
    await begin(first.name)
    await elected()
    for (const name of names)
      await vi.waitFor(
        async () => expect(await ask(name, 'texts')).toEqual(['one', 'two', 'three']),
        PATIENCE,
      )
    for (const name of names) expect(await ask(name, 'fresh')).toEqual(['one', 'two', 'three'])
  })
})
