import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

/** Runs a program to its end. */
async function run(chapter: ChapterCopy, name: string, ...args: string[]) {
  expect(chapter.chapter.commands).toContain(name)
  const program = await chapter.run(name, { args })
  await program.ends()
  return program
}

/** Changes the configuration. */
async function configure(chapter: ChapterCopy, from: RegExp, to: string): Promise<void> {
  const file = join(chapter.folder, 'rpicluster.json')
  const text = await readFile(file, 'utf8')
  expect(text).toMatch(from)
  await writeFile(file, text.replace(from, to))
}

test('what it reads again holds at once; what is wrong is refused as a whole; nobody is cut off', async ({
  chapter,
}) => {
  expect(chapter.chapter.commands).toContain('status')
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await primary.says(/ Received vitals from secondary-1: /)
  // Less of a disk than any has that these programs lie on.
  await configure(chapter, /"full_from": 90/, '"full_from": 5')
  await configure(chapter, /"askers": \["everyone"\]/, '"askers": []')
  expect((await run(chapter, 'status', 'primary', '--reload')).exitCode).toBe(0)
  expect(primary.messages).toContain('Reloaded. Changed: askers, full_from')
  await run(chapter, 'task', 'secondary-1', 'node-time')
  await primary.says(/ everyone asks for the task node-time of secondary-1, and is refused: /)

  await configure(chapter, /"askers": \[\]/, '"askers": ["everyone"]')
  await configure(chapter, /"raw_days": 1/, '"raw_days": 2')
  const late = await run(chapter, 'status', 'primary', '--reload')
  expect([late.exitCode, ...late.lines]).toEqual([
    1,
    expect.stringMatching(/ raw_days can only hold from a start on/),
  ])
  await configure(chapter, /"hot_from": 80/, '"hot_from": "warm"')
  const bad = await run(chapter, 'status', 'primary', '--reload')
  expect([bad.exitCode, ...bad.lines]).toEqual([1, expect.stringMatching(/ primary\.hot_from is "warm"\. /)])
  expect(
    primary.messages.filter((line) => line === 'Not reloaded. What held before still holds'),
  ).toHaveLength(2)
  await run(chapter, 'task', 'secondary-1', 'node-time')
  await primary.says(/ everyone asks for the task node-time of secondary-1, and is refused: /, 2)

  // A secondary takes what it sends, and what it may be asked for, just so.
  await configure(chapter, /"vitals_seconds": 60/, '"vitals_seconds": 1')
  secondary.signal('SIGHUP')
  await secondary.says(/ Reloaded\. Changed: vitals_seconds$/)
  const count = primary.messages.filter((line) => line.startsWith('Received vitals from')).length
  await primary.says(/ Received vitals from secondary-1: /, count + 3)
  for (const { messages } of [primary, secondary])
    expect(messages.join('\n')).not.toMatch(/Lost the connection/)
})

test('how it does, a script learns by an exit code and JSON', async ({ chapter }) => {
  expect(chapter.chapter.commands).toContain('status')
  const status = async (program: string) => {
    const { exitCode, lines } = await run(chapter, 'status', program)
    return { exitCode, ...JSON.parse(lines.join('\n')) }
  }
  expect(await status('primary')).toMatchObject({ exitCode: 3, healthy: false })
  const secondary = await chapter.run('secondary')
  await secondary.says(/waiting for it/)
  expect(await status('secondary')).toMatchObject({ exitCode: 3 })
  const primary = await chapter.run('primary')
  await secondary.says(/ Connected to /)
  expect(await status('primary')).toMatchObject({ exitCode: 0, healthy: true, pid: primary.pid })
  expect(await status('secondary')).toMatchObject({
    exitCode: 0,
    status: expect.stringMatching(/^Connected as /),
  })
  await primary.stop()
  expect(await status('secondary')).toMatchObject({ exitCode: 1, status: 'Waiting for the primary' })
})

test('who waits for an answer gets it from a primary that was asked to stop', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await secondary.says(/We have information about the primary/)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await primary.says(/ everyone says to everyone: name$/)
  await primary.stop()
  await everyone.ends()
  expect(primary.messages).toContain('Asked to stop: finishing what is in work, within 10 s')
  expect(primary.messages.join('\n')).not.toMatch(/cut off/)
  expect(everyone.messages).toEqual([expect.stringMatching(/^secondary-1, after [\d.]+ ms: I am /)])
  expect([primary.exitCode, everyone.exitCode]).toEqual([0, 0])
})

test('a node does a task that is in its list, for who may ask; both are in the logs', async ({ chapter }) => {
  expect(chapter.chapter.commands).toContain('task')
  const primary = await chapter.run('primary')
  const secondary = await chapter.run('secondary')
  await secondary.says(/ Connected to /)
  await vi.waitFor(async () => {
    const done = await run(chapter, 'task', 'secondary-1', 'node-time')
    expect(done.messages.at(-1)).toMatch(/^\d{10}\.\d{3}$/)
  }, PATIENCE)
  await secondary.says(/ primary, at \S+, asks for the task node-time, and may: it begins$/)
  await primary.says(/ The task node-time of secondary-1, for everyone, is done$/)

  const refused = await run(chapter, 'task', 'secondary-1', 'reboot')
  expect(refused.exitCode).toBe(1)
  expect(refused.messages.at(-1)).toMatch(/^The task reboot was not done: /)
  await secondary.says(/ asks for the task reboot, and is refused: /)
})

test('its units have what it was granted by name, and no more', async ({ chapter }) => {
  const units = async (program: string) => (await run(chapter, 'service', program)).lines.join('\n')
  const primary = await units('primary')
  for (const line of [
    'ProtectSystem=strict',
    'DynamicUser=yes',
    'MemoryMax=256M',
    'FileDescriptorName=nodes',
  ])
    expect(primary).toMatch(new RegExp(`^${line}$`, 'm'))
  expect(primary).toMatch(/^ExecReload=.*status\.[jt]s"? primary --reload$/m)
  expect(primary).not.toMatch(/LoadCredential|reboot/)

  await configure(chapter, /"tasks": \[/, '"tasks": ["reboot", ')
  const secondary = await units('secondary')
  expect(secondary).toMatch(/^LoadCredential=key:\/etc\/rpicluster\/secondary\.key$/m)
  expect(secondary).toMatch(/^DeviceAllow=\/dev\/vcio rw$/m)
  expect(secondary).toMatch(/^ListenStream=\/run\/rpicluster-tasks\/reboot$/m)
  expect(secondary).not.toMatch(/shutdown/)
})
