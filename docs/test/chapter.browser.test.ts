/** How a chapter reads: its blocks, the program beside it, on paper, on a telephone, and without JavaScript. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { siteBelow, test, visit } from './support/page.ts'

const CHAPTER = 'chapters/06-slave-details/'

test('a terminal has its colours: prompt, programs and levels differ from what they say', async ({
  page,
}) => {
  await visit(page, 'chapters/03-sockets/')
  const colors = await page.locator('#view-read .terminal').evaluateAll((blocks) => {
    const of = (selector: string) => {
      const found = blocks.map((block) => block.querySelector(selector)).find((one) => one !== null)
      return found
        ? `${getComputedStyle(found).color} on ${getComputedStyle(found).backgroundColor}`
        : selector
    }
    return ['samp.line', '.prompt', '.who-0', '.who-1', '.info', '.fatal'].map(of)
  })
  expect(new Set(colors).size).toBe(colors.length)
  expect(colors.filter((color) => !color.includes('rgb'))).toEqual([])
})

test('each piece of a program says its file once, and its lines; who listens hears what is new and what is gone', async ({
  page,
}) => {
  await visit(page, CHAPTER)
  const piece = page.locator('#view-read .piece', { hasText: 'machineDetails())' })
  expect(await piece.getByText('src/slave.ts').count()).toBe(1)
  expect(await piece.locator('.where').textContent()).toBe('lines 1, 5–6 and 17–19')
  const heard = await heardIn(page)
  expect(heard).toContain('removed:await send(master, { msg: ')
  expect(heard).toContain("added:await send(master, 'machine_details'")
})

test('on a wide screen the whole program stands beside the text, and the piece is lit that is read', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { viewport: { width: 1500, height: 900 } })
  await visit(page, CHAPTER)
  const beside = page.locator('.program-beside')
  expect(await beside.count()).toBe(0)
  for (const [file, number, lit] of [
    ['src/slave.ts', 18, [1, 5, 6, 17, 18, 19]],
    ['src/slave.ts', 21, [20, 21, 22]],
    ['src/master.ts', 13, [4, 12, 13, 14, 15, 16]],
  ] as const) {
    await page
      .locator(`#view-read .piece[data-file="${file}"] [data-n="${number}"]`)
      .evaluate((line) => scrollBy({ top: line.getBoundingClientRect().top - 250, behavior: 'instant' }))
    await expect
      .poll(() =>
        beside
          .locator('.lit')
          .evaluateAll((all) => all.map((line) => Number((line as HTMLElement).dataset['n']))),
      )
      .toEqual(lit)
    expect(await beside.locator('.file-name').textContent()).toBe(file)
    expect(await beside.evaluate((one) => one.getBoundingClientRect().right <= innerWidth)).toBe(true)
  }
  // All of it, as the view of the code has it.
  const whole = await page.locator('#view-code [data-file="src/master.ts"] pre').textContent()
  expect(await beside.locator('pre').textContent()).toBe(whole)

  await page.setViewportSize({ width: 1499, height: 900 })
  await expect.poll(() => beside.isVisible()).toBe(false)
})

test('without JavaScript the code, the changes and the run are in the page, and nothing that does nothing', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { javaScriptEnabled: false })
  readers.excuse(/\.js failed: csp/)
  await page.goto(CHAPTER)
  for (const text of [
    '#view-code >> text=await handleMessages(slave, handlers',
    '#view-changes >> text=for await (const { msg } of receive',
  ])
    expect(await page.locator(text).first().isVisible()).toBe(true)
  await page.locator('.transcript summary').click()
  expect(await page.locator('#view-run samp').first().isVisible()).toBe(true)
  // What is left to press is what a browser does by itself.
  expect(await page.locator('button:visible').count()).toBe(0)
  expect(await page.locator('.VPSidebar .caret:visible').count()).toBe(0)
  expect(await page.getByRole('tab').count()).toBe(0)
  expect(await page.getByRole('switch').count()).toBe(0)
  await page
    .getByRole('navigation', { name: 'Parts of this chapter' })
    .getByRole('link', { name: 'Code' })
    .click()
  await expect
    .poll(() =>
      page.locator('#view-code h1').evaluate((one) => Math.abs(one.getBoundingClientRect().top) < 120),
    )
    .toBe(true)
})

test('on paper there is the chapter with its code and its answers, light, and nothing else', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { colorScheme: 'dark', viewport: { width: 680, height: 1000 } })
  await visit(page, CHAPTER)
  await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')))
  await page.emulateMedia({ media: 'print' })
  const seen = await page.evaluate(() => {
    const isSeen = (selector: string) =>
      [...document.querySelectorAll(selector)].some((one) =>
        one.checkVisibility({ visibilityProperty: true }),
      )
    return {
      others: ['nav', 'button', '[role=tab]', '.VPSidebar', '.VPDocFooter', '.aside', '#view-code'].filter(
        isSeen,
      ),
      code: isSeen('#view-read .piece'),
      answers: [...document.querySelectorAll('#view-read details p')].every(
        (answer) => answer.checkVisibility() && answer.getBoundingClientRect().height > 0,
      ),
      cutOff: [...document.querySelectorAll('#view-read pre')].filter(
        ({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1,
      ).length,
      isDark: document.documentElement.classList.contains('dark'),
    }
  })
  expect(seen).toEqual({ others: [], code: true, answers: true, cutOff: 0, isDark: false })
  await page.evaluate(() => window.dispatchEvent(new Event('afterprint')))
  expect(await page.evaluate(() => document.documentElement.classList.contains('dark'))).toBe(true)
})

test('on a telephone 60 columns of code have room, and no block scrolls sideways', async ({ readers }) => {
  const page = await readers.open(siteBelow, { viewport: { width: 390, height: 844 } })
  for (const view of ['', '?view=code', '?view=changes']) {
    await visit(page, CHAPTER + view)
    const blocks = await page
      .locator('.vp-doc :is(div[class*=language-] pre, pre.code, .hunk):visible')
      .evaluateAll((all) =>
        all.map((block) => {
          const found = ['.line code', '.line', 'code'].map((one) => block.querySelector(one))
          const line = found.find((one) => one !== null) ?? block
          const words = document.createRange()
          words.selectNodeContents(line)
          const ruler = document.createElement('span')
          ruler.textContent = 'm'.repeat(60)
          ruler.style.cssText = 'position:absolute;white-space:pre;text-indent:0'
          line.append(ruler)
          const end = words.getBoundingClientRect().left + ruler.getBoundingClientRect().width
          ruler.remove()
          const { right } = block.getBoundingClientRect()
          return { fits: end <= right, scrolls: block.scrollWidth > block.clientWidth + 1 }
        }),
      )
    expect(blocks.length).toBeGreaterThan(2)
    expect(blocks.filter(({ fits, scrolls }) => !fits || scrolls)).toEqual([])
  }
  await visit(page, `${CHAPTER}?view=run`)
  const terminal = page.locator('.screen .ap-player')
  const { left, right } = await terminal.evaluate((one) => one.getBoundingClientRect())
  expect(left >= 0 && right <= 390).toBe(true)
  const size = await page
    .locator('.ap-term')
    .evaluate((one) => Number.parseFloat(getComputedStyle(one).fontSize))
  expect(size).toBeGreaterThan(8)
})

test.for([390, 1000, 1280])(
  'on a page %i wide no anchor hides beneath the bars, typed or clicked',
  async (width, { readers }) => {
    const page = await readers.open(siteBelow, { viewport: { width, height: 700 } })
    await visit(page, CHAPTER)
    for (const id of ['the-slave', 'what-the-core-does']) {
      const heading = page.locator(`[id="${id}"]`)
      await page.evaluate((id) => (location.hash = id), id)
      await expect.poll(() => isBelowBars(page, id), { message: `${id}, typed` }).toBe(true)
      await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }))
      await heading.locator('.header-anchor').evaluate((link) => (link as HTMLElement).click())
      await expect.poll(() => isBelowBars(page, id), { message: `${id}, clicked` }).toBe(true)
    }
  },
)

/** Whether an element stands in the window, and nothing covers it. */
function isBelowBars(page: Page, id: string): Promise<boolean> {
  return page.evaluate((id) => {
    const one = document.getElementById(id)
    if (!one) return false
    // Its words: a heading's box begins with the room above them.
    const words = document.createRange()
    words.selectNodeContents(one)
    const { left, top, bottom } = words.getBoundingClientRect()
    const isThere = (y: number) => one.contains(document.elementFromPoint(Math.max(left, 0) + 40, y))
    return isThere(top + 1) && isThere(bottom - 1)
  }, id)
}

/** All that a screen reader is given of the page, in the order in which it is said, as one text. */
async function heardIn(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  const byId = new Map(nodes.map((node) => [node.nodeId, node]))
  const said = (id: string): string => {
    const { role, name, childIds = [] } = byId.get(id) ?? {}
    return role?.value === 'StaticText' ? String(name?.value ?? '') : childIds.map(said).join('')
  }
  return said(nodes[0]?.nodeId ?? '')
}
