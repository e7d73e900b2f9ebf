import { talkTo, test } from '@rpi-cluster/tutorial/harness'

test('the slave sends ASCII-only JSON, a carriage return after each message, and nothing else', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(220)
  const beats = slave.mostTurns(5_000)
  await slave.stop()
  const [hello, alive, ...others] = master.received.split(/(?<=\r)/)
  const [number] = /\d+/.exec(hello ?? '') ?? []
  expect(hello).toBe(`{"msg":"Hello World, I am client ${number}"}\r`)
  expect(alive).toBe(`{"msg":"I am still alive, client: ${number}"}\r`)
  expect(new Set(others)).toEqual(new Set([alive]))
  expect(others.length).toBeLessThan(beats)
})

test('the master finds the messages wherever the network cuts them', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const [start, end] = cutInside('{"msg":"second, with é in it"}\r', 'é')
  const slave = await talkTo(chapter.port, Buffer.concat([Buffer.from('{"msg":"first"}\r'), start]), end)
  await master.stop()
  expect(master.messages.slice(1)).toEqual([
    `Got client at ${slave}`,
    `Received message from ${slave}: first`,
    `Received message from ${slave}: second, with é in it`,
    `Client disconnected at ${slave}`,
    'Stopped',
  ])
})

test('a peer that breaks the protocol is named and cut off, and the others are served', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const bad = await talkTo(chapter.port, '{"msg":"before"}\rnot JSON\r{"msg":"after"}\r')
  const other = await talkTo(chapter.port, '{"msg":"another"}\r')
  await master.stop()
  expect(master.messages).toContain(`Received message from ${bad}: before`)
  expect(master.messages).toContainEqual(expect.stringMatching(`${bad} is not JSON`))
  expect(master.messages.join()).not.toContain(': after')
  expect(master.messages).toContain(`Received message from ${other}: another`)
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
