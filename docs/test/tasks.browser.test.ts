/** The page of chapter 24 in a real browser: a picture that is drawn by real nodes, and what a reader does to it meanwhile. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'

/** Longer than a picture takes on a busy machine. */
const PATIENCE = { timeout: 60_000 }

const PHONE = { width: 390, height: 844 }

interface Cluster {
  /** The page, to who may only look. */
  address: string
  /** The link that the webserver has printed. */
  link: string
  /** A browser of its own. */
  browse(options?: BrowserContextOptions): Promise<BrowserContext>
  /** Opens the page as somebody who may change something. */
  open(options?: BrowserContextOptions): Promise<Page>
  /** What a page may never do: messages on the console, answers that say no. */
  problems: string[]
}

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: async ({ browser }, use) => {
    const chapter = await ChapterCopy.make('24-tasks')
    const problems: string[] = []
    const contexts: BrowserContext[] = []
    await chapter.run('primary')
    const webserver = await chapter.run('webserver')
    for (let count = 0; count < 2; count += 1) await (await chapter.run('secondary')).says(/ Connected to /)
    await webserver.says(/ Connected to /)
    const link = /http:\S+\?token=[\w-]{43}/.exec(webserver.lines.join('\n'))?.[0] ?? 'no link'
    const browse = async (options: BrowserContextOptions = {}) => {
      const context = await browser.newContext(options)
      contexts.push(context)
      context.on('console', (message) => problems.push(message.text()))
      context.on('weberror', (error) => problems.push(String(error.error())))
      context.on('response', (response) => {
        if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
      })
      return context
    }
    await use({
      ...{ link, problems, browse, address: new URL('/', link).href },
      async open(options) {
        const page = await (await browse(options)).newPage()
        await page.goto(link)
        return page
      },
    })
    for (const context of contexts) await context.close()
    await chapter.remove()
  },
})

const tiles = (page: Page) => page.locator('#canvas image')

/** Hands in a picture by the form of the page. */
async function drawOn(page: Page, view = 'whole', width = '400'): Promise<void> {
  await page.getByLabel('View').selectOption(view)
  await page.getByLabel('Width').selectOption(width)
  await page.getByRole('button', { name: 'Draw it' }).click()
}

test('a picture appears tile by tile, in the colours of the nodes, without a reload', async ({
  cluster: { open, problems },
}) => {
  const page = await open()
  expect(new URL(page.url()).search).toBe('') // the token does not stay in the address
  await expect.poll(() => page.getByText('Nodes that do tasks: 2.').count(), PATIENCE).toBe(1)
  await drawOn(page)
  await page.evaluate(() => Object.assign(window, { isTheSame: true }))
  await expect.poll(() => tiles(page).count(), PATIENCE).toBe(12)
  expect(await page.evaluate(() => 'isTheSame' in window)).toBe(true)
  // Each tile is the picture of it, and stands where it belongs.
  const places = await page
    .locator('#canvas > svg')
    .evaluateAll((all) => all.map((each) => each.id.replace(/^.*?-(?=\d+-\d+$)/, '')))
  expect(places.sort()).toEqual([
    '0-0',
    '0-100',
    '0-200',
    '100-0',
    '100-100',
    '100-200',
    '200-0',
    '200-100',
    '200-200',
    '300-0',
    '300-100',
    '300-200',
  ])
  const drawnBy = (await page.locator('#drawn-by li').allTextContents()).map((text) =>
    Number(/: (\d+) tile/.exec(text)?.[1]),
  )
  expect(drawnBy.reduce((sum, count) => sum + count)).toBe(12)
  await expect.poll(() => page.getByText('12 of 12').count(), PATIENCE).toBe(1)
  expect(await page.getByRole('img', { name: /^The picture picture-/ }).count()).toBe(1)
  const whole = await page.getByRole('link', { name: /as PNG$/ }).getAttribute('href')
  const png = await page.request.get(new URL(whole ?? '', page.url()).href)
  expect([png.status(), png.headers()['content-type']]).toEqual([200, 'image/png'])
  expect(problems).toEqual([])
})

test('who may only look sees the picture, and is told how to get further; a form of his is refused', async ({
  cluster: { open, browse, address, problems },
}) => {
  await drawOn(await open())
  const page = await (await browse()).newPage()
  await page.goto(address)
  await expect.poll(() => tiles(page).count(), PATIENCE).toBe(12)
  expect(await page.getByText('open the link that the web server has printed').count()).toBe(1)
  expect(await page.getByRole('button').count()).toBe(0)
  expect(problems).toEqual([])
  const status = await page.evaluate(async () => (await fetch('/api/groups/x', { method: 'DELETE' })).status)
  expect(status).toBe(401)
})

test('a page of another site changes nothing, though the browser sends the cookie along', async ({
  cluster: { open, address },
}) => {
  const page = await open()
  // To a browser another port of the same machine is the same site, and gets its cookies.
  const form = `<form method="post" action="${address}api/pictures"><button>Win a prize</button></form>`
  const stranger = createServer((_request, response) =>
    response.setHeader('Content-Type', 'text/html').end(form),
  )
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  onTestFinished(() => void stranger.close())
  const other = await page.context().newPage()
  await other.goto(`http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`)
  const [refused] = await Promise.all([other.waitForResponse(/api/), other.getByRole('button').click()])
  expect(await refused.request().headerValue('cookie')).toMatch(/may-change-/)
  expect([refused.status(), await refused.text()]).toEqual([
    403,
    expect.stringMatching(/^Nothing is changed for a page of another site/),
  ])
  await page.reload()
  expect(await page.getByText('Nobody has handed in a picture yet.').count()).toBe(1)
})

test('a group is cancelled by its button, which neither moves nor loses its focus while the work changes', async ({
  cluster: { open, problems },
}) => {
  const page = await open()
  await drawOn(page, 'elephants', '1600')
  const cancel = page.getByRole('button', { name: /^Cancel: picture-/ })
  await cancel.focus()
  await page.evaluate(() => Object.assign(window, { pressed: document.activeElement }))
  const done = async () => Number(await page.locator('#groups progress').first().getAttribute('value'))
  const before = await done()
  await expect.poll(done, PATIENCE).toBeGreaterThan(before + 2)
  expect(
    await page.evaluate(() => (window as unknown as { pressed: Element }).pressed === document.activeElement),
  ).toBe(true)
  await page.keyboard.press('Enter')
  await expect.poll(() => cancel.count(), PATIENCE).toBe(0)
  await expect
    .poll(() => page.locator('.figures div', { hasText: 'Waiting' }).locator('dd').textContent(), PATIENCE)
    .toBe('0')
  expect(problems).toEqual([])
})

test('it works without a script, on a phone, and nothing stands beside the screen', async ({
  cluster: { open },
}) => {
  const page = await open({ viewport: PHONE, javaScriptEnabled: false })
  await drawOn(page)
  await expect
    .poll(async () => {
      await page.getByRole('link', { name: 'Look again' }).click()
      return tiles(page).count()
    }, PATIENCE)
    .toBe(12)
  const width = await page
    .context()
    .newPage()
    .then(async (other) => {
      await other.goto(page.url())
      return other.locator('main').boundingBox()
    })
  expect(width?.width).toBeLessThanOrEqual(PHONE.width)
})

test('axe finds nothing, light and dark, on a desk and on a phone, with work and without', async ({
  cluster: { open, problems },
}) => {
  const first = await open()
  expect(await violations(first)).toEqual([])
  await drawOn(first)
  await expect.poll(() => tiles(first).count(), PATIENCE).toBe(12)
  for (const options of [{ colorScheme: 'light' }, { colorScheme: 'dark' }, { viewport: PHONE }] as const) {
    const page = await open(options)
    await expect.poll(() => page.locator('#nodes tr').count(), PATIENCE).toBe(2)
    expect(await violations(page), JSON.stringify(options)).toEqual([])
    const { width } = page.viewportSize() ?? { width: 0 }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
  }
  expect(problems).toEqual([])
})
