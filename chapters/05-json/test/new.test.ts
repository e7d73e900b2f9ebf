import { talkTo, test } from '@rpi-cluster/tutorial/harness'

test('the slave sends ASCII-only JSON, a carriage return after each message, and nothing else', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standInMaster()
  const slave = await chapter.run('slave')
  await master.receives(60)
  await slave.stop()
  expect(master.received).toMatch(
    /^\{"msg":"Hello World, I am client (\d+)"\}\r(\{"msg":"I am still alive, client: \1"\}\r)*$/,
  )
})

test('the master finds the messages wherever the network cuts them', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const [start, end] = cutInside('{"msg":"second, with é in it"}\r', 'é')
  await talkTo(chapter.port, Buffer.concat([Buffer.from('{"msg":"first"}\r'), start]), end)
  await master.stop()
  expect(master.messages.slice(1)).toEqual([
    expect.stringMatching(/^Got client at /),
    'Received message: first',
    'Received message: second, with é in it',
    'Client disconnected',
    'Stopped',
  ])
})

test('a peer that breaks the protocol is named and cut off, and the others are served', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  await talkTo(chapter.port, '{"msg":"before"}\rnot JSON\r{"msg":"after"}\r')
  await talkTo(chapter.port, '{"msg":"another"}\r')
  await master.stop()
  expect(master.messages).toContain('Received message: before')
  expect(master.messages).toContainEqual(expect.stringMatching(/127\.0\.0\.1:\d+.* not JSON/))
  expect(master.messages).not.toContain('Received message: after')
  expect(master.messages).toContain('Received message: another')
})

test('an empty message, and one that never ends, are errors', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  await talkTo(chapter.port, '\r')
  await talkTo(chapter.port, '{"msg":"no end"}')
  await master.stop()
  expect(master.messages).toContainEqual(expect.stringMatching(/127\.0\.0\.1:\d+.* is empty/))
  expect(master.messages).toContainEqual(expect.stringMatching(/127\.0\.0\.1:\d+.* is unfinished/))
})

/** Two halves of a text, cut in the middle of a character's bytes. */
function cutInside(text: string, character: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text)
  const middle = bytes.indexOf(character) + 1
  return [bytes.subarray(0, middle), bytes.subarray(middle)]
}
