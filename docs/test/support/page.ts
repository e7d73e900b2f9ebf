/** vitest's `test`, with a page of a real browser, and with what the site has. */
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { expect, inject } from 'vitest'
import { test as browserTest } from './browser.ts'
import type { Site } from './built-sites.ts'

/** The built sites: one for `/`, one for `/x/`. */
export const sites = inject('sites')

/** The one whose addresses go wrong wherever something has forgotten the base. */
export const siteBelow = sites.find(({ base }) => base !== '/') as Site

/** Wide enough for everything that stands side by side. */
const WIDE = { width: 1440, height: 900 }

/** The views of a chapter beside its text, as an address asks for them. */
const VIEWS = ['?view=code', '?view=changes', '?view=run', '?view=live']

/** Every page that was built and every view of a chapter, below the base: `chapters/03-sockets/?view=code`. */
export const addresses = readdirSync(siteBelow.folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => /(^|\/)index\.html$/.test(file))
  .map((file) => file.replace(/index\.html$/, ''))
  .sort()
  .flatMap((address) => [address, ...(isChapter(address) ? VIEWS.map((view) => address + view) : [])])

/** Those of a list that stand for all: the first, which often has less than the others, and the last, which has the most. */
export function firstAndLast<One>(all: readonly One[]): One[] {
  return all.filter((_, index) => index === 0 || index === all.length - 1)
}

/** Sets of pages that are of one kind, and grow with the series. */
const KINDS = [/^chapters\//, /^core\/[^/]+\/$/]

/** The addresses of each kind of page: all, but of pages that are made alike only the first and the last. */
export const kinds = addresses.filter((address) => {
  const kind = KINDS.find((one) => one.test(address))
  const path = address.replace(/\?.*/, '')
  const alike = addresses.filter((other) => kind?.test(other) && !other.includes('?'))
  return !kind || firstAndLast(alike).includes(path)
})

function isChapter(address: string): boolean {
  return dirname(address) === 'chapters'
}

/** Opens the browser windows of a test: each is a reader of their own, who has not been here before. */
export class Readers {
  readonly #browser: Browser
  readonly #contexts: BrowserContext[] = []
  /** What no page may ever do: messages on the console, requests that fail or go elsewhere. */
  readonly problems: string[] = []
  /** What a test does on purpose. */
  readonly #excused: RegExp[] = []
  /** Requests without an answer. */
  #pending = 0

  constructor(browser: Browser) {
    this.#browser = browser
  }

  /**
   * A new page, whose relative addresses count from the site's base. The browser keeps nothing for offline
   * unless `offline` is set: what is asked of the server would not be seen otherwise.
   */
  async open(
    site: Site,
    { offline = false, ...options }: BrowserContextOptions & { offline?: boolean } = {},
  ): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: WIDE, baseURL: site.url, ...options })
    this.#contexts.push(context)
    // As in a browser that has no service workers.
    if (!offline)
      await context.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'serviceWorker'))
    this.#watch(context, site)
    return context.newPage()
  }

  #watch(context: BrowserContext, { url }: Site) {
    context.on('console', (message) => {
      if (/error|warning|assert/.test(message.type()))
        this.problems.push(`${message.type()}: ${message.text()} (${message.location().url})`)
    })
    context.on('weberror', (error) => this.problems.push(`not caught: ${error.error().stack}`))
    context.on('request', (request) => {
      this.#pending++
      // What the page carries in itself is asked of nobody.
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url))
        this.problems.push(`asks for ${request.url()}, which is not of the site`)
    })
    context.on('requestfinished', () => this.#pending--)
    context.on('requestfailed', (request) => {
      this.#pending--
      // A page that is left asks for nothing more.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED')
        this.problems.push(`${request.url()} failed: ${request.failure()?.errorText}`)
    })
    context.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.url()} gave ${response.status()}`)
    })
  }

  /** Waits until everything that was asked for has come, or has failed. */
  async whenAnswered(): Promise<void> {
    await expect.poll(() => this.#pending).toBe(0)
  }

  /** Takes a problem for none, since the test has made it. */
  excuse(problem: RegExp): void {
    this.#excused.push(problem)
  }

  /** What has gone wrong by now, and not on purpose. */
  get complaints(): string[] {
    return this.problems.filter((problem) => !this.#excused.some((excused) => excused.test(problem)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#contexts.map((context) => context.close()))
  }
}

/** A test with pages. It fails, whatever else it checks, when one of them logged an error or asked for what is not the site's. */
export const test = browserTest.extend<{
  $test: { readers: Readers; page: Page }
}>({
  readers: async ({ browser }, use) => {
    const readers = new Readers(browser)
    await use(readers)
    await readers.close()
    expect(readers.complaints).toEqual([])
  },
  page: async ({ readers }, use) => use(await readers.open(siteBelow)),
})

/** Waits until a page shows all that its address asks for. */
async function whenShown(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const isAlive = '__vue_app__' in (document.querySelector('#app') ?? {})
    const chapter = document.querySelector<HTMLElement>('.chapter-page')
    const asked = new URLSearchParams(location.search).get('view') ?? 'read'
    const isLoading = [...document.querySelectorAll('[role=status]')].some(
      (one) => /^Loading/.test(one.textContent) && one.checkVisibility(),
    )
    const player = document.querySelector('[data-testid=player]')
    return (
      isAlive &&
      (!chapter || chapter.dataset['view'] === asked) &&
      !isLoading &&
      (!player || player.querySelector('.ap-line')?.textContent)
    )
  })
}

/** Opens an address of the site, and waits until the page shows all of it. */
export async function visit(page: Page, address: string): Promise<void> {
  await page.goto(address)
  await whenShown(page)
}
