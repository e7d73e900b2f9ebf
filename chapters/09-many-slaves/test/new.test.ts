import { sayTo, test } from '@rpi-cluster/tutorial/harness'

const says = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`

test('the master calls each slave by its name, and keeps a row for each, also for two of one hostname', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const ours = await sayTo(
    chapter.port,
    says('computer_details', { hostname: 'pi', client: 7, cpu_cores: 4, ram: 2 ** 30 }),
    says('message', 'hello'),
    says('lights', 'on'),
    says('info', 'computer_details'),
  )
  await master.says(/: hello$/)
  expect(master.messages).toContain('Received message from pi #7: hello')
  // Python nodes tell no number.
  await sayTo(chapter.port, says('machine_details', { hostname: 'pi' }), says('message', 'hello'))
  const third = await sayTo(
    chapter.port,
    says('computer_details', { hostname: 'pi' }),
    says('message', 'hello'),
  )
  const silent = await sayTo(chapter.port, says('message', 'hello'))
  await master.says(/: hello$/, 4)
  await master.says(/Here now: 4$/)
  await master.says(/- \(no name yet\)/)
  await ours.hears(/master_info/)
  const { messages } = master
  expect(messages).toEqual(
    expect.arrayContaining([
      `pi #7 has joined, from ${ours.address}`,
      'Unknown message from pi #7: lights, with on',
      'pi #7 wants to know my computer_details',
      'Received message from pi: hello',
      'Received message from pi (2): hello',
      `Received message from ${silent.address}: hello`,
    ]),
  )
  const rows = messages.slice(messages.lastIndexOf('Here now: 4') + 1).filter((line) => line.startsWith('- '))
  expect(rows).toEqual([
    expect.stringMatching(
      `^- pi #7 +since \\d{4}-\\d\\d-\\d\\d [\\d:]{8} {2}from ${ours.address} +4 cores {2}1.0 GiB$`,
    ),
    expect.stringMatching(/^- pi {3,}since /),
    expect.stringMatching(/^- pi \(2\) +since /),
    expect.stringMatching(`^- \\(no name yet\\) +since .* from ${silent.address}$`),
  ])
  await third.leaves()
  await master.says(/pi \(2\) has left, after \d+ s$/)
  await master.says(/Here now: 3$/)
  await master.stop()
  expect(master.messages.filter((line) => line.startsWith('pi #7 has left'))).toHaveLength(1)
})

test('what goes wrong with a slave is told with its name, and hurts no other', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const good = await chapter.run('slave')
  await good.says(/We have information/)
  await sayTo(chapter.port, says('computer_details', { hostname: 'bad', client: 2 }), 'no JSON\r')
  await master.says(/WARN/)
  expect(master.messages.join('\n')).toMatch(/^A frame from bad #2 at 127\.0\.0\.1:\d+ is not JSON/m)
  await master.says(/bad #2 has left/)
  const before = master.messages.length
  await expect
    .poll(() => master.messages.slice(before).join('\n'), { timeout: 45_000 })
    .toMatch(/still alive/)
  await good.stop()
  expect(good.exitCode).toBe(0)
})

test('the slave tells the number that it goes by, once, and warns of what it does not know', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.standIn()
  const slave = await chapter.run('slave')
  await master.receives(/([^\r]*\r){4}/)
  master.says(`{"type":"master_info","payload":{},"id":1}\r${says('lights', 'on')}`)
  await slave.says(/WARN .*Unknown message: lights, with on$/)
  await slave.stop()
  const [number] = /(?<=as client )\d+/.exec(slave.messages.join()) ?? []
  const [details, ...others] = master.received
    .split('\r')
    .filter(Boolean)
    .map((frame) => JSON.parse(frame))
  expect(details).toMatchObject({ type: 'computer_details', payload: { client: Number(number) } })
  expect(others.map(({ type }) => type)).not.toContain('computer_details')
})
