import { type Link, standInCommands, test } from '@rpi-cluster/tutorial/harness'
import { vi } from 'vitest'

/** Long enough for a silence and the pauses after it, by the fast clock, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const FAULTS: [string, (link: Link) => void][] = [
  ['a reset', (link) => link.cut('reset')],
  ['a pulled cable', (link) => link.set({ toServer: { blackHole: true }, toClient: { blackHole: true } })],
  ['a master that is gone without a word', (link) => link.halfOpen('server')],
]

test('while a line is down systemd reads that the slave waits, its watchdog is told, and then that all is well', async ({
  chapter,
  expect,
}) => {
  const { env, calls } = await standInCommands(chapter, ['systemd-notify'])
  const statusAfter = async (mark: number) =>
    (await calls()).slice(mark).flatMap((call) => /STATUS=(Waiting|Connected)/.exec(call)?.[1] ?? [])
  await chapter.run('master')
  const link = await chapter.link()
  // The watchdog is told every two seconds.
  const slave = await chapter.run('slave', {
    through: link,
    env: { ...env, NOTIFY_SOCKET: '/run/nobody', WATCHDOG_USEC: '6000000' },
  })
  await slave.says(/We have information/)
  for (const [title, make] of FAULTS) {
    await vi.waitFor(async () => expect((await statusAfter(0)).at(-1), title).toBe('Connected'), PATIENCE)
    const before = (await calls()).length
    make(link)
    await vi.waitFor(async () => expect(await statusAfter(before), title).toContain('Waiting'), PATIENCE)
    const down = (await calls()).length
    await vi.waitFor(
      async () =>
        expect((await calls()).slice(down).filter((call) => /WATCHDOG=1/.test(call)).length).toBeGreaterThan(
          2,
        ),
      PATIENCE,
    )
    const answers = slave.messages.filter((line) => line.startsWith('We have information')).length
    link.heal()
    await slave.says(/We have information/, answers + 1)
    await vi.waitFor(async () => expect((await statusAfter(0)).at(-1), title).toBe('Connected'), PATIENCE)
  }
  await slave.stop()
  expect(slave.exitCode).toBe(0)
})
