/** The views of a chapter: by keyboard, and by address. */
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { siteBelow, test, visit } from './support/page.ts'

const VIEWS = ['read', 'code', 'changes', 'run', 'live']

test('the Tab key reaches the tabs, and then what they show', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/?view=code')
  const reached: string[] = []
  while (reached.at(-1) !== 'view' && reached.length < 80) {
    await page.keyboard.press('Tab')
    reached.push(
      await page.evaluate(() => {
        const at = document.activeElement
        return at?.closest('[role=tab]')?.id ?? (at?.closest('[role=tabpanel]') ? 'view' : '')
      }),
    )
  }
  // One stop for all tabs: the arrow keys go from one to the next.
  expect(reached.filter((id) => id !== '')).toEqual(['tab-code', 'view'])
})

test('arrow keys, Home and End choose a view, and focus and address follow', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/')
  await page.getByRole('tab', { name: 'Read' }).focus()
  for (const [key, view] of [
    ['ArrowRight', 'code'],
    ['ArrowRight', 'changes'],
    ['End', 'live'],
    ['ArrowRight', 'read'],
    ['ArrowLeft', 'live'],
    ['ArrowLeft', 'run'],
    ['ArrowLeft', 'changes'],
    ['Home', 'read'],
  ] as const) {
    await page.keyboard.press(key)
    await expect.poll(() => state(page), { message: `after ${key}` }).toEqual(only(view))
    expect(await page.evaluate(() => document.activeElement?.id)).toBe(`tab-${view}`)
    expect(new URL(page.url()).searchParams.get('view')).toBe(view === 'read' ? null : view)
  }
})

test.for(VIEWS)('a link to the view "%s" opens it, and so does loading it again', async (view, { page }) => {
  await visit(page, `chapters/04-config/?view=${view}`)
  expect(await state(page)).toEqual(only(view))
  await page.reload()
  await expect.poll(() => state(page)).toEqual(only(view))
})

test('a view that there is not is the text', async ({ page }) => {
  await page.goto('chapters/04-config/?view=nonsense')
  await expect.poll(() => state(page)).toEqual(only('read'))
})

test('the name above a piece of a program leads to the file that it names, in the code of its chapter', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { viewport: { width: 1280, height: 400 } })
  await visit(page, 'chapters/06-slave-details/')
  await page.locator('#view-read .piece').getByRole('link', { name: 'src/slave.ts' }).first().click()
  await expect.poll(() => state(page)).toEqual(only('code'))
  const heading = page.locator('#view-code').getByRole('heading', { name: 'src/slave.ts' })
  await expect.poll(() => isSeen(heading)).toBe(true)
})

test('who goes from one view to another stays at the lines where they were, and comes back to where they left', async ({
  page,
}) => {
  await visit(page, 'chapters/06-slave-details/')
  await page
    .locator('#view-read .piece[data-file="src/master.ts"] [data-n="12"]')
    .evaluate((line) => scrollBy({ top: line.getBoundingClientRect().top - 250, behavior: 'instant' }))
  const scrolled = await page.evaluate(() => scrollY)
  for (const view of ['code', 'changes', 'run', 'live', 'read']) {
    await page.locator(`#tab-${view}`).click()
    await expect.poll(() => state(page)).toEqual(only(view))
    const line = page.locator(`#view-${view} [data-file="src/master.ts"] [data-n="12"]`)
    // A run shows no program, and an editor its own.
    if (view !== 'run' && view !== 'live') await expect.poll(() => isInSight(line)).toBe(true)
  }
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(scrolled)

  // Who has gone on to another program is led to that one, and Back to where they came from.
  await page.locator('#tab-code').click()
  await page
    .locator('#view-code [data-file="src/config.ts"]')
    .evaluate((file) => file.scrollIntoView({ behavior: 'instant' }))
  const further = await page.evaluate(() => scrollY)
  await page.locator('#tab-read').click()
  await expect.poll(() => page.evaluate(() => scrollY)).not.toBe(further)
  await page.goBack()
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(further)
})

test('Back leads to the view before, and then to the page before', async ({ page }) => {
  await visit(page, 'posts/')
  await page.locator('.vp-doc a[href$="/chapters/03-sockets/"]').click()
  await page.getByRole('tab', { name: 'Code' }).click()
  await expect.poll(() => state(page)).toEqual(only('code'))
  await page.goBack()
  await expect.poll(() => state(page)).toEqual(only('read'))
  // What the arrow keys pass on their way is no place to go back to.
  await page.getByRole('tab', { name: 'Read' }).press('End')
  await expect.poll(() => state(page)).toEqual(only('live'))
  await page.goBack()
  await page.getByRole('heading', { level: 1, name: 'Chapters and posts' }).waitFor()
  await page.goForward()
  await expect.poll(() => state(page)).toEqual(only('live'))
})

/** Which tabs are chosen, and which views can be seen. */
async function state(page: Page) {
  const chosen = page.locator('.tabs [role=tab][aria-selected=true]')
  const panels = page.locator('.chapter-page > [role=tabpanel]:visible')
  return {
    chosen: await chosen.evaluateAll((all) => all.map(({ id }) => id)),
    shown: await panels.evaluateAll((all) => all.map(({ id }) => id)),
  }
}

function only(view: string) {
  return { chosen: [`tab-${view}`], shown: [`view-${view}`] }
}

/** Whether it stands where it can be read, below the tabs. */
function isInSight(line: Locator): Promise<boolean> {
  return line.evaluate((one) => {
    const { top, bottom } = one.getBoundingClientRect()
    const tabs = document.querySelector('.tabs')?.getBoundingClientRect().bottom ?? 0
    return top >= tabs && bottom <= innerHeight
  })
}

/** Whether nothing covers its middle. */
function isSeen(element: Locator): Promise<boolean> {
  return element.evaluate((one) => {
    const { x, y, width, height } = one.getBoundingClientRect()
    return one.contains(document.elementFromPoint(x + width / 2, y + height / 2))
  })
}
