/** Every kind of page on a telephone's screen. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { kinds, siteBelow, test, visit } from './support/page.ts'

/** In CSS pixels. */
const WIDTH = 390

test.for(kinds)('/%s does not scroll sideways, and cuts nothing off', async (address, { readers }) => {
  const page = await readers.open(siteBelow, { viewport: { width: WIDTH, height: 844 } })
  await visit(page, address)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(WIDTH)
  // What moves may be on its way.
  await expect.poll(() => outOfReach(page)).toEqual([])
})

/** What lies beside the screen and in nothing that scrolls, or is cut off by what it lies in. */
function outOfReach(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const scrolls = (element: Element | null): boolean =>
      element !== null &&
      (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement))
    const isOutside = (element: Element) => {
      const { left, right } = element.getBoundingClientRect()
      return (left < -1 || right > innerWidth + 1) && !scrolls(element)
    }
    const isCutOff = (element: Element) =>
      /hidden|clip/.test(getComputedStyle(element).overflowX) &&
      element.scrollWidth > element.clientWidth + 1 &&
      element.textContent !== ''
    // For those who listen: nobody sees it.
    const isForEars = (element: Element) => element.closest('.visually-hidden') !== null

    return [...document.querySelectorAll('#app *')]
      .filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
      .filter((element) => !isForEars(element) && (isOutside(element) || isCutOff(element)))
      .map(({ outerHTML }) => outerHTML.slice(0, 200))
  })
}
