/** The live page of chapter 15, in a real browser: what it shows by itself, as real programs come, die and return. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { Running } from '@rpi-cluster/tutorial/harness/running'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'

/** Longer than any change takes on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const PHONE = { width: 390, height: 844 }
const WIDE = { width: 1000, height: 800 }

interface Cluster {
  chapter: ChapterCopy
  webserver: Running
  /** Where the page is. */
  address: string
  /** A window of its own: its pages share what a browser has for a site. */
  window(options?: BrowserContextOptions): Promise<BrowserContext>
  /** Opens the page in a window of its own. */
  open(options?: BrowserContextOptions): Promise<Page>
  /** What a page may never do: messages on the console, requests that fail. */
  problems: string[]
}

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: async ({ browser }, use) => {
    const chapter = await ChapterCopy.make('15-live-page')
    const problems: string[] = []
    const windows: BrowserContext[] = []
    const webserver = await chapter.run('webserver')
    await webserver.says(/Serving the page/)
    const address = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/`
    const window = async (options: BrowserContextOptions = {}) => {
      const context = await browser.newContext({ viewport: WIDE, ...options })
      windows.push(context)
      context.on('console', (message) => problems.push(message.text()))
      context.on('weberror', (error) => problems.push(String(error.error())))
      context.on('response', (response) => {
        if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
      })
      return context
    }
    await use({
      chapter,
      webserver,
      address,
      problems,
      window,
      async open(options) {
        const page = await (await window(options)).newPage()
        await page.goto(address)
        return page
      },
    })
    await Promise.all(windows.map((context) => context.close()))
    await chapter.remove()
  },
})

interface Row {
  id: string
  name: string
  state: string
}

/** The rows that a page shows of nodes that have told their name; and not of the web server, which is one, too. */
async function rowsOf(page: Page): Promise<Row[]> {
  const rows = await page.locator('#nodes tr').evaluateAll((rows) =>
    (rows as HTMLTableRowElement[]).map(({ id, cells: [name, state] }) => ({
      id,
      name: name?.textContent ?? '',
      state: state?.textContent ?? '',
    })),
  )
  return rows.filter(({ name }) => / #\d+$/.test(name))
}

/** Waits until these are the states of the nodes, in the order of their rows. */
async function shows(page: Page, ...states: RegExp[]): Promise<Row[]> {
  let rows: Row[] = []
  await expect
    .poll(async () => {
      rows = await rowsOf(page)
      return rows.map(({ state }) => state)
    }, PATIENCE)
    .toEqual(states.map((state) => expect.stringMatching(state)))
  return rows
}

const says = (page: Page, text: RegExp) =>
  expect.poll(() => page.locator('#master .state').textContent(), PATIENCE).toMatch(text)

const line = (page: Page) => page.locator('#line').textContent()

/** Marks a page, so that it shows when it has been loaded anew. */
const mark = (page: Page) => page.evaluate(() => Object.assign(window, { isMarked: true }))
const isMarked = (page: Page) => page.evaluate(() => 'isMarked' in window)

/** What a browser does with the page of a tab behind another. Without a screen it has none, and is told so. */
const setHidden = (page: Page, hidden: boolean) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: hidden })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)

/** How often a node that a test plays says something, in ms. */
const BEAT_MS = 2_000

/** For them to be silent after 7.5 s, and not sooner. */
const REAL_CLOCK = { env: { TUTORIAL_CLOCK_SPEED: '1' } }

/** Nodes that come, one after the other. */
async function join(port: number, count: number): Promise<void> {
  for (let client = 1; client <= count; client += 1) {
    const payload = { hostname: 'pi', client, cpu: 'Cortex-A72', cpu_cores: 4, ram: 4_294_967_296 }
    const hello = `${JSON.stringify({ type: 'computer_details', payload })}\r`
    const socket = connect({ port, host: '127.0.0.1' })
    const beat = setInterval(() => socket.write(hello), BEAT_MS)
    socket.on('error', () => {}) // the master has ended
    socket.on('close', () => clearInterval(beat))
    socket.resume().write(hello)
    await once(socket, 'connect')
  }
}

test('slaves come, die, come back and stand still, and the page shows it by itself', async ({
  cluster: { chapter, open, problems },
}) => {
  const page = await open()
  await mark(page)
  await says(page, /^The master has not been reached yet/)
  const master = await chapter.run('master')
  await says(page, /^The master is here/)
  const first = await chapter.run('slave')
  const [row] = await shows(page, /^here$/)
  const second = await chapter.run('slave')
  await shows(page, /^here$/, /^here$/)
  await first.stop('SIGKILL')
  await shows(page, /^gone, last heard at /, /^here$/)
  await expect.poll(() => page.locator('#count').textContent(), PATIENCE).toBe('Here: 2. Silent: 0. Gone: 1.')
  await chapter.run('slave')
  const [back, other] = await shows(page, /^here$/, /^here$/)
  expect(back?.id).toBe(row?.id)
  expect(back?.name).not.toBe(row?.name)

  second.signal('SIGSTOP')
  await shows(page, /^here$/, /^silent, last heard at /)
  await shows(page, /^here$/, /^gone, last heard at /)
  second.signal('SIGCONT')
  expect((await shows(page, /^here$/, /^here$/))[1]).toEqual(other)

  await master.stop('SIGKILL')
  await says(page, /^The master is gone\. This is what it answered at .* the nodes are those of then\./)
  await chapter.run('master')
  await says(page, /^The master is here/)
  const rows = await shows(page, /^here$/, /^here$/)
  expect(await isMarked(page)).toBe(true)
  expect(problems).toEqual([])

  const again = await open()
  expect(await shows(again, /^here$/, /^here$/)).toEqual(rows)
})

test('the page tells that the web server is gone, and heals when it is back, with what it has missed', async ({
  cluster: { chapter, webserver, open },
}) => {
  await chapter.run('master')
  const slave = await chapter.run('slave')
  const page = await open()
  await mark(page)
  await shows(page, /^here$/)
  expect(await line(page)).toBe('')
  await webserver.stop('SIGKILL')
  await expect
    .poll(() => line(page), PATIENCE)
    .toMatch(/^The web server is out of reach\. What stands here is of [\d:]+\./)
  await slave.stop('SIGKILL')
  expect(await rowsOf(page)).toMatchObject([{ state: 'here' }])
  await chapter.run('webserver')
  await shows(page, /^gone, last heard at /)
  await expect.poll(() => line(page), PATIENCE).toBe('')
  // Of the web server itself there is one row, as of a slave that comes back.
  await expect.poll(() => page.getByText('(webserver)').count(), PATIENCE).toBe(1)
  expect(await isMarked(page)).toBe(true)
})

test('a seventh tab works, since the six that nobody sees have given their connections back', async ({
  cluster: { chapter, window, address, problems },
}) => {
  await chapter.run('master')
  const browser = await window()
  const tabs: Page[] = []
  for (let count = 1; count <= 6; count += 1) {
    const tab = await browser.newPage()
    await tab.goto(address)
    await says(tab, /^The master is here/)
    tabs.push(tab)
  }
  const [first] = tabs as [Page]
  const seventh = await browser.newPage()
  let isThere = false
  void seventh.goto(address).then(
    () => {
      isThere = true
    },
    () => {}, // the test has ended
  )
  // All that a browser has for a site is in use, as long as all six are seen: what they show is still news.
  await chapter.run('slave')
  await shows(first, /^here$/)
  expect(isThere).toBe(false)
  for (const tab of tabs) await setHidden(tab, true)
  await expect.poll(() => isThere, PATIENCE).toBe(true)
  await shows(seventh, /^here$/)
  const slave = await chapter.run('slave')
  await shows(seventh, /^here$/, /^here$/)
  expect(await rowsOf(first)).toHaveLength(1)

  // Whoever looks at a tab again sees what it has missed.
  await setHidden(seventh, true)
  await setHidden(first, false)
  await shows(first, /^here$/, /^here$/)
  await slave.stop('SIGKILL')
  await shows(first, /^here$/, /^gone/)
  expect(problems).toEqual([])
})

test('a hundred nodes come, and who hears the page is told once a second how many there are', async ({
  cluster: { chapter, open, problems },
}) => {
  await chapter.run('master', REAL_CLOCK)
  const page = await open()
  await says(page, /^The master is here/)
  await page.evaluate(() => {
    const told: [time: number, text: string | null][] = []
    for (const part of document.querySelectorAll('[role=status]'))
      new MutationObserver(() => told.push([performance.now(), part.textContent])).observe(part, {
        childList: true,
        characterData: true,
        subtree: true,
      })
    Object.assign(window, { told })
  })
  await join(chapter.port, 100)
  await expect.poll(() => page.locator('#nodes tr').count(), PATIENCE).toBe(101)
  await expect
    .poll(() => page.locator('#count').textContent(), PATIENCE)
    .toBe('Here: 101. Silent: 0. Gone: 0.')
  const told = await page.evaluate(() => (window as unknown as { told: [number, string][] }).told)
  expect(told.at(-1)?.[1]).toBe('Here: 101. Silent: 0. Gone: 0.')
  // The first is told at once, and each other a second after the one before. A browser's clocks differ by some ms.
  const gaps = told.slice(1).map(([time], index) => time - (told[index]?.[0] ?? 0))
  expect(gaps.filter((gap) => gap < 950)).toEqual([])
  expect(problems).toEqual([])
})

test('axe finds nothing in any state, light and dark, wide and on a phone, where only the table moves sideways', async ({
  cluster: { chapter, webserver, open, problems },
}) => {
  const page = await open()
  const check = async (state: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const size of [WIDE, PHONE]) {
        await page.setViewportSize(size)
        const where = `${state}, ${colorScheme}, ${size.width}`
        expect(await violations(page), where).toEqual([])
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        expect(width, where).toBeLessThanOrEqual(size.width)
      }
    }
  }
  await says(page, /^The master has not been reached yet/)
  await check('nobody is here')
  const master = await chapter.run('master', REAL_CLOCK)
  await join(chapter.port, 3)
  const slave = await chapter.run('slave')
  await shows(page, /here/, /here/, /here/, /here/)
  await slave.stop('SIGKILL')
  await shows(page, /here/, /here/, /here/, /gone/)
  await check('nodes are here and gone')

  // The table is reached by the keyboard, and moved by it.
  const table = page.getByRole('region', { name: 'The nodes' })
  const isReached = () => table.evaluate((element) => element === document.activeElement)
  for (let tabs = 0; tabs < 10 && !(await isReached()); tabs += 1) await page.keyboard.press('Tab')
  expect(await isReached()).toBe(true)
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => table.evaluate((element) => element.scrollLeft), PATIENCE).toBeGreaterThan(0)

  expect(problems).toEqual([])
  await master.stop('SIGKILL')
  await says(page, /^The master is gone/)
  await webserver.stop('SIGKILL')
  await expect.poll(() => line(page), PATIENCE).toMatch(/out of reach/)
  await check('all are gone')
})

test('without JavaScript the page shows all that there is, and offers to look again', async ({
  cluster: { chapter, open, problems },
}) => {
  await chapter.run('master')
  await chapter.run('slave')
  const page = await open({ javaScriptEnabled: false, viewport: PHONE })
  await expect
    .poll(async () => {
      await page.getByRole('link', { name: 'Look again' }).click()
      return page.locator('.state').allInnerTexts()
    }, PATIENCE)
    .toEqual([expect.stringMatching(/^The master is here/), 'here', 'here'])
  expect(await page.locator('#count').textContent()).toBe('Here: 2. Silent: 0. Gone: 0.')
  const script = await open()
  await shows(script, /^here$/)
  expect(await script.getByRole('link', { name: 'Look again' }).count()).toBe(0)
  expect(problems).toEqual([])
})
