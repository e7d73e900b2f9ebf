/** Every page of the built site: it loads without a complaint, and its links lead somewhere. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import type { Site } from './support/built-sites.ts'
import { addresses, kinds, type Readers, siteBelow, sites, test, visit } from './support/page.ts'

/** How many pages one test opens, one after the other in one window: a window for each would take longer than they do. */
const A_TEST = 40

/** Time for so many on a busy machine, in ms. */
const TIMEOUT = 300_000

interface Visited {
  /** Where its links lead, with `#` and all. */
  links: string[]
  ids: string[]
}

const visited = new Map<string, Visited>()

// In the one where a forgotten base shows, every page; in the other, every kind.
describe.each(sites)('below $base', (site) => {
  const all = site === siteBelow ? addresses : kinds
  const turns = Array.from({ length: Math.ceil(all.length / A_TEST) }, (_, index) =>
    all.slice(index * A_TEST, (index + 1) * A_TEST),
  )

  test.for(turns.map((some) => ({ some, first: some[0], last: some.at(-1) })))(
    'the pages from /$first to /$last load, and complain of nothing',
    { timeout: TIMEOUT },
    async ({ some }, { readers }) => {
      const page = await readers.open(site)
      const wrong: string[] = []
      for (const address of some) wrong.push(...(await wrongWith(page, address, site, readers)))
      expect(wrong).toEqual([])
    },
  )

  // VitePress writes every link with its base.
  test('every link of the files leads to a file', () => {
    const dead: string[] = []
    let count = 0
    for (const address of addresses.filter((one) => !one.includes('?'))) {
      const html = readFileSync(join(site.folder, address, 'index.html'), 'utf8')
      for (const [, href = ''] of html.matchAll(/<a [^>]*?href="([^"#?]+)/g)) {
        if (/^[a-z]+:/.test(href)) continue
        count += 1
        if (!leadsToFile(new URL(href, site.url + address).pathname, site)) dead.push(`/${address}: ${href}`)
      }
    }
    expect(dead).toEqual([])
    expect(count).toBeGreaterThan(addresses.length)
  })
})

test('every link leads to a place on its page', () => {
  const dead: string[] = []
  let count = 0
  expect([...visited.keys()].toSorted()).toEqual(addresses.toSorted())
  for (const [address, { links }] of visited) {
    for (const link of links) {
      const { origin, pathname, search, hash } = new URL(link)
      if (origin !== new URL(siteBelow.url).origin) continue
      count += 1
      if (!leadsToFile(pathname, siteBelow)) {
        dead.push(`${address} has a link to ${link}, which is not there`)
        continue
      }
      const target = pathname.slice(siteBelow.base.length)
      // A comparison is known by the page it is made on.
      const page = visited.get(target + search) ?? visited.get(target)
      const id = decodeURIComponent(hash.slice(1))
      if (id && !page?.ids.includes(id))
        dead.push(`${address} has a link to ${link}, a page that has no #${id}`)
    }
  }
  expect(dead).toEqual([])
  expect(count).toBeGreaterThan(addresses.length)
})

function leadsToFile(pathname: string, { base, folder }: Site): boolean {
  const target = pathname.slice(base.length)
  const file = join(folder, decodeURIComponent(target).replace(/(^|\/)$/, '$1index.html'))
  return pathname.startsWith(base) && existsSync(file)
}

/** Opens a page, and notes what it has. What is wrong with it, if something is. */
async function wrongWith(page: Page, address: string, site: Site, readers: Readers): Promise<string[]> {
  const before = readers.problems.length
  await visit(page, address)
  await readers.whenAnswered()
  const { title, heading, ...seen } = await page.evaluate(() => ({
    title: document.title,
    heading: [...document.querySelectorAll('h1')].find((one) => one.checkVisibility())?.textContent ?? '',
    links: [...document.querySelectorAll('a')].map(({ href }) => href).filter((href) => /^http/.test(href)),
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
  }))
  if (site === siteBelow) visited.set(address, seen)
  return [
    ...readers.problems.slice(before),
    ...(title.includes('Raspberry Pi cluster') ? [] : [`its title is "${title}"`]),
    ...(heading === '' ? ['it has no heading'] : []),
  ].map((problem) => `/${address}: ${problem}`)
}
