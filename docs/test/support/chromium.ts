/** Which browser the tests use. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The path of a Chromium: CHROMIUM's, Playwright's own where it was installed, or the system's; nothing where there is none. */
export function findChromium(): string | undefined {
  const asked = process.env['CHROMIUM']
  const places = asked ? [asked] : [chromium.executablePath(), '/usr/bin/chromium']
  return places.find((path) => existsSync(path))
}

/** Starts a Chromium that knows no other machine than this one: what a page asks of another fails. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  })
}
