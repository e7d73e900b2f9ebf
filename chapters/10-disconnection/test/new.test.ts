import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sayTo, test } from '@rpi-cluster/tutorial/harness'
import { vi } from 'vitest'

/** Long enough for fifteen seconds of the fast clock, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const says = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`
const hello = (hostname: string) => says('computer_details', { hostname, client: 1 })

test('a frozen slave is cut off; one whose message arrives slowly, and the others, are not', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const frozen = await chapter.run('slave')
  const good = await chapter.run('slave')
  await vi.waitFor(() => expect(master.messages.join('\n')).toMatch(/(has joined[\s\S]*){2}/), PATIENCE)
  const [, number] = /as client (\d+)/.exec(frozen.messages.join('\n')) ?? []

  const large = says('message', 'x'.repeat(200_000))
  const slow = connect({ port: chapter.port, host: '127.0.0.1' }).on('error', () => {})
  slow.write(hello('slow'))
  let sent = 0
  const trickle = setInterval(() => {
    slow.write(large.slice(sent, sent + 1_000))
    sent += 1_000
  }, 20)

  process.kill(frozen.pid, 'SIGSTOP')
  try {
    await vi.waitFor(
      () =>
        expect(master.messages.join('\n')).toMatch(
          new RegExp(
            `^Nothing came from \\S+ #${number} at \\S+ for 15 s, and its system still confirms what is sent: its program is stopped or hangs\\. The connection is cut\\.$`,
            'm',
          ),
        ),
      PATIENCE,
    )
    await master.says(new RegExp(`#${number} has left`))
    await master.says(/Received message from slow #1: x+\.\.\. \(\d+ characters in all\)|slow #1: x{1000}/)
  } finally {
    clearInterval(trickle)
    process.kill(frozen.pid, 'SIGCONT')
  }
  await frozen.ends()
  expect(frozen.exitCode).toBe(1)
  slow.destroy()
  await good.stop()
  expect(good.exitCode).toBe(0)
  expect(master.messages.filter((line) => line.startsWith('Nothing came'))).toHaveLength(1)
})

test('a slave leaves a frozen master, and says why', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const slave = await chapter.run('slave')
  await slave.says(/We have information/)
  process.kill(master.pid, 'SIGSTOP')
  try {
    await vi.waitFor(
      () =>
        expect(slave.messages.join('\n')).toMatch(
          /^Nothing came from the master at \S+ for 15 s, and its system still confirms what is sent/m,
        ),
      PATIENCE,
    )
    await slave.ends()
  } finally {
    process.kill(master.pid, 'SIGCONT')
  }
  expect(slave.exitCode).toBe(1)
})

test('a master that stood still itself takes nobody for dead, then waits as long as ever, and tells a reset from silence', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const resetting = connect({ port: chapter.port, host: '127.0.0.1' })
  resetting.write(hello('resetting'))
  const quiet = await sayTo(chapter.port, hello('quiet'))
  await vi.waitFor(() => expect(master.messages.join('\n')).toContain('quiet #1 has joined'), PATIENCE)
  await vi.waitFor(() => expect(master.messages.join('\n')).toContain('resetting #1 has joined'), PATIENCE)
  resetting.resetAndDestroy()
  process.kill(master.pid, 'SIGSTOP')
  await sleep(3_000) // thirty of the master's seconds
  process.kill(master.pid, 'SIGCONT')
  await sayTo(chapter.port, hello('another'))
  await master.says(/another #1 has joined/)
  expect(master.messages.join('\n')).not.toContain('Nothing came')
  await vi.waitFor(() => expect(master.messages.join('\n')).toMatch(/Nothing came from quiet #1/), PATIENCE)
  await quiet.leaves()
  const about = master.messages.filter((line) => line.includes('resetting #1') && !line.startsWith('- '))
  expect(about.slice(1)).toEqual([
    expect.stringMatching(/^Lost the connection to resetting #1 at \S+: the other end reset it\.$/),
    expect.stringMatching(/^resetting #1 has left/),
  ])
})

test('the slave asks again and again, describes itself once, and logs each answer', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){4}/)
  master.says(says('master_info', { hostname: 'pi' }) + says('lights', 'on'))
  await slave.says(/WARN .*Unknown message: lights, with on$/)
  const turns = slave.mostTurns(5_000)
  await slave.stop()
  const [details, ...questions] = master.received
    .split('\r')
    .filter(Boolean)
    .map((frame) => JSON.parse(frame))
  const [number] = /(?<=as client )\d+/.exec(slave.messages.join()) ?? []
  expect(details).toMatchObject({ type: 'computer_details', payload: { client: Number(number) } })
  for (const question of questions) expect(question).toEqual({ type: 'info', payload: 'computer_details' })
  expect(questions.length).toBeLessThanOrEqual(1 + turns) // the first comes at once
  expect(slave.messages).toContain('We have information about the master: {"hostname":"pi"}')
})
