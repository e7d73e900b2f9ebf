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
  for (const line of await chapter.log('master.log')) {
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
