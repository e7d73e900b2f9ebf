/** Finding one's way: where one was, what comes next, links to headings, and light and dark. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { addresses, siteBelow, sites, test, visit } from './support/page.ts'

describe.each(sites)('below $base', (site) => {
  test('the first page offers to go on with the chapter that was read last', async ({ readers }) => {
    const page = await readers.open(site)
    await visit(page, '')
    const goOn = page.getByRole('link', { name: /^Go on with/ })
    expect(await goOn.count()).toBe(0)

    await visit(page, 'chapters/05-json/')
    await visit(page, 'chapters/03-sockets/')
    await visit(page, 'glossary/')
    await page.getByRole('link', { name: 'Raspberry Pi cluster' }).first().click()
    await expect.poll(() => goOn.allInnerTexts()).toEqual(['Go on with 03: Sockets'])
    await goOn.click()
    await page.waitForURL(`${site.url}chapters/03-sockets/`)
    await heading(page, '03: Sockets')

    // In another window of the same browser too, and nowhere else.
    const other = await page.context().newPage()
    await visit(other, '')
    await expect.poll(() => other.getByRole('link', { name: /^Go on with/ }).count()).toBe(1)
    const stranger = await readers.open(site)
    await visit(stranger, '')
    expect(await stranger.getByRole('link', { name: /^Go on with/ }).count()).toBe(0)
  })

  test('what was kept by somebody else does no harm', async ({ readers }) => {
    const page = await readers.open(site)
    for (const kept of ['nonsense', '{"path":"https://example.org/","title":"Elsewhere"}', 'null']) {
      await visit(page, 'glossary/')
      await page.evaluate((kept) => localStorage.setItem('last-read', kept), kept)
      await visit(page, '')
      expect(await page.getByRole('link', { name: /^Go on with/ }).count()).toBe(0)
    }
  })

  test('the next page follows the one before, through the whole site and back', () => {
    const forth = follow('start/', 'next')
    // All but the first page, which is a list of what there is.
    expect(forth.toSorted()).toEqual(addresses.filter((address) => address !== '' && !address.includes('?')))
    const chapters = forth.filter((address) => address.startsWith('chapters/'))
    expect(chapters).toEqual(allChapters().map(({ name }) => `chapters/${name}/`))
    expect(follow(forth.at(-1) ?? '', 'prev')).toEqual(forth.toReversed())

    /** Where this leads, and on, until there is nothing more: as the pages stand on disk, which takes no browser. */
    function follow(from: string, direction: 'next' | 'prev'): string[] {
      const passed = [from]
      for (let at: string | undefined = from; at !== undefined; ) {
        const html: string = readFileSync(join(site.folder, at, 'index.html'), 'utf8')
        const link: string | undefined = new RegExp(`<a[^>]*pager-link ${direction}[^>]*>`).exec(html)?.[0]
        const href: string | undefined = link && /href="([^"]*)"/.exec(link)?.[1]
        at = href?.slice(site.base.length)
        if (at !== undefined) passed.push(at)
        expect(passed.length).toBeLessThanOrEqual(addresses.length)
      }
      return passed
    }
  })

  test('a link to the next page leads there', async ({ readers }) => {
    const page = await readers.open(site)
    await visit(page, 'start/')
    await page.locator('.pager-link.next').click()
    await page.waitForURL(`${site.url}chapters/${allChapters()[0]?.name}/`)
    await heading(page, String(allChapters()[0]?.title))
  })
})

test('every heading of a text has a link to itself', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/')
  const headings = page.locator('#view-read :is(h2, h3)')
  const ids = await headings.evaluateAll((all) => all.map(({ id }) => id))
  expect(ids.length).toBeGreaterThan(4)
  expect(
    await headings.locator('.header-anchor').evaluateAll((all) => all.map((a) => a.getAttribute('href'))),
  ).toEqual(ids.map((id) => `#${id}`))

  const last = headings.last()
  await last.hover()
  await last.locator('.header-anchor').click()
  await expect.poll(() => new URL(page.url()).hash).toBe(`#${ids.at(-1)}`)
  // Whoever gets that address arrives at the heading.
  const address = page.url()
  await page.goto('about:blank')
  await page.goto(address)
  await expect
    .poll(() =>
      last.evaluate((one) => {
        const { x, y, height } = one.getBoundingClientRect()
        return one.contains(document.elementFromPoint(x + 1, y + height / 2))
      }),
    )
    .toBe(true)
})

test('the outline leads to the parts of a chapter', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/')
  await page.locator('.VPDocAsideOutline').getByRole('link', { name: 'The programs' }).click()
  await expect.poll(() => new URL(page.url()).hash).toBe('#the-programs')
})

test.for(['light', 'dark'] as const)(
  'begins %s as the system is, and the switch turns it round for good',
  async (colorScheme, { readers }) => {
    const page = await readers.open(siteBelow, { colorScheme })
    await visit(page, 'chapters/03-sockets/')
    const other = colorScheme === 'light' ? 'dark' : 'light'
    expect(await ground(page)).toBe(colorScheme)
    const toggle = page.locator('.VPNavBarAppearance').getByRole('switch')
    await toggle.focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => ground(page)).toBe(other)
    expect(await toggle.getAttribute('aria-checked')).toBe(String(other === 'dark'))
    await page.reload()
    await expect.poll(() => ground(page)).toBe(other)
  },
)

function heading(page: Page, name: string): Promise<void> {
  return page.getByRole('heading', { level: 1, name }).waitFor()
}

/** Whether the page is light or dark to look at: text on its ground. */
function ground(page: Page): Promise<string> {
  return page.evaluate(() => {
    const brightness = (color: string) =>
      (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, n) => sum + Number(n), 0)
    const { backgroundColor, color } = getComputedStyle(document.body)
    return brightness(backgroundColor) > brightness(color) ? 'light' : 'dark'
  })
}
