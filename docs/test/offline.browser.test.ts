/** The whole site without a network, after one visit. */
import { describe, expect } from 'vitest'
import { addresses, sites, test, visit } from './support/page.ts'

describe.each(sites)('below $base', (site) => {
  test('after one visit, every page is there without a network', { timeout: 180_000 }, async ({
    readers,
  }) => {
    const page = await readers.open(site, { offline: true })
    await visit(page, '')
    await page.evaluate(async () => void (await navigator.serviceWorker.ready))
    await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
    await page.context().setOffline(true)
    // The network is away indeed.
    await page.evaluate(() => fetch('not-kept').catch(() => {}))
    await expect
      .poll(() => readers.problems)
      .toContainEqual(expect.stringMatching(/not-kept failed: net::ERR_INTERNET_DISCONNECTED/))
    readers.excuse(/not-kept/)

    await page.getByRole('link', { name: /^05/ }).click()
    await page.getByRole('heading', { level: 1, name: '05: Sending data with JSON' }).waitFor()
    for (const address of addresses) await visit(page, address)

    await visit(page, 'compare/?from=2&to=6')
    await page.locator('.table-scrolls', { hasText: 'json-lines' }).waitFor()

    await page.keyboard.press('/')
    await page.getByRole('searchbox').waitFor()
    await page.keyboard.type('back-pressure')
    const result = page.locator('.VPLocalSearchBox .results a').first()
    const target = await result.evaluate((a) => (a as HTMLAnchorElement).href)
    await result.click()
    await page.waitForURL(target)
    await page
      .getByText(/back-pressure/i)
      .and(page.locator('main :visible'))
      .first()
      .waitFor()
  })

  test('one version of the site is kept, and it is whole', async ({ readers }) => {
    const page = await readers.open(site, { offline: true })
    await visit(page, '')
    await page.evaluate(async () => void (await navigator.serviceWorker.ready))
    const kept = await page.evaluate(async () => {
      const names = await caches.keys()
      const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))
      return all.map((requests) => requests.map(({ url }) => url))
    })
    expect(kept.length).toBe(1)
    for (const address of addresses.filter((one) => !one.includes('?')))
      expect(kept[0]).toContain(site.url + address)
  })
})
