/** Every page of the built site: it loads without a complaint, and its links lead somewhere. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import type { Site } from './support/built-sites.ts'
import { addresses, type Readers, sites, test, visit } from './support/page.ts'

interface Visited {
  title: string
  heading: string
  /** Where its links lead, with `#` and all. */
  links: string[]
  ids: string[]
}

describe.each(sites)('below $base', (site) => {
  const visited = new Map<string, Promise<Visited>>()

  const look = (address: string, readers: Readers) => {
    const known = visited.get(address) ?? lookAt(address, site, readers)
    visited.set(address, known)
    return known
  }

  test.for(addresses)(
    '/%s loads, complains of nothing, and asks for nothing that is not of the site',
    async (address, { readers }) => {
      const { title, heading } = await look(address, readers)
      expect(title).toContain('Raspberry Pi cluster')
      expect(heading).not.toBe('')
    },
  )

  test('every link leads to a page and a place on it', { timeout: 300_000 }, async ({ readers }) => {
    const dead: string[] = []
    let count = 0
    for (const address of addresses) {
      for (const link of (await look(address, readers)).links) {
        const { origin, pathname, search, hash } = new URL(link)
        if (origin !== new URL(site.url).origin) continue
        count += 1
        const target = pathname.slice(site.base.length)
        const file = join(site.folder, decodeURIComponent(target).replace(/(^|\/)$/, '$1index.html'))
        if (!pathname.startsWith(site.base) || !existsSync(file)) {
          dead.push(`${address} has a link to ${link}, which is not there`)
          continue
        }
        // A comparison is known by the page it is made on.
        const page = addresses.includes(target + search) ? target + search : target
        const id = decodeURIComponent(hash.slice(1))
        if (id && !(await look(page, readers)).ids.includes(id))
          dead.push(`${address} has a link to ${link}, a page that has no #${id}`)
      }
    }
    expect(dead).toEqual([])
    expect(count).toBeGreaterThan(addresses.length)
  })
})

async function lookAt(address: string, site: Site, readers: Readers): Promise<Visited> {
  const page = await readers.open(site)
  await visit(page, address)
  await readers.whenAnswered()
  const seen = await page.evaluate(() => ({
    title: document.title,
    heading: [...document.querySelectorAll('h1')].find((one) => one.checkVisibility())?.textContent ?? '',
    links: [...document.querySelectorAll('a')].map(({ href }) => href).filter((href) => /^http/.test(href)),
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
  }))
  await page.close()
  return seen
}
