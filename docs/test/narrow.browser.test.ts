/** Every kind of page on a telephone's screen. */
import { expect } from 'vitest'
import { outOfReach } from './support/narrow.ts'
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
