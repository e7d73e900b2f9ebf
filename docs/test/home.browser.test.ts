/** The first page: the chapters in their parts, what was read, and a run that plays by itself. */
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { PARTS } from '@rpi-cluster/tutorial/chapters/parts'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { siteBelow, test, visit } from './support/page.ts'

const chapters = allChapters()
const [first, second] = chapters
if (!first || !second) throw new Error('These tests want two chapters')

const titleOf = ({ number, title }: { number: number; title: string }) =>
  `${String(number).padStart(2, '0')}: ${title}`

test('has all parts to the end of the series, and each chapter with its times, without JavaScript too', async ({
  readers,
}) => {
  // What a browser says when it runs no scripts.
  readers.excuse(/\.js failed: csp/)
  for (const javaScriptEnabled of [true, false]) {
    const page = await readers.open(siteBelow, { javaScriptEnabled })
    await page.goto('')
    expect(await page.locator('.part h3').allInnerTexts()).toEqual(
      PARTS.map(({ number, title }) => `Part ${number}: ${title}`),
    )
    const rows = page.locator('.chapter-list li')
    const shown = await rows.evaluateAll((all) =>
      all.map((one) => [...one.children].map((part) => part.textContent.replace(/\s+/g, ' ').trim())),
    )
    expect(shown).toEqual(
      chapters.map(({ number, title, teaches, minutes }) => [
        `${String(number).padStart(2, '0')} ${title}`,
        `${minutes.reading} + ${minutes.doing} min (to read, and to run and try)`,
        `${teaches}.`,
      ]),
    )
    // A title keeps to one line where there is room.
    const heights = await rows
      .locator('.title')
      .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height))
    for (const height of heights) expect(height).toBeLessThan(40)
    const words = await page.locator('.parts').textContent()
    expect(words).toMatch(/Part III[\s\S]*Here the posts end, with number 18[\s\S]*Part IV/)
    const toCome = PARTS.filter(({ first }) => first > chapters.length)
    expect(await page.locator('.part .size', { hasText: /still to come$/ }).count()).toBe(toCome.length)
  }
})

test('parts fold, and those at the side have the same chapters', async ({ page }) => {
  await visit(page, '')
  const link = page.locator('.chapter-list').getByRole('link', { name: first.title })
  await link.waitFor()
  await page.locator('.part summary').first().click()
  await link.waitFor({ state: 'hidden' })
  await page.locator('.part summary').first().press('Enter')
  await link.click()
  await page.waitForURL(`${siteBelow.url}chapters/${first.name}/`)
  const part = page.locator('.VPSidebarItem.level-0', {
    hasText: `Part ${first.part.number}: ${first.part.title}`,
  })
  // The address changes before the page does.
  await expect
    .poll(() => part.locator('.items a').evaluateAll((all) => all.map((one) => one.textContent?.trim())))
    .toEqual(chapters.filter(({ part }) => part.number === first.part.number).map(titleOf))
  const button = part.locator(':scope > [role=button]')
  expect(await button.getAttribute('aria-expanded')).toBe('true')
  await button.press('Enter')
  await expect.poll(() => button.getAttribute('aria-expanded')).toBe('false')
  await part.locator('.items a').first().waitFor({ state: 'hidden' })
  await button.press('Enter')
  await part.locator('.items a').first().waitFor()
  // A long title is cut, and not broken.
  const lines = await part
    .locator('.items a')
    .evaluateAll((all) => all.map((one) => one.getBoundingClientRect()))
  for (const { height, right } of lines) {
    expect(height).toBeLessThan(40)
    expect(right).toBeLessThan(272)
  }
})

test('a chapter counts as read when its end was reached, and then the next one is proposed', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow)
  await visit(page, `chapters/${first.name}/?view=code`)
  await page.locator('.VPDocFooter').scrollIntoViewIfNeeded()
  await visit(page, `chapters/${first.name}/`)
  await home(page)
  await page.getByRole('link', { name: `Go on with ${titleOf(first)}` }).waitFor()
  expect(await marks(page)).toEqual([])
  expect(await page.getByText('You have read').count()).toBe(0)

  await visit(page, `chapters/${first.name}/`)
  await page.locator('.VPDocFooter').scrollIntoViewIfNeeded()
  const link = page.locator(`.VPSidebar a[href$="/chapters/${first.name}/"]`)
  const mark = () => link.evaluate((one) => getComputedStyle(one, '::after').content)
  await expect.poll(mark).toContain('✓')
  await home(page)
  await expect.poll(() => marks(page)).toEqual([first.name])
  await page.getByText(`You have read 1 of ${chapters.length} chapters`).waitFor()
  expect(await page.locator('.part .size').first().textContent()).toMatch(/^\s*1 of \d+ read\s*$/)

  // It is kept, and it is nobody else's.
  await page.reload()
  await page.getByRole('link', { name: `Go on with ${titleOf(second)}` }).click()
  await page.waitForURL(`${siteBelow.url}chapters/${second.name}/`)
  await page.getByRole('heading', { level: 1, name: titleOf(second) }).waitFor()
  const stranger = await readers.open(siteBelow)
  await visit(stranger, '')
  expect(await marks(stranger)).toEqual([])

  await home(page)
  await page.getByRole('button', { name: 'Forget that' }).click()
  await expect.poll(() => marks(page)).toEqual([])
  expect(await page.getByRole('link', { name: /^Go on with/ }).count()).toBe(0)
  await page.reload()
  await page.getByRole('link', { name: 'Begin with chapter 01' }).waitFor()
  expect(await marks(page)).toEqual([])
})

test('what somebody else kept there does no harm', async ({ page }) => {
  await visit(page, 'glossary/')
  for (const kept of ['nonsense', '{"a":1}', '[1,null,"no-chapter","</style><b>"]']) {
    await page.evaluate((kept) => localStorage.setItem('read-to-the-end', kept), kept)
    await visit(page, '')
    expect(await marks(page)).toEqual([])
    expect(await page.getByText('You have read').count()).toBe(0)
  }
})

test('the run plays by itself, after the page is there, and takes no more room than before', async ({
  page,
}) => {
  await page.goto('')
  const place = page.locator('.taste .terminal')
  const before = await place.boundingBox()
  await place.locator('.ap-player').waitFor()
  const lines = () =>
    place.locator('.ap-line').evaluateAll((all) => all.map((one) => one.textContent.trim()).join(' '))
  await expect.poll(lines).toContain('pnpm --filter')
  const begun = (await lines()).length
  // In the recording nothing happens for two seconds.
  await expect.poll(async () => (await lines()).length, { timeout: 20_000 }).toBeGreaterThan(begun)
  expect(await place.boundingBox()).toEqual(before)

  // What its reader wants to stop, stops.
  await place.hover()
  await place.getByRole('button', { name: 'Pause' }).click()
  await place.getByRole('button', { name: 'Play' }).waitFor()

  const { painted, asked } = await page.evaluate(() => ({
    painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
    asked: performance
      .getEntriesByType('resource')
      .filter(({ name }) => /player[^/]*\.js$/.test(name))
      .map(({ startTime }) => startTime),
  }))
  expect(asked.length).toBeGreaterThan(0)
  for (const time of asked) expect(time).toBeGreaterThan(painted)
})

test('the run is still for whoever wants no motion, and shows what it would', async ({ readers }) => {
  const page = await readers.open(siteBelow, { reducedMotion: 'reduce' })
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await visit(page, '')
  await page.waitForLoadState('networkidle')
  expect(await page.locator('.taste .still').textContent()).toMatch(/^\$ pnpm --filter [\w-]+ start/)
  expect(await page.locator('.ap-player').count()).toBe(0)
  expect(asked.filter((url) => /player/.test(url))).toEqual([])
  await page
    .locator('.taste')
    .getByRole('link', { name: /every byte/ })
    .click()
  await page.waitForURL(/\?view=run$/)
})

/** Goes to the first page as a reader does. */
async function home(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Raspberry Pi cluster' }).first().click()
  await page.waitForURL(siteBelow.url)
}

/** The names of the chapters that are marked as read. */
function marks(page: Page): Promise<(string | undefined)[]> {
  return page
    .locator('.chapter-list li', { has: page.locator('.done') })
    .locator('.title')
    .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href.split('/').at(-2)))
}
