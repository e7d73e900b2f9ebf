/** The page that chapter 14's webserver serves, in a real browser: what it says of its master, to whoever looks at it. */
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { test as baseTest, expect, inject } from 'vitest'
import { violations } from './support/axe.ts'
import { launch } from './support/chromium.ts'

/** Longer than any change takes under the fast clock of the programs, on a busy machine. */
const PATIENCE = { timeout: 30_000 }

interface Cluster {
  chapter: ChapterCopy
  /** Opens the page in a window of its own. */
  open(options?: BrowserContextOptions): Promise<Page>
  /** What a page may never do: messages on the console, requests that fail. */
  problems: string[]
}

const test = baseTest.extend<{ cluster: Cluster }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture asks for from its pattern
  cluster: async ({}, use) => {
    const chapter = await ChapterCopy.make('14-webserver')
    const browser: Browser = await launch(inject('chromium'))
    const problems: string[] = []
    const webserver = await chapter.run('webserver')
    await webserver.says(/Serving the page/)
    const address = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/`
    await use({
      chapter,
      problems,
      async open(options = {}) {
        const page = await browser.newPage(options)
        page.on('console', (message) => problems.push(message.text()))
        page.on('pageerror', (error) => problems.push(String(error)))
        page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`))
        page.on('response', (response) => {
          if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
        })
        await page.goto(address)
        return page
      },
    })
    await browser.close()
    await chapter.remove()
  },
})

/** Looks again until the page says something. */
async function says(page: Page, text: RegExp): Promise<void> {
  await expect
    .poll(async () => {
      await page.getByRole('link', { name: 'Look again' }).click()
      return (await page.locator('.state').textContent()) ?? ''
    }, PATIENCE)
    .toMatch(text)
}

test('it says whether the master is there, through a kill and a return, by a click each time', async ({
  cluster: { chapter, open, problems },
}) => {
  const page = await open()
  await says(page, /^The master has not been reached yet/)
  const master = await chapter.run('master')
  await says(page, /^The master is here\. This is what it answered (just now|\d+ seconds ago)\.$/)
  expect(await page.getByRole('rowheader', { name: 'Memory' }).count()).toBe(1)
  await master.stop('SIGKILL')
  await says(page, /^The master is gone\. This is what it answered/)
  expect(await page.getByRole('rowheader', { name: 'Memory' }).count()).toBe(1)
  await chapter.run('master')
  await says(page, /^The master is here/)
  expect(problems).toEqual([])
})

test('axe finds nothing, light and dark, with and without a master, nor on the page for what is not there', async ({
  cluster: { chapter, open, problems },
}) => {
  for (const state of [/not been reached/, /is here/]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open({ colorScheme })
      await says(page, state)
      expect(await violations(page), `${state} ${colorScheme}`).toEqual([])
    }
    if (state.source === 'not been reached') await chapter.run('master')
  }
  expect(problems).toEqual([])
  const page = await open()
  await page.goto(new URL('/nothing', page.url()).href)
  expect(await page.title()).toBe('There is no such page')
  expect(await violations(page)).toEqual([])
})

test('a telephone shows all of it, without a script, and nothing beside the screen', async ({
  cluster: { chapter, open },
}) => {
  const standIn = await chapter.standIn()
  await standIn.receives(/"type":"info"[^\r]*\r/)
  const [, id] = /"type":"info"[^\r]*"id":([^,}]+)/.exec(standIn.received) ?? []
  const payload = { hostname: 'x'.repeat(200), cpu: 'a processor with a name of many words '.repeat(5) }
  standIn.says(`${JSON.stringify({ type: 'master_info', payload, id: JSON.parse(id ?? '0') })}\r`)
  const page = await open({ viewport: { width: 390, height: 844 } })
  await says(page, /is here/)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)

  const without = await open({ viewport: { width: 390, height: 844 }, javaScriptEnabled: false })
  await without.getByText('The master is here').waitFor()
  await without.getByRole('cell', { name: 'x'.repeat(200) }).waitFor()
})
