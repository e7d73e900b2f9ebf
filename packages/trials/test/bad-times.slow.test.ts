/** What happens to processes and machines on a bad day, to chapter 06's programs. */
import { access, chmod, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { send } from '@rpi-cluster/core/messages'
import { connect } from '@rpi-cluster/core/sockets'
import { type ChapterCopy, chapterTest, type Running } from '@rpi-cluster/tutorial/harness'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { LogTail } from './support/log-tail.ts'

const test = chapterTest('06-slave-details')

const HEARTBEAT = /Received message from \S+: I am still alive, client: \d+$/
const LOST = /^Lost the connection to the master at 127\.0\.0\.1:\d+: the other end (closed|reset) it\.$/
const UNKNOWN_PROCESSOR = join(import.meta.dirname, 'support/unknown-processor.js')
const CLOCK_GOES_BACK = join(import.meta.dirname, 'support/clock-goes-back.js')

async function runMaster(chapter: ChapterCopy, preload?: string): Promise<Running> {
  const master = await chapter.run('master', preload === undefined ? {} : { preload })
  await master.says(/Listening on/)
  return master
}

async function runSlave(chapter: ChapterCopy, preload?: string): Promise<Running> {
  const slave = await chapter.run('slave', preload === undefined ? {} : { preload })
  await slave.says(/Connected to/)
  return slave
}

async function runPatientSlave(chapter: ChapterCopy, ...args: string[]): Promise<Running> {
  const program = await readFile(join(import.meta.dirname, 'support/patient-slave.ts'), 'utf8')
  await chapter.write('src/patient-slave.ts', program)
  return chapter.run('patient-slave', { args: [String(chapter.port), ...args] })
}

/** Waits for so many more heartbeats that reach a master. */
async function heartbeats(master: Running, more: number): Promise<void> {
  await master.says(HEARTBEAT, master.lines.filter((line) => HEARTBEAT.test(line)).length + more)
}

/** Expects that a program ends by itself as it should when it loses its master. */
async function endsForLackOfMaster(slave: Running): Promise<void> {
  await slave.ends()
  expect(slave.messages.at(-1)).toMatch(LOST)
  expect(slave.exitCode).toBe(1)
}

/** Waits until something stays as it is for a while. */
async function standsStill(value: () => number): Promise<void> {
  let [before, times] = [Number.NaN, 0]
  const stood = () => {
    times = value() === before ? times + 1 : 0
    before = value()
    expect(times).toBeGreaterThan(5)
  }
  await vi.waitFor(stood, { timeout: 20_000, interval: 50 })
}

describe('SIGKILL', () => {
  test('of a slave: the master serves the others', async ({ chapter }) => {
    const master = await runMaster(chapter)
    const [slave] = await Promise.all([runSlave(chapter), runSlave(chapter)])
    await master.says(/Machine specifications/, 2)
    await slave.kill()
    await master.says(/Client disconnected/)
    await heartbeats(master, 2)
    expect(master.messages.filter((line) => line.startsWith('Client disconnected'))).toHaveLength(1)
  })

  test('of a slave in the middle of a message: the master drops the half, says so, and serves the others', async ({
    chapter,
  }) => {
    const master = await runMaster(chapter)
    const [, doomed] = await Promise.all([runSlave(chapter), runPatientSlave(chapter, '100000', 'half')])
    await doomed.says(/Half a message is sent/)
    await doomed.kill()
    await master.says(
      /A frame from the slave at 127\.0\.0\.1:\d+ is unfinished: the stream ended after 50016 bytes/,
    )
    await heartbeats(master, 2)
    expect(master.messages.join()).not.toContain(': x')
  })

  test('of the master: its slaves say so, and end with exit code 1', async ({ chapter }) => {
    const master = await runMaster(chapter)
    const slaves = await Promise.all([runSlave(chapter), runSlave(chapter)])
    await heartbeats(master, 1)
    await master.kill()
    await Promise.all(slaves.map(endsForLackOfMaster))
  })

  test('of the master in the middle of a message: its slave says so, and ends with exit code 1', async ({
    chapter,
  }) => {
    const master = await runMaster(chapter)
    const slave = await runPatientSlave(chapter, '1000000')
    await master.says(/Received message from \S+: 1 x/)
    master.signal('SIGSTOP')
    await standsStill(() => slave.lines.length) // more is sent than the systems keep: a message is under way
    await master.kill()
    await endsForLackOfMaster(slave)
  })
})

test('the master is started again: its slaves say so and end with exit code 1, and new ones find it', async ({
  chapter,
}) => {
  const master = await runMaster(chapter)
  const slaves = await Promise.all([runSlave(chapter), runSlave(chapter)])
  await heartbeats(master, 1)
  await master.stop('SIGTERM')
  expect(master.exitCode).toBe(0)
  const again = await runMaster(chapter)
  await Promise.all(slaves.map(endsForLackOfMaster))
  await runSlave(chapter)
  await heartbeats(again, 1)
})

// A busy Pi takes seconds to start the program that knows the name of its processor.
test.skipIf(process.platform !== 'linux')(
  'a slave is stopped while it looks its machine up: it ends at once, and well',
  async ({ chapter }) => {
    await chapter.standIn()
    const called = join(chapter.folder, 'called')
    await chapter.write('lscpu', `#!/bin/sh\ntouch '${called}'\nexec sleep 5\n`)
    await chmod(join(chapter.folder, 'lscpu'), 0o755)
    vi.stubEnv('PATH', `${chapter.folder}:${process.env['PATH']}`)
    onTestFinished(() => void vi.unstubAllEnvs())
    const slave = await runSlave(chapter, UNKNOWN_PROCESSOR)
    await vi.waitFor(() => access(called), { timeout: 20_000 })
    await slave.stop()
    expect(slave.exitCode).toBe(0)
    expect(slave.messages.at(-1)).toBe('Stopped')
  },
)

describe('the log file of the master', () => {
  test.skipIf(process.platform !== 'linux')(
    'the disk is full: the cluster goes on, and the console says so once (needs /dev/full, of Linux)',
    async ({ chapter }) => {
      const file = join(chapter.folder, 'master.log')
      const master = await runMaster(chapter)
      const slave = await runSlave(chapter)
      await heartbeats(master, 1)
      await rm(file)
      await symlink('/dev/full', file)
      await heartbeats(master, 3)
      const troubles = () => master.messages.filter((line) => line.includes('log file'))
      expect(troubles()).toEqual([
        expect.stringMatching(
          /^Cannot write the log file .*master\.log \(ENOSPC: no space left on device\)\. Lines go to the console only/,
        ),
      ])

      await rm(file)
      await master.says(/can be written again/)
      await heartbeats(master, 1)
      expect(troubles().slice(1)).toEqual([
        expect.stringMatching(/can be written again\. It lacks \d+ lines\.$/),
      ])
      expect((await chapter.log('master.log')).map(({ msg }) => msg)).toContainEqual(
        expect.stringMatching(/^I am still alive|^Received message from \S+: I am/),
      )
      expect(slave.exitCode).toBe(null)
    },
  )

  test('somebody removes it: it is made anew, and the log says so once', async ({ chapter }) => {
    const file = join(chapter.folder, 'master.log')
    const master = await runMaster(chapter)
    await runSlave(chapter)
    await heartbeats(master, 1)
    await rm(file)
    await heartbeats(master, 3)
    await master.stop()
    expect(master.exitCode).toBe(0)
    const messages = (await chapter.log('master.log')).map(({ msg }) => msg)
    expect(messages.slice(0, 2)).toEqual([
      expect.stringMatching(HEARTBEAT),
      expect.stringMatching(/^The log file .*master\.log was removed\. It begins anew/),
    ])
    expect(messages.at(-1)).toBe('Stopped')
    expect(master.messages.filter((line) => /was removed/.test(line))).toHaveLength(1)
  })
})

describe('a pause', () => {
  const SENDERS = 5
  const MESSAGES = 3_000

  test('of the master, longer than the systems can keep what is sent: no message is lost', async ({
    chapter,
  }) => {
    const master = await runMaster(chapter)
    const tail = new LogTail(join(chapter.folder, 'master.log'))
    onTestFinished(() => tail.close())
    const logged: number[][] = Array.from({ length: SENDERS }, () => [])
    tail.onRecord = ({ msg }) => {
      const [, sender, number] = /^Received message from \S+: (\d+) (\d+) x/.exec(msg) ?? []
      if (sender !== undefined) logged[Number(sender)]?.push(Number(number))
    }

    master.signal('SIGSTOP')
    const { signal: stop } = new AbortController()
    const numbers = [...Array(MESSAGES).keys()]
    let sent = 0
    const sending = Array.from({ length: SENDERS }, async (_, sender) => {
      const connection = await connect({ peer: 'master', host: '127.0.0.1', port: chapter.port, stop })
      for (const number of numbers) {
        await send(connection, 'message', `${sender} ${number} ${'x'.repeat(10_000)}`)
        sent += 1
      }
      await connection.close()
    })
    await standsStill(() => sent)
    expect(sent).toBeGreaterThan(SENDERS)
    expect(sent).toBeLessThan(SENDERS * MESSAGES)
    expect(logged.flat()).toEqual([])

    master.signal('SIGCONT')
    await Promise.all(sending)
    await tail.until(
      () => logged.flat().length >= SENDERS * MESSAGES,
      () => `only ${logged.flat().length} of ${SENDERS * MESSAGES} messages were logged`,
    )
    expect(logged).toEqual(Array.from({ length: SENDERS }, () => numbers))
  })

  test('of a slave, longer than a few of its heartbeats: it goes on where it was, without a burst', async ({
    chapter,
  }) => {
    const master = await runMaster(chapter)
    const paused = await runSlave(chapter)
    const number = /client (\d+)/.exec(paused.lines.join())?.[1]
    const own = () => master.lines.filter((line) => line.endsWith(`client: ${number}`)).length
    await master.says(new RegExp(`client: ${number}$`))
    paused.signal('SIGSTOP')
    await runSlave(chapter)
    await heartbeats(master, 4)
    const before = own()

    paused.signal('SIGCONT')
    await master.says(new RegExp(`client: ${number}$`), before + 1)
    const since = master.lines.length
    await master.says(new RegExp(`client: ${number}$`), before + 4)
    const others = master.lines
      .slice(since)
      .filter((line) => HEARTBEAT.test(line) && !line.endsWith(`client: ${number}`))
    expect(others.length).toBeGreaterThanOrEqual(2) // three of its own took as long as about three of the other's
    expect(paused.exitCode).toBe(null)
    expect(master.messages.join()).not.toContain('Client disconnected')
  })
})

test('the clock is set back by an hour: the heartbeats keep coming, at their pace', async ({ chapter }) => {
  const master = await runMaster(chapter, CLOCK_GOES_BACK)
  const slave = await runSlave(chapter, CLOCK_GOES_BACK)
  const timeOf = async (count: number) => {
    const began = performance.now()
    await heartbeats(master, count)
    return performance.now() - began
  }
  await heartbeats(master, 1)
  const before = await timeOf(3)
  for (const program of [master, slave]) program.signal('SIGUSR2')
  await heartbeats(master, 1)
  const after = await timeOf(3)
  expect(after / before).toBeGreaterThan(0.3)
  expect(after / before).toBeLessThan(3)

  await slave.stop()
  await master.stop()
  for (const [program, name] of [
    [master, 'master.log'],
    [slave, 'slave.log'],
  ] as const) {
    expect(program.exitCode).toBe(0)
    const times = (await chapter.log(name)).map(({ time }) => Date.parse(String(time)))
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(-3_500_000) // so it was set back indeed
  }
})
