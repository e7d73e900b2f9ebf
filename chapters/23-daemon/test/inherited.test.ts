import { test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 50 }

test('nodes with keys are on the page, and obey', async ({ chapter }) => {
  await chapter.run('primary')
  const webserver = await chapter.run('webserver')
  const secondary = await chapter.run('secondary')
  await webserver.says(/ Connected to /)
  await secondary.says(/ Connected to /)
  const [port] = chapter.portsOf('webserver')
  await vi.waitFor(async () => {
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toContain('secondary-1')
  }, PATIENCE)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  expect(everyone.messages).toEqual([expect.stringMatching(/^secondary-1, after [\d.]+ ms: I am /)])
})
