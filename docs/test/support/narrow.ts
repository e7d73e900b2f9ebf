/** What a narrow screen does not show. */
import type { Page } from 'playwright-core'

/** What lies beside the screen and in nothing that scrolls, or is cut off by what it lies in. */
export function outOfReach(page: Page): Promise<string[]> {
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
