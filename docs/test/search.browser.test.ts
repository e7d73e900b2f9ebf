/** The search, by keyboard alone. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { siteBelow, sites, test, visit } from './support/page.ts'
import { QUERIES } from './support/queries.ts'

const WORD = 'back-pressure'

test.for(sites)(
  'finds back-pressure below $base, and Enter opens the page that has it',
  async (site, { readers }) => {
    const page = await readers.open(site)
    await visit(page, '')
    await search(page, WORD)
    const results = page.locator('.VPLocalSearchBox .results [role=option]')
    await expect.poll(() => results.count()).toBeGreaterThan(1)

    // Marked is what has settled: until then the first result is chosen again and again.
    await page.locator('.VPLocalSearchBox .results mark').first().waitFor()
    await page.keyboard.press('ArrowDown')
    const second = results.nth(1)
    await expect.poll(() => second.getAttribute('aria-selected')).toBe('true')
    const target = new URL(String(await second.locator('> a').getAttribute('href')), page.url())
    expect(target.href).toMatch(site.url)

    await page.keyboard.press('Enter')
    await page.waitForURL(target.href)
    await page.getByText(new RegExp(WORD, 'i')).and(page.locator('main :visible')).first().waitFor()
  },
)

test('finds what a module of the core says of itself, and its names', async ({ page }) => {
  await visit(page, '')
  await search(page, 'handleMessages')
  await expect
    .poll(() => links(page))
    .toContainEqual(expect.stringMatching(/core\/messages\/#name\.handleMessages$/))
})

test('what newcomers type finds the page that they mean among the first three', async ({ page }) => {
  await visit(page, '')
  await search(page, '')
  for (const [query, pages] of QUERIES) {
    await page.getByRole('searchbox').fill(query)
    const first = async () =>
      (await links(page)).slice(0, 3).map((href) => decodeURIComponent(href.slice(siteBelow.url.length)))
    await expect
      .poll(async () => (await first()).some((href) => pages.some((one) => href.startsWith(one))), {
        message: `${query}: ${pages.join(' or ')}`,
        timeout: 10_000,
      })
      .toBe(true)
  }
})

test('says so when it finds nothing, and Escape leaves it', async ({ page }) => {
  await visit(page, 'glossary/')
  await search(page, 'xyzzyplugh')
  await page.getByText(/No results for/).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.VPLocalSearchBox').waitFor({ state: 'detached' })
})

/** Opens the search by its key, and asks it. */
async function search(page: Page, words: string): Promise<void> {
  await page.keyboard.press('/')
  const box = page.getByRole('searchbox')
  await box.waitFor()
  await expect.poll(() => box.evaluate((element) => element === document.activeElement)).toBe(true)
  await page.keyboard.type(words)
}

function links(page: Page): Promise<string[]> {
  return page
    .locator('.VPLocalSearchBox .results [role=option] > a')
    .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href))
}
