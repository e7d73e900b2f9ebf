import { join } from 'node:path'
import { expect } from 'vitest'
import { isAlive } from '../src/ends-well.ts'
import { chapterTest } from '../src/harness.ts'

const test = chapterTest('06-slave-details')

test('--for ends the cluster by itself; the slave starts when the master listens', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--for', '20s'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(0)
  expect(cluster.messages).toContainEqual(expect.stringMatching(/^Machine specifications: \{"hostname":/))
  expect(cluster.messages).toContainEqual(
    expect.stringMatching(/^Received message: I am still alive, client: \d+$/),
  )
})

test('--slaves N starts so many, and when one is killed the others go on', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--slaves', '3'] })
  await cluster.says(/Connected to/, 3)
  const [first] = await chapter.log('slave.log')
  process.kill(Number(first?.['pid']), 'SIGKILL')
  await cluster.says(/^slave \d \| \(ended, by SIGKILL\)$/)
  const before = cluster.messages.filter((message) => message.startsWith('Received message')).length
  await cluster.says(/Received message/, before + 2)
  await cluster.stop()
  expect(cluster.exitCode).toBe(0)
  const names = new Set(cluster.lines.map((line) => line.split('|')[0]?.trim()))
  expect(names).toEqual(new Set(['master', 'slave 1', 'slave 2', 'slave 3']))
})

test('SIGTERM to the runner alone ends every program', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Connected to/)
  await cluster.stop('SIGTERM')
  expect(cluster.exitCode).toBe(0)
  expect(cluster.messages.filter((message) => message === 'Stopped')).toHaveLength(2)
})

test('a master that is killed ends the cluster, with an exit code that is not 0', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Connected to/)
  const [first] = await chapter.log('master.log')
  process.kill(Number(first?.['pid']), 'SIGKILL')
  await cluster.ends()
  expect(cluster.exitCode).toBe(1)
  expect(cluster.lines).toContainEqual(expect.stringMatching(/^master \| \(ended, by SIGKILL\)$/))
})

test('a runner that is killed leaves no process behind for long', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Received message/)
  const logs = await Promise.all(['master.log', 'slave.log'].map((name) => chapter.log(name)))
  const pids = logs.map(([line]) => Number(line?.['pid']))
  expect(pids.filter(isAlive)).toHaveLength(2)
  cluster.signal('SIGKILL')
  await expect.poll(() => pids.filter(isAlive), { timeout: 15_000 }).toEqual([])
})

test('start twice at once gives the second a clear error, and leaves the first alone', async ({
  chapter,
}) => {
  const first = await chapter.start()
  await first.says(/Connected to/)
  const second = await chapter.start()
  await second.ends()
  expect(second.exitCode).toBe(1)
  expect(second.lines[0]).toMatch(/^master \| .*Port \d+ is taken on 127\.0\.0\.1: /)
  await first.stop()
  expect(first.exitCode).toBe(0)
})

test('--config goes to every program, and counts from the folder where the reader typed', async ({
  chapter,
}) => {
  await chapter.write('rpicluster.cfg', '')
  await chapter.write(
    'src/mine.cfg',
    `[master]\nsocket_port = ${chapter.port}\nsocket_bind_ip =\n[slave]\nsocket_port = ${chapter.port}\nmaster_ip = localhost\n`,
  )
  const cluster = await chapter.start({ args: ['--config', 'mine.cfg'], from: join(chapter.folder, 'src') })
  await cluster.says(/Connected to/)
  await cluster.stop()
  expect(cluster.lines[0]).toContain(`Listening on 0.0.0.0:${chapter.port}`)
})

test.for([
  [
    ['--for', '20'],
    "option '--for <time>' argument '20' is invalid. It takes a time with its unit, such as 20s, 2m or 500ms.",
  ],
  [
    ['--slaves', '0'],
    "option '--slaves <number>' argument '0' is invalid. It takes a whole number from 1 to 1000.",
  ],
] as const)('%j is refused with a clear line', async ([args, line], { chapter }) => {
  const cluster = await chapter.start({ args: [...args] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(1)
  expect(cluster.lines[0]).toBe(`error: ${line}`)
})

chapterTest('02-packaging')('a single program has no slaves', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--slaves', '2'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(2)
  expect(cluster.lines).toEqual([
    '02-packaging is a single program: it has no slaves to start (chapter 03 brings them).',
  ])
})
