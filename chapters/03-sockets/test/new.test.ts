import { isListening, sayTo, talkTo, test } from '@rpi-cluster/tutorial/harness'

test('the slave says hello once, and then every five seconds that it is alive', async ({
  chapter,
  expect,
}) => {
  expect(chapter.chapter.programs.map(({ name }) => name)).toEqual(['master', 'slave'])
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await slave.says(/Connected to/)
  expect(slave.messages).toContain('Connecting to the master...')
  await master.receives(/^Hello World, I am client (\d+)(I am still alive, client: \1){6}$/)
  expect(slave.mostTurns(5_000)).toBeGreaterThanOrEqual(6)
  const number = Number(/\d+/.exec(master.received)?.[0])
  expect(slave.messages).toContain(`Connected to 127.0.0.1:${chapter.port} as client ${number}`)
  expect(number).toSatisfy((client) => client >= 1 && client <= 100_000)
})

test('two sends may arrive as one', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  expect(await isListening(chapter.port)).toBe(true)

  // A master that is busy elsewhere finds both when it looks again.
  master.signal('SIGSTOP')
  const slave = await sayTo(chapter.port, 'the first', 'the second')
  master.signal('SIGCONT')
  await slave.leaves()
  await master.stop()
  expect(master.messages).toContain(`From ${slave.address}: the firstthe second`)
})

test('the master serves every slave at the same time, and goes on when one leaves', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  expect(await isListening(chapter.port)).toBe(true)
  const early = await sayTo(chapter.port, 'one')
  const [two, three] = await Promise.all(['two', 'three'].map((text) => talkTo(chapter.port, text)))
  await early.leaves()
  await master.stop()
  for (const line of [`From ${early.address}: one`, `From ${two}: two`, `From ${three}: three`])
    expect(master.messages).toContain(line)
})
