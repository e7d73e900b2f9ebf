/** Every kind of page, with the eyes of axe-core: contrast, names, roles, order of headings, and the rest of its rules. */
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { kinds, siteBelow, test, visit } from './support/page.ts'

/** Time for the longest page on a busy machine, in ms. */
const TIMEOUT = 400_000

test.for(kinds)(
  '/%s has no violation, light and dark',
  { timeout: TIMEOUT },
  async (address, { readers }) => {
    const page = await readers.open(siteBelow, { colorScheme: 'light' })
    await visit(page, address)
    expect(await violations(page), 'light').toEqual([])

    await page.emulateMedia({ colorScheme: 'dark' })
    await page.locator('html.dark').waitFor()
    expect(await violations(page), 'dark').toEqual([])
  },
)
