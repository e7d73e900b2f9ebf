/** Finding one's way: where one was, what comes next, links to headings, and light and dark. */
import { allChapters } from '@rpi-cluster/tutorial/chapters'
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

  test('the next page follows the one before, through the whole site and back', async ({ readers }) => {
    const page = await readers.open(site)
    // VitePress's outline looks for its mark for a tenth of a second after it has left the page. No reader is so quick.
    readers.excuse(/Cannot read properties of null \(reading 'style'\)/)
    await visit(page, 'start/')
    const forth = await follow(page, '.pager-link.next')
    // All but the first page, which is a list of what there is.
    expect(forth.toSorted()).toEqual(addresses.filter((address) => address !== '' && !address.includes('?')))
    const chapters = forth.filter((address) => address.startsWith('chapters/'))
    expect(chapters).toEqual(allChapters().map(({ name }) => `chapters/${name}/`))
    expect(await follow(page, '.pager-link.prev')).toEqual(forth.toReversed())

    /** Where this leads, and on, until there is nothing more. */
    async function follow(page: Page, link: string): Promise<string[]> {
      const passed = [page.url().slice(site.url.length)]
      while ((await page.locator(link).count()) > 0) {
        const target = await page.locator(link).evaluate((a) => (a as HTMLAnchorElement).href)
        await page.locator(link).click()
        await page.waitForURL(target)
        // The page is there when the list of pages says where one is.
        const { pathname } = new URL(target)
        await page.locator(`.VPSidebarItem.is-active a[href="${pathname}"]`).first().waitFor()
        passed.push(target.slice(site.url.length))
      }
      return passed
    }
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
  await page.locator('.VPDocAsideOutline').getByRole('link', { name: 'The walk-through' }).click()
  await expect.poll(() => new URL(page.url()).hash).toBe('#the-walk-through')
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
