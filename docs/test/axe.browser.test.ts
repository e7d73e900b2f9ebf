/** Every kind of page, with the eyes of axe-core: contrast, names, roles, order of headings, and the rest of its rules. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { kinds, siteBelow, test, visit } from './support/page.ts'

test.for(kinds)('/%s has no violation, light and dark', async (address, { readers }) => {
  const page = await readers.open(siteBelow, { colorScheme: 'light' })
  await visit(page, address)
  expect(await violations(page), 'light').toEqual([])

  await page.emulateMedia({ colorScheme: 'dark' })
  await page.locator('html.dark').waitFor()
  expect(await violations(page), 'dark').toEqual([])
})

async function violations(page: Page): Promise<string[]> {
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
