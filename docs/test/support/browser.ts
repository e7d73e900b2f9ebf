/** A test with a real browser, which all tests of a file share. */
import type { Browser } from 'playwright-core'
import { test as baseTest, inject } from 'vitest'
import { launch } from './chromium.ts'

export const test = baseTest.extend<{ $file: { browser: Browser } }>({
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture asks for from its pattern
    async ({}, use) => {
      const browser = await launch(inject('chromium'))
      await use(browser)
      await browser.close()
    },
    { scope: 'file' },
  ],
})
