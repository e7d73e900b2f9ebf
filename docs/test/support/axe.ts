/** The eyes of axe-core. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** How many listings of a page are looked at: all have their colours from the same highlighter, and a long chapter has hundreds. */
const MOST_LISTINGS = 30

/** What breaks one of its rules, in a line each. */
export async function violations(page: Page): Promise<string[]> {
  // What fades from one colour to another would be judged by those in between. It is not waited for: a browser that
  // has much to do may never come to its end.
  await page.evaluate((most) => {
    for (const animation of document.getAnimations())
      if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish()
    for (const listing of [...document.querySelectorAll('pre')].slice(most)) listing.dataset['left'] = 'out'
  }, MOST_LISTINGS)
  // Without what it does for frames, of which no page has any: in half the time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().exclude('[data-left=out]').analyze()
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target}: ${failureSummary}`),
  )
}
