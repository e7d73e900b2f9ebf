import { test } from '@rpi-cluster/tutorial/harness'

const TURN = [
  'Node slave still alive',
  'Looking for work to run',
  'Found no jobs to perform, going to sleep again',
]

test('the node says that it is alive and looks for work, again and again', async ({ chapter, expect }) => {
  const program = await chapter.run()
  await program.says(/going to sleep again/, 2)
  await program.stop()
  const messages = program.messages.map((message) => message.replace('thread 0: ', ''))
  expect(messages.slice(0, 7)).toEqual(['Starting script...', ...TURN, ...TURN])
})

test('the console shows time, level, thread and message, from level info on', async ({ chapter, expect }) => {
  const program = await chapter.run()
  await program.says(/going to sleep again/)
  await program.stop()
  for (const line of program.lines) expect(line).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: thread 0: \w/)
})

test('the log file has the same, and level debug too', async ({ chapter, expect }) => {
  const program = await chapter.run()
  await program.says(/going to sleep again/)
  await program.stop()
  const lines = await chapter.log('mainlogger.log')
  for (const line of lines) expect(line).toMatchObject({ time: expect.any(Number), thread: 0 })
  expect(lines.slice(0, 5).map(({ level, msg }) => [level, msg])).toEqual([
    [30, 'Starting script...'],
    [30, TURN[0]],
    [30, TURN[1]],
    [20, 'The work finder returned undefined'],
    [30, TURN[2]],
  ])
})
