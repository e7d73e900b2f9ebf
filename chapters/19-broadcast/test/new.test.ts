import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChapterCopy, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

/** Says something to everyone, and returns what is printed. */
async function everyone(chapter: ChapterCopy, ...args: string[]): Promise<string[]> {
  expect(existsSync(join(chapter.folder, 'src/everyone.ts'))).toBe(true)
  const program = await chapter.run('everyone', { args })
  await program.ends()
  return program.messages
}

/** Waits until the primary has looked once more who is here: it does so at intervals, and has seen one that is new now. */
async function looked(chapter: ChapterCopy): Promise<void> {
  const newcomer = await sayTo(chapter.port)
  await vi.waitFor(async () => {
    const asker = await sayTo(chapter.port, frame('info', 'secondary_details', { id: 1 }))
    await asker.hears(/\r/)
    await asker.leaves()
    expect(asker.heard).toContain(`"${newcomer.address}"`)
  }, PATIENCE)
  await newcomer.leaves()
}

test('a command reaches all at once; printed is who has answered, after how long, and who is offline', async ({
  chapter,
}) => {
  expect(existsSync(join(chapter.folder, 'src/everyone.ts'))).toBe(true)
  const primary = await chapter.run('primary')
  const [first, second, leaving] = [
    await chapter.run('secondary', { copy: 1 }),
    await chapter.run('secondary', { copy: 2 }),
    await chapter.run('secondary', { copy: 3 }),
  ]
  for (const each of [first, second, leaving]) await each.says(/We have information about the primary/)
  await looked(chapter) // whom it has seen, it misses
  const numberOf = ({ messages }: typeof leaving) =>
    messages.flatMap((line) => / as client (\d+)$/.exec(line)?.[1] ?? [])[0]
  const gone = numberOf(leaving)
  await leaving.stop()
  await vi.waitFor(async () => {
    const lines = await everyone(chapter, 'name')
    const answers = lines.flatMap((line) => /#(\d+), after [\d.]+ ms: I am \S+ #\1$/.exec(line)?.[1] ?? [])
    expect(answers.sort()).toEqual([numberOf(first), numberOf(second)].sort())
    expect(lines.at(-1)).toMatch(new RegExp(` #${gone} is offline$`))
  }, PATIENCE)
  await first.says(/The primary says "name": I am /)
  await primary.says(/^.* says to everyone: name$/)
})

test('a node that is frozen is named, and the others answer', async ({ chapter }) => {
  expect(existsSync(join(chapter.folder, 'src/everyone.ts'))).toBe(true)
  await chapter.run('primary')
  const frozen = await chapter.run('secondary', { copy: 1 })
  const other = await chapter.run('secondary', { copy: 2 })
  for (const each of [frozen, other]) await each.says(/We have information about the primary/)
  frozen.signal('SIGSTOP')
  const lines = await everyone(chapter, 'name')
  frozen.signal('SIGCONT')
  expect(lines).toEqual([
    expect.stringMatching(/ after [\d.]+ ms: I am /),
    expect.stringMatching(/ is connected, and has not answered$/),
  ])
})

test('who has not subscribed, or has unsubscribed, gets nothing; who returns can ask for the last command', async ({
  chapter,
}) => {
  await chapter.run('primary')
  const other = await sayTo(chapter.port, frame('info', 'uuid', { id: 1 }))
  const former = await sayTo(
    chapter.port,
    frame('subscribe', 'command') + frame('unsubscribe', 'command') + frame('info', 'uuid', { id: 1 }),
  )
  const subscriber = await sayTo(
    chapter.port,
    frame('subscribe', 'command') + frame('info', 'uuid', { id: 1 }),
  )
  for (const each of [other, former, subscriber]) await each.hears(/"id":1\}\r/)
  const asker = await sayTo(chapter.port, frame('info', 'everyone', { about: 'name', id: 7 }))
  await asker.hears(/"id":7\}\r/)
  expect(asker.heard).toMatch(
    /^\{"type":"report","payload":\{"answered":\[\],"silent":\["[^"]+"\],"offline":\[\]\},"id":7\}\r$/,
  )
  const command = frame('command', { id: 1, command: 'name' })
  expect(subscriber.heard.endsWith(command)).toBe(true)
  for (const each of [other, former]) expect(each.heard).not.toContain('command')
  const returned = await sayTo(chapter.port, frame('subscribe', { topic: 'command', last: true }))
  await returned.hears(/\r/)
  expect(returned.heard).toBe(command)
})

test('a secondary does what it is told: it says its name, it blinks, and it says what it does not know or cannot do', async ({
  chapter,
}) => {
  const led = join(chapter.folder, 'led')
  mkdirSync(led)
  writeFileSync(join(led, 'trigger'), 'none [mmc0] heartbeat\n')
  const config = readFileSync(join(chapter.folder, 'rpicluster.cfg'), 'utf8')
  expect(config).toMatch(/^led =/m)
  await chapter.write('rpicluster.cfg', config.replace(/^led =.*/m, `led = ${led}`))
  const primary = await chapter.standIn()
  const secondary = await chapter.run('secondary')
  await primary.receives(/"type":"info","payload":"uuid","id":1\}\r/)
  primary.says(frame('uuid', '0123456789abcdef0123456789abcdef', { id: 1 }))
  await primary.receives(/"type":"info","payload":"node_baseinfo","id":2\}\r/)
  primary.says(frame('primary_info', {}, { id: 2 }))
  await primary.receives(
    /"type":"node_baseinfo","payload":\{"hostname":[^\r]*"client":\d+,"uuid":"0123456789abcdef0123456789abcdef"/,
  )
  await primary.receives(/"type":"subscribe","payload":"command"\}\r/)
  for (const [index, command] of ['blink', 'constructor', 'name'].entries())
    primary.says(frame('command', { id: index + 1, command }))
  await primary.receives(/"type":"reply","payload":\{"id":3,.*\r/)
  const replies = primary.received.split('\r').filter((text) => text.includes('"reply"'))
  const [, number] = /as client (\d+)/.exec(secondary.messages.join('\n')) ?? []
  expect(replies.map((text) => JSON.parse(text).payload)).toEqual([
    { id: 1, says: 'I have blinked' },
    { id: 2, says: 'I know no "constructor", only: name, blink' },
    { id: 3, says: expect.stringMatching(new RegExp(`^I am \\S+ #${number}$`)) },
  ])
  expect(readFileSync(join(led, 'brightness'), 'utf8')).toBe('0')
  expect(readFileSync(join(led, 'trigger'), 'utf8')).toBe('mmc0')
  rmSync(led, { recursive: true })
  primary.says(frame('command', { id: 4, command: 'blink' }))
  await primary.receives(/"id":4,"says":"I cannot blink: ENOENT[^"]+"\}\}\r/)
  await secondary.says(/The primary says "blink": I cannot blink: ENOENT/)
})

test('everyone needs a command, and a primary', async ({ chapter }) => {
  expect(await everyone(chapter)).toEqual(['Say what everyone is to do: name, or blink.'])
  expect(await everyone(chapter, 'name')).toEqual([expect.stringMatching(/^Nobody listens on .*primary/)])
})
