import { sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

test('the primary still serves what came before: old names, texts, and questions', async ({ chapter }) => {
  const primary = await chapter.run('primary')
  const uuid = '0123456789abcdef0123456789abcdef'
  const former = await sayTo(
    chapter.port,
    frame('machine_details', { hostname: 'old', client: 7, uuid }) + frame('message', 'I am still alive'),
  )
  await primary.says(/ old #7 has joined, from /)
  await primary.says(/ Received message from old #7: I am still alive$/)
  await vi.waitFor(async () => {
    const other = await sayTo(
      chapter.port,
      frame('info', 'secondary_details', { id: 1 }) + frame('info', 'node_baseinfo', { id: 2 }),
    )
    await other.hears(/"id":2\}\r/)
    expect(other.heard).toContain(`"payload":{"${uuid}":{"uuid":"${uuid}","address":"127.0.0.1:`)
  }, PATIENCE)
  await primary.says(/ 127\.0\.0\.1:\d+ wants to know my node_baseinfo$/)
  expect(former.heard).toBe('')
})
