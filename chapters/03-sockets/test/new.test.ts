import { isListening, talkTo, test } from '@rpi-cluster/tutorial/harness'

test('the slave says hello and then that it is alive, and the master prints it', async ({
  chapter,
  expect,
}) => {
  const cluster = await chapter.start({ args: ['--for', '20s'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(0)
  const printed = cluster.messages.join('\n')
  expect(printed).toMatch(/^Got client at 127\.0\.0\.1:\d+$/m)
  const number = /^Hello World, I am client (\d+)$/m.exec(printed)?.[1]
  expect(number).toSatisfy((text) => Number(text) >= 1 && Number(text) <= 100_000)
  expect(printed).toMatch(new RegExp(`^I am still alive, client: ${number}$`, 'm'))
})

test('two sends may arrive as one', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  expect(await isListening(chapter.port)).toBe(true)

  // A master that is busy elsewhere finds both when it looks again.
  master.signal('SIGSTOP')
  const sent = talkTo(chapter.port, 'the first', 'the second')
  await new Promise((resolve) => setTimeout(resolve, 0))
  master.signal('SIGCONT')
  await sent
  await master.stop()
  expect(master.messages).toContain('the firstthe second')
})

test('the master serves every slave at the same time, and goes on when one leaves', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  expect(await isListening(chapter.port)).toBe(true)
  await Promise.all(['one', 'two', 'three'].map((text) => talkTo(chapter.port, text)))
  await talkTo(chapter.port, 'four')
  await master.stop()
  expect(master.messages).toEqual(expect.arrayContaining(['one', 'two', 'three', 'four']))
})
