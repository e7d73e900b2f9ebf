import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

/** What the page of a web server has. */
async function page(chapter: ChapterCopy, path: string): Promise<string> {
  const [port] = chapter.portsOf('webserver')
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  expect(response.status).toBe(200)
  return response.text()
}

test('all that came before works over it: the page, vitals, commands, reconnection, and who is frozen', async ({
  chapter,
}) => {
  const primary = await chapter.run('primary')
  await primary.says(/ Listening on /)
  const webserver = await chapter.run('webserver')
  const link = await chapter.link()
  const secondary = await chapter.run('secondary', {
    through: link,
    env: { RPI_CLUSTER_SECONDARY_VITALS_SECONDS: '5' },
  })
  await secondary.says(/We have information about the primary/)
  await webserver.says(/Connected to/)
  await vi.waitFor(async () => {
    const nodes = await page(chapter, '/')
    for (const name of ['secondary-1', 'webserver']) expect(nodes).toContain(name)
    const charts = await page(chapter, '/vitals?tables=yes')
    for (const text of ['secondary-1', 'Disk in use, %</h2>']) expect(charts).toContain(text)
  }, PATIENCE)

  link.cut('reset')
  await secondary.says(/Lost the connection to the primary/)
  link.heal()
  await secondary.says(/Connected to /, 2)
  await primary.says(/ secondary-1 has (joined|come back)/, 2)
  await secondary.says(/We have information about the primary/, 2)
  const everyone = await chapter.run('everyone', { args: ['name'] })
  await everyone.ends()
  expect(everyone.messages).toContainEqual(expect.stringMatching(/^secondary-1, after [\d.]+ ms: I am /))

  secondary.signal('SIGSTOP')
  await primary.says(/Nothing came from secondary-1 at \S+ for 15 s/)
  secondary.signal('SIGCONT')
  await secondary.says(/Connected to /, 3)
})
