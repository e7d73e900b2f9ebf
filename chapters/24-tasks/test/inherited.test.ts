import { test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

test('who has no key does no task, and a node that was frozen comes back to work', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  const stranger = await chapter
    .run('secondary', { env: { RPI_CLUSTER_SECONDARY_KEY: 'keys/nobody.key' } })
    .catch((error: Error) => error)
  const secondary = await chapter.run('secondary')
  await primary.says(/ secondary-1 does tasks: /)
  secondary.signal('SIGSTOP')
  await primary.says(/Nothing came from secondary-1/)
  secondary.signal('SIGCONT')
  await primary.says(/ secondary-1 does tasks: /, 2)
  expect(primary.messages.join('\n')).not.toMatch(/nobody/)
  if (!(stranger instanceof Error)) await stranger.stop()
})
