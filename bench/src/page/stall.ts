/** A real browser that looks at the page, and tells for how long it has drawn nothing. */
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

/** A page in a browser. */
export interface Watched {
  /** The longest time between two frames since it was asked last, in ms. */
  longest(): Promise<number>
  close(): Promise<void>
}

/** Opens a page; nothing where there is no Chromium. */
export async function openBrowser(address: string): Promise<Watched | undefined> {
  const executablePath = [process.env['CHROMIUM'] ?? chromium.executablePath(), '/usr/bin/chromium'].find(
    (path) => existsSync(path),
  )
  if (executablePath === undefined) return undefined
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
  const page = await browser.newPage()
  await page.goto(address)
  // As a text: what tsx makes of a function does not run elsewhere.
  await page.evaluate(`{
    globalThis.longest = 0
    let last = performance.now()
    requestAnimationFrame(function frame() {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
      requestAnimationFrame(frame)
    })
  }`)
  return {
    longest: () => page.evaluate<number>('{ const found = longest; longest = 0; found }'),
    close: () => browser.close(),
  }
}
