import { availableParallelism, hostname, totalmem } from 'node:os'
import { sayTo, talkTo, test } from '@rpi-cluster/tutorial/harness'

interface Message {
  type: string
  payload: unknown
  id?: unknown
}

const messagesIn = (text: string): Message[] =>
  text
    .split('\r')
    .filter(Boolean)
    .map((frame) => JSON.parse(frame))

test('the slave describes its machine, asks about the master, and beats on while it has no answer', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){4}/)
  const [details, question] = messagesIn(master.received)
  expect(details).toMatchObject({
    type: 'computer_details',
    payload: { hostname: hostname(), ram: totalmem(), cpu_cores: availableParallelism() },
  })
  expect(question).toEqual({ type: 'info', payload: 'computer_details', id: expect.anything() })
  master.says(frame({ type: 'master_info', payload: { hostname: 'pi', ram: 1024 }, id: question?.id }))
  await slave.says(/We have information about the master: \{"hostname":"pi","ram":1024\}$/)
  master.says('{"type":"lights","payload":["on"]}\r')
  await slave.says(/WARN .*Unknown message: lights, with \["on"\]$/)
  await master.receives(/([^\r]*\r){6}/)
  const beats = slave.mostTurns(5_000)
  await slave.stop()
  expect(slave.exitCode).toBe(0)
  const others = messagesIn(master.received).slice(2)
  const [number] = /(?<=as client )\d+/.exec(slave.messages.join()) ?? []
  for (const other of others)
    expect(other).toEqual({ type: 'message', payload: `I am still alive, client: ${number}` })
  expect(others.length).toBeLessThanOrEqual(1 + beats) // the first comes at once
})

test('a refusal is no information about the master, and the slave goes on', async ({ chapter, expect }) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){2}/)
  const [, question] = messagesIn(master.received)
  expect(question).toMatchObject({ type: 'info' })
  master.says(frame({ type: 'bad_message', payload: 'unknown', id: question?.id }))
  await slave.says(/WARN .*The question "computer_details" is refused by the master at \S+: unknown\.$/)
  const before = master.received.length
  await master.receives(new RegExp(`^[^]{${before}}[^]*still alive`))
  await slave.stop()
  expect(slave.messages.join('\n')).not.toContain('We have information')
})

test('a master that never answers, and repeats no id, is left', async ({ chapter, expect }) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){2}/)
  expect(master.received).toContain('"info"')
  await slave.ends()
  expect(slave.exitCode).toBe(1)
  expect(slave.messages.at(-1)).toMatch(/^No answer from the master at \S+ to "computer_details" in 10 s\.$/)
  expect(slave.lines.filter((line) => line.includes('WARN'))).toEqual([]) // it is no refusal
})

test('the master tells who asks about its machine, and each asker the id that it gave', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const slave = await sayTo(
    chapter.port,
    frame({ type: 'computer_details', payload: { hostname: 'pi' } }),
    frame({ type: 'info', payload: 'computer_details', id: 'a' }),
    frame({ type: 'info', payload: 'computer_details' }),
    frame({ type: 'info', payload: 'pizza', id: 7 }),
    frame({ type: 'message', payload: 'before any answer' }),
  )
  await master.says(/before any answer/)
  expect(master.messages).toContain(`Computer specifications of ${slave.address}: {"hostname":"pi"}`)
  await slave.hears(/([^\r]*\r){3}/)
  const about = { hostname: hostname(), ram: totalmem(), cpu_cores: availableParallelism() }
  const answer = { type: 'master_info', payload: expect.objectContaining(about) }
  const heard = messagesIn(slave.heard)
  expect(heard).toHaveLength(3)
  expect(heard).toEqual(
    expect.arrayContaining([
      { ...answer, id: 'a' },
      answer,
      { type: 'bad_message', payload: 'unknown', id: 7 },
    ]),
  )
  await slave.leaves()
  await master.says(/Client disconnected/)
  await master.stop()
  expect(master.messages).toEqual(
    expect.arrayContaining([
      `The slave at ${slave.address} wants to know my computer_details`,
      `Unknown message from ${slave.address}: info, with pizza`,
      `Received message from ${slave.address}: before any answer`,
    ]),
  )
})

test('the master takes the details of the slaves of chapter 06 as well', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const slave = await talkTo(chapter.port, frame({ type: 'machine_details', payload: { hostname: 'pi' } }))
  await master.stop()
  expect(master.messages).toContain(`Computer specifications of ${slave}: {"hostname":"pi"}`)
})

const frame = (message: Message) => `${JSON.stringify(message)}\r`
