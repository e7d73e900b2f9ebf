/** The eyes of axe-core. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** What breaks one of its rules, in a line each. */
export async function violations(page: Page): Promise<string[]> {
  // What fades from one colour to another would be judged by those in between. It is not waited for: a browser that
  // has much to do may never come to its end.
  await page.evaluate(() => {
    for (const animation of document.getAnimations())
      if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish()
  })
  // Without what it does for frames, of which no page has any: in half the time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target}: ${failureSummary}`),
  )
}
