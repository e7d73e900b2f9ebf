import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Running, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

/** Long enough for some of the longer pauses, by the fast clock, on a busy machine. */
const PATIENCE = { timeout: 60_000, interval: 20 }

/** Waits for something, and sees that the program is still there then. */
async function outlives(program: Running, what: Promise<unknown>): Promise<void> {
  await Promise.race([what, program.ends()])
  expect(program.exitCode).toBeNull()
}

const detailsIn = (received: string) =>
  received
    .split('\r')
    .filter((frame) => frame.includes('computer_details'))
    .map((frame) => JSON.parse(frame))
    .filter(({ type }) => type === 'computer_details')

test('a slave finds its master again, under the same name, and says nothing twice', async ({
  chapter,
  expect,
}) => {
  const first = await chapter.standIn()
  const slave = await chapter.run('slave')
  await first.receives(/([^\r]*\r){3}/)
  first.close()
  await slave.says(/Lost the connection to the master/)
  const second = await chapter.standIn()
  await outlives(
    slave,
    vi.waitFor(() => expect(second.received).toMatch(/([^\r]*\r){2}/), PATIENCE),
  )
  const [before] = detailsIn(first.received)
  expect(detailsIn(second.received)).toEqual([
    { type: 'computer_details', payload: expect.objectContaining({ client: before?.payload.client }) },
  ])
  expect(second.received).toMatch(/^\{"type":"computer_details"/)
  await slave.stop()
  expect(slave.exitCode).toBe(0)
})

test('a slave leaves a frozen master, and finds it again when it goes on', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const slave = await chapter.run('slave')
  await slave.says(/We have information/)
  process.kill(master.pid, 'SIGSTOP')
  try {
    await outlives(
      slave,
      vi.waitFor(
        () => expect(slave.messages.join('\n')).toMatch(/Nothing came from the master .*\n.*Waiting until/),
        PATIENCE,
      ),
    )
  } finally {
    process.kill(master.pid, 'SIGCONT')
  }
  const [, name] = /(\S+ #\d+) has joined/.exec(master.messages.join('\n')) ?? []
  // It may have tried while the master stood still: then that connection is found, too, and is left.
  await vi.waitFor(() => {
    const [, shown] = master.messages
      .join('\n')
      .split(/Here now: 1\n(?!.*Here now)/)
      .slice(-2)
    expect(shown).toContain(`- ${name} `)
    expect(slave.messages.filter((line) => line.startsWith('We have information')).length).toBeGreaterThan(1)
  }, PATIENCE)
  await slave.stop()
  expect(slave.exitCode).toBe(0)
})

test('a slave waits for a master whose name nobody knows; a config that is wrong ends it, as ever', async ({
  chapter,
  expect,
}) => {
  const config = join(chapter.folder, 'rpicluster.cfg')
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replace(/^master_ip = .*/m, 'master_ip = nobody.invalid'))
  const slave = await chapter.run('slave')
  await outlives(
    slave,
    vi.waitFor(
      () =>
        expect(slave.messages.join('\n')).toMatch(
          /No machine is known by the name in nobody\.invalid.*\n.*Waiting until the master is there/,
        ),
      PATIENCE,
    ),
  )
  await slave.stop()
  expect(slave.exitCode).toBe(0)
  expect(slave.lines.filter((line) => /Waiting until/.test(line))).toHaveLength(1)

  await writeFile(config, text.replace(/^master_ip = .*/m, 'master_ip ='))
  const misled = await chapter.run('slave')
  await misled.ends()
  expect(misled.exitCode).toBe(1)
  expect(misled.lines).toHaveLength(1)
})
