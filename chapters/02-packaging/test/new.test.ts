import { readdir } from 'node:fs/promises'
import { test } from '@rpi-cluster/tutorial/harness'

test('the script chooses the name of its log file, and each line says who wrote it', async ({
  chapter,
  expect,
}) => {
  const program = await chapter.run()
  await program.says(/going to sleep/)
  await program.stop()
  expect(await readdir(chapter.folder)).toContain('master.log')
  const lines = await chapter.log('master.log')
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'debug', msg: 'The work finder returned undefined' }),
  )
  expect(program.lines.join()).not.toContain('The work finder')
  for (const line of lines) {
    expect(line).toMatchObject({
      name: 'master',
      pid: program.pid,
      time: expect.any(String),
      level: expect.any(String),
    })
  }
})

test('the console shows the time, the level, who speaks, and the message', async ({ chapter, expect }) => {
  const program = await chapter.run()
  await program.says(/going to sleep/)
  await program.stop()
  expect(program.lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\] INFO \(master\): Starting script\.\.\.$/)
})
