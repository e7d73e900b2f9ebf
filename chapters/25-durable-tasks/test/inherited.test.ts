import { test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

test('a task that fails is tried by others, told with its reason, and tried again when asked', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  await chapter.run('secondary')
  await primary.says(/ secondary-\d does tasks: /)
  const submit = await chapter.run('submit', { args: ['trouble', 'throw', '--id', 'trouble-1'] })
  await submit.ends()
  expect([submit.exitCode, submit.messages.join('\n')]).toEqual([
    1,
    expect.stringMatching(/trouble has failed: Error: This task throws/),
  ])
  // What has failed is there, too, after a start: to be tried again.
  primary.signal('SIGKILL')
  await primary.ends()
  const next = await chapter.run('primary')
  await next.says(/ secondary-\d does tasks: /)
  const retry = await chapter.run('queue', { args: ['retry', 'trouble-1'] })
  await retry.ends()
  expect(retry.messages).toContain('Waiting again: 1')
  await next.says(/ trouble trouble-1 has failed /)
})
