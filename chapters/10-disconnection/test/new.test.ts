import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Running, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

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

  // 1 MiB, the most that a message may have, takes forty of the master's seconds.
  const link = await chapter.link()
  link.set({ toServer: { bytesPerSecond: 260_000 } })
  const slow = await sayTo(link.port, hello('slow'), says('message', 'x'.repeat(1024 * 1024 - 100)))

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
    process.kill(frozen.pid, 'SIGCONT')
  }
  await frozen.ends()
  expect(frozen.exitCode).toBe(1)
  await slow.leaves()
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

/** The number of a slave, which says who it is. */
function numberOf(slave: Running): string {
  const [, number = ''] = /as client (\d+)/.exec(slave.messages.join('\n')) ?? []
  return number
}

/** Waits until a slave has an answer from its master: each knows the other. */
async function isAnswered(slave: Running) {
  await vi.waitFor(() => expect(slave.messages.join('\n')).toContain('We have information'), PATIENCE)
}

/** Waits until a slave gives its master up because nothing comes. */
async function givesUp(slave: Running) {
  const why = /^Nothing came from the master at \S+ for 15 s/m
  await vi.waitFor(() => expect(slave.messages.join('\n')).toMatch(why), PATIENCE)
  await slave.ends()
  expect(slave.exitCode).toBe(1)
}

/** Waits until a master gives a slave up because nothing comes. */
async function isGivenUp(slave: Running, master: Running) {
  const why = new RegExp(`^Nothing came from \\S+ #${numberOf(slave)} at \\S+ for 15 s`, 'm')
  await vi.waitFor(() => expect(master.messages.join('\n')).toMatch(why), PATIENCE)
  await master.says(new RegExp(`#${numberOf(slave)} has left`))
}

test('a pulled cable is noticed at both ends; a line on which all is late is not taken for one', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const [cable, longLine] = [await chapter.link(), await chapter.link()]
  longLine.set({ toServer: { delayMs: 300 }, toClient: { delayMs: 300 } }) // three seconds of the fast clock
  const slave = await chapter.run('slave', { through: cable })
  const late = await chapter.run('slave', { through: longLine })
  await isAnswered(slave)
  await isAnswered(late)
  cable.set({ toServer: { blackHole: true }, toClient: { blackHole: true } })
  await Promise.all([givesUp(slave), isGivenUp(slave, master)])
  await late.says(/We have information/, 6) // 25 s and more after the first
  await late.stop()
  expect(late.exitCode).toBe(0)
  expect(master.messages.filter((line) => line.startsWith('Nothing came'))).toHaveLength(1)
})

test('a line that is dead in one direction is left by the end that hears nothing', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const link = await chapter.link()
  const slave = await chapter.run('slave', { through: link })
  await isAnswered(slave)
  link.set({ toClient: { blackHole: true } })
  await givesUp(slave)
  await master.says(new RegExp(`#${numberOf(slave)} has left`))
  expect(master.messages.join('\n')).not.toContain('Nothing came')

  const deaf = await chapter.link()
  const other = await chapter.run('slave', { through: deaf })
  await isAnswered(other)
  deaf.set({ toServer: { blackHole: true } })
  await isGivenUp(other, master)
})

test('half of a connection is noticed by whom it is left to; a slave that is back is a new one', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const link = await chapter.link()
  const slave = await chapter.run('slave', { through: link })
  await isAnswered(slave)
  link.halfOpen('client')
  await slave.ends()
  expect(slave.messages.at(-1)).toMatch(
    /^Lost the connection to the master at \S+: the other end reset it\.$/,
  )
  const again = await chapter.run('slave', { through: link })
  await isAnswered(again)
  await isGivenUp(slave, master) // nobody has told it

  link.halfOpen('server')
  await givesUp(again)
  await master.says(new RegExp(`#${numberOf(again)} has left`))
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
