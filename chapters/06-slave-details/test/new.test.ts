import { availableParallelism, hostname, totalmem } from 'node:os'
import { talkTo, test } from '@rpi-cluster/tutorial/harness'

test('the slave sends the details of its machine first, and then that it is alive', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){6}/)
  const beats = slave.mostTurns(5_000)
  await slave.stop()
  const [first, ...others] = master.received
    .split('\r')
    .filter(Boolean)
    .map((frame) => JSON.parse(frame))
  expect(first).toEqual({
    type: 'machine_details',
    payload: {
      hostname: hostname(),
      cpu_percent_used: expect.toSatisfy((percent) => percent >= 0 && percent <= 100),
      ram: totalmem(),
      cpu: expect.stringMatching(/\w/),
      cpu_cores: availableParallelism(),
    },
  })
  const [number] = /(?<=as client )\d+/.exec(slave.messages.join()) ?? []
  for (const other of others) {
    expect(other).toEqual({ type: 'message', payload: `I am still alive, client: ${number}` })
  }
  expect(others.length).toBeLessThanOrEqual(beats)
})

test('the master acts on the type of each message', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const slave = await talkTo(
    chapter.port,
    '{"type":"machine_details","payload":{"hostname":"pi","ram":1024}}\r{"type":"message","payload":"hello"}\r',
  )
  await master.stop()
  expect(master.messages).toContain(`Machine specifications of ${slave}: {"hostname":"pi","ram":1024}`)
  expect(master.messages).toContain(`Received message from ${slave}: hello`)
  expect(master.messages).toContain(`Client disconnected at ${slave}`)
})

test('the master reports a type that it does not know, and goes on', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const unknown = ['reboot', 'constructor', '__proto__'].map(
    (type) => `{"type":"${type}","payload":["now"]}\r`,
  )
  const slave = await talkTo(chapter.port, `${unknown.join('')}{"type":"message","payload":"still here"}\r`)
  await master.stop()
  for (const type of ['reboot', 'constructor', '__proto__']) {
    expect(master.messages).toContain(`Unknown type of message from ${slave}: ${type}, with ["now"]`)
  }
  expect(master.messages).toContain(`Received message from ${slave}: still here`)
})

test('a message without a type and a payload breaks the protocol', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  const wrong = ['{"msg":"of chapter 05"}', 'null', '[]', '7', '{"type":1,"payload":1}', '{"type":"message"}']
  for (const frame of wrong) await talkTo(chapter.port, `${frame}\r`)
  await master.stop()
  const refused = master.messages.filter((message) => /127\.0\.0\.1:\d+.* of the wrong shape/.test(message))
  expect(refused).toHaveLength(wrong.length)
})
