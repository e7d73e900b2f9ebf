/** Without a network: what was read is there, and the part around it, and nothing else was fetched for it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allChapters, type Chapter, findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Site } from './support/built-sites.ts'
import { addresses, type Readers, siteBelow, sites, test, visit } from './support/page.ts'
import { serve } from './support/serve.ts'

const pages = addresses.filter((address) => !address.includes('?'))

/** The addresses of the chapters that are in one part with this one. */
const around = ({ part }: Chapter) =>
  allChapters()
    .filter((chapter) => chapter.part === part)
    .map(({ name }) => `chapters/${name}/`)

test('a first visit keeps the first page and what every page needs, and no other page', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { offline: true })
  await visit(page, '')
  await whenKeeping(page)
  expect(pagesIn(await kept(page, siteBelow))).toEqual([''])
})

test.for(sites)(
  'below $base, after one chapter, its part is there without a network, and the search',
  { timeout: 180_000 },
  async (site, { readers }) => {
    const page = await readers.open(site, { offline: true })
    const chapter = findChapter('5')
    await visit(page, '')
    await whenKeeping(page)
    await page.getByRole('link', { name: chapter.title }).first().click()
    await page.getByRole('heading', { level: 1, name: chapter.title }).first().waitFor()
    await whenKept(page, site, around(chapter))
    expect(pagesIn(await kept(page, site)).toSorted()).toEqual(['', ...around(chapter)].toSorted())
    await withoutNetwork(page, readers)
    // Links in sight lead to other pages, which VitePress tries to fetch.
    const own = around(chapter).map((address) => address.replaceAll('/', '_'))
    readers.excuse(new RegExp(`/assets/(?!${own.join('|')})\\w\\S+\\.md\\.[\\w.-]+\\.js`))

    for (const address of addresses.filter((one) => around(chapter).includes(one.replace(/\?.*/, ''))))
      await visit(page, address)

    // What was not read says so, whether it is opened by a link or by its address. No page here has a link to this one:
    // VitePress fetches what the links in sight lead to, at any time.
    const unread = 'core/turns/'
    readers.excuse(/core.turns.*( gave 503|\.js| failed: net::ERR_)|status of 503|hashmap\.json|ERR_INTERNET/)
    await page.evaluate((href) => {
      const link = Object.assign(document.createElement('a'), { href, textContent: 'not read' })
      link.style.cssText = 'position: fixed; inset: 0 auto auto 0; z-index: 999'
      document.body.append(link)
    }, `${site.url}${unread}`)
    await page.getByRole('link', { name: 'not read' }).click()
    await page.getByRole('heading', { level: 1, name: 'No network' }).waitFor()
    await page.goto(unread)
    await page.getByRole('heading', { level: 1, name: 'No network' }).waitFor()
    await page.getByRole('link', { name: `chapters/${chapter.name}/` }).click()
    await page.getByRole('heading', { level: 1, name: chapter.title }).first().waitFor()

    // Of what was not kept, the search has the headings, and no excerpt.
    // (A page that was opened just now does not hear the first key.)
    const box = page.getByRole('searchbox')
    const opened = async () => {
      if ((await box.count()) === 0) await page.keyboard.press('/')
      return box.count()
    }
    await expect.poll(opened, { timeout: 30_000 }).toBe(1)
    await box.fill('json')
    const result = page.locator(`.VPLocalSearchBox .results a[href*="/chapters/${chapter.name}/"]`).first()
    await result.click()
    await page.waitForURL(`**/chapters/${chapter.name}/*`)
  },
)

test('a new version of the site brings what the old one had kept, as it is now', async ({ readers }) => {
  const folder = mkdtempSync(join(tmpdir(), 'site-new-'))
  cpSync(siteBelow.folder, folder, { recursive: true })
  const { close, ...served } = await serve(folder, siteBelow.base, true)
  try {
    const site = { ...siteBelow, ...served, folder }
    const page = await readers.open(site, { offline: true })
    await visit(page, 'glossary/')
    await whenKept(page, site, ['glossary/'])

    const change = (file: string, from: RegExp, to: string) => {
      const text = readFileSync(join(folder, file), 'utf8')
      expect(text).toMatch(from)
      writeFileSync(join(folder, file), text.replace(from, to))
    }
    change('service-worker.js', /^const VERSION = ".*"/, 'const VERSION = "new"')
    change('glossary/index.html', /<title>[^<]*/, '<title>As it is now')
    await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()))
    await expect
      .poll(() => page.evaluate(() => caches.keys()), { timeout: 30_000 })
      .toEqual([expect.stringMatching(/ new$/)])
    expect(pagesIn(await kept(page, site)).toSorted()).toEqual(['', 'glossary/'])
    await withoutNetwork(page, readers)
    const html = await page.evaluate(async (url) => (await fetch(url)).text(), `${site.url}glossary/`)
    expect(html).toContain('<title>As it is now')
  } finally {
    await close()
    rmSync(folder, { recursive: true })
  }
})

async function whenKeeping(page: Page): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
}

async function whenKept(page: Page, site: Site, wanted: readonly string[]): Promise<void> {
  await expect
    .poll(async () => pagesIn(await kept(page, site)), { timeout: 30_000 })
    .toEqual(expect.arrayContaining([...wanted]))
  // A part is kept when all that its pages have asked for is there.
  await expect
    .poll(
      async () => {
        const before = (await kept(page, site)).length
        await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)))
        return (await kept(page, site)).length - before
      },
      { timeout: 30_000 },
    )
    .toBe(0)
}

/** What the browser keeps of the site, as addresses below its base. There is one version of it. */
async function kept(page: Page, { url }: Site): Promise<string[]> {
  const all = await page.evaluate(async () => {
    const names = await caches.keys()
    return Promise.all(
      names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)),
    )
  })
  expect(all.length).toBeLessThanOrEqual(1)
  return (all[0] ?? []).map((one) => one.slice(url.length))
}

function pagesIn(files: readonly string[]): string[] {
  return files.filter((file) => pages.includes(file))
}

/** Takes the network away, and sees that it is away indeed. */
async function withoutNetwork(page: Page, readers: Readers): Promise<void> {
  readers.excuse(/not-kept/)
  await page.context().setOffline(true)
  await page.evaluate(() => fetch('not-kept').catch(() => {}))
  await expect
    .poll(() => readers.problems)
    .toContainEqual(expect.stringMatching(/not-kept failed: net::ERR_INTERNET_DISCONNECTED/))
}
