import { type ChapterCopy, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

/** What the page of a web server has. */
async function page(chapter: ChapterCopy, path: string): Promise<string> {
  const [port] = chapter.portsOf('webserver')
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  expect(response.status).toBe(200)
  return response.text()
}

test('a primary that may take who has no key serves those of before, and who has a key beside them', async ({
  chapter,
}) => {
  const env = { RPI_CLUSTER_PRIMARY_UNSIGNED: '127.0.0.1' }
  const primary = await chapter.run('primary', { env })
  await primary.says(/ Listening on /)
  const webserver = await chapter.run('webserver')
  const secondary = await chapter.run('secondary', { env: { RPI_CLUSTER_SECONDARY_VITALS_SECONDS: '5' } })
  await secondary.says(/We have information about the primary/)
  await webserver.says(/Connected to/)
  const former = await sayTo(
    chapter.port,
    frame('machine_details', { hostname: 'old', client: 7 }) + frame('message', 'I am still alive'),
  )
  await primary.says(/ old #7 has joined, from /)
  await primary.says(/ Received message from old #7: I am still alive$/)
  await primary.says(/ Received vitals from secondary-1: \{"cpu_percentage":/)
  await vi.waitFor(async () => {
    const nodes = await page(chapter, '/')
    for (const name of ['old #7', 'secondary-1', 'webserver']) expect(nodes).toContain(name)
    const charts = await page(chapter, '/vitals?tables=yes')
    for (const text of ['secondary-1', 'Disk in use, %</h2>']) expect(charts).toContain(text)
  }, PATIENCE)
  const asker = await sayTo(chapter.port, frame('info', 'everyone', { about: 'name', id: 7 }))
  await asker.hears(/"answered":\[\{"name":"secondary-1",[^\r]*"id":7\}\r/)
  expect(former.heard).toBe('')
})
