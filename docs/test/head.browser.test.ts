/** What pages say of themselves to search engines and networks, and what a built site has for them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect } from 'vitest'
import { ADDRESS, type Site } from './support/built-sites.ts'
import { addresses, siteBelow, sites, test, visit } from './support/page.ts'

const DOCS = join(import.meta.dirname, '..')

const pages = addresses.filter((address) => !address.includes('?'))

/** The one that was built without an address. */
const nowhere = sites.find(({ base }) => base === '/') as Site

test('each page has a title and a description that no other has, and its own canonical address', () => {
  const heads = pages.map((address) => ({ address, ...headOf(siteBelow, address) }))
  for (const { address, canonical, meta } of heads) {
    expect(canonical, address).toBe(ADDRESS + address)
    expect(meta['og:url'], address).toBe(canonical)
    expect(meta['og:description'], address).toBe(meta['description'])
    expect(meta['description']?.length, address).toBeGreaterThan(20)
    expect(meta['description']?.length, address).toBeLessThanOrEqual(200)
  }
  const twice = (values: (string | undefined)[]) => values.filter((one, at) => values.indexOf(one) !== at)
  expect(twice(heads.map(({ title }) => title))).toEqual([])
  expect(twice(heads.map(({ meta }) => meta['description']))).toEqual([])
})

test('each page has a card, of 1200 by 630 pixels, and a chapter has one of its own', () => {
  const cards = pages.map((address) => {
    const { meta } = headOf(siteBelow, address)
    expect(meta['twitter:card'], address).toBe('summary_large_image')
    const card = String(meta['og:image'])
    expect(card.startsWith(ADDRESS), `${address} has ${card}`).toBe(true)
    const png = readFileSync(join(siteBelow.folder, card.slice(ADDRESS.length)))
    expect(png.subarray(1, 4).toString(), card).toBe('PNG')
    const size = { width: png.readUInt32BE(16), height: png.readUInt32BE(20) }
    expect(size).toEqual({ width: Number(meta['og:image:width']), height: Number(meta['og:image:height']) })
    expect(size).toEqual({ width: 1200, height: 630 })
    return { address, card, png }
  })
  const chapters = cards.filter(({ address }) => address.startsWith('chapters/'))
  const drawn = new Set(chapters.map(({ png }) => png.toString('base64')))
  expect(drawn.size).toBe(chapters.length)
  expect(new Set(cards.map(({ card }) => card)).size).toBe(chapters.length + 1)
})

test('the sitemap has every page and nothing else, and robots.txt leads to it', () => {
  const sitemap = readFileSync(join(siteBelow.folder, 'sitemap.xml'), 'utf8')
  const listed = [...sitemap.matchAll(/<loc>(.*?)<\/loc>/g)].map(([, address]) => address)
  expect(listed.toSorted()).toEqual(pages.map((address) => ADDRESS + address).toSorted())
  expect(readFileSync(join(siteBelow.folder, 'robots.txt'), 'utf8')).toBe(
    `User-agent: *\nAllow: /\nSitemap: ${ADDRESS}sitemap.xml\n`,
  )
})

test('a site that was built without an address invents none', () => {
  for (const address of pages) {
    const { canonical, meta } = headOf(nowhere, address)
    expect(canonical, address).toBeUndefined()
    expect(Object.keys(meta).filter((name) => /image|url|twitter/.test(name))).toEqual([])
    expect(meta['og:title'], address).not.toBe('')
  }
  expect(existsSync(join(nowhere.folder, 'sitemap.xml'))).toBe(false)
  expect(readFileSync(join(nowhere.folder, 'robots.txt'), 'utf8')).toBe('User-agent: *\nAllow: /\n')
})

test('the icons are there', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/')
  const icons = page.locator('link[rel=icon], link[rel=apple-touch-icon]')
  const types = await icons.evaluateAll((links) =>
    Promise.all(
      links.map(async (link) => (await fetch((link as HTMLLinkElement).href)).headers.get('content-type')),
    ),
  )
  expect(types).toEqual(['image/svg+xml', 'image/png'])
})

test('each view of a chapter has a title and a description of its own', async ({ page }) => {
  await visit(page, 'chapters/03-sockets/')
  const text = await says()
  expect(text.title).toBe('03: Sockets | Raspberry Pi cluster')
  const seen = [text]
  for (const view of ['Code', 'Changes', 'Run']) {
    await page.getByRole('tab', { name: view }).click()
    await expect
      .poll(async () => (await says()).title)
      .toBe(`03: Sockets, ${view.toLowerCase()} | Raspberry Pi cluster`)
    seen.push(await says())
  }
  expect(new Set(seen.map(({ description }) => description)).size).toBe(4)
  // Its address alone is enough, and so is the way back.
  await visit(page, 'chapters/04-config/?view=changes')
  expect((await says()).title).toBe('04: Configuration files, changes | Raspberry Pi cluster')
  await page.getByRole('tab', { name: 'Read' }).click()
  await expect.poll(async () => (await says()).title).toBe('04: Configuration files | Raspberry Pi cluster')

  function says() {
    return page.evaluate(() => ({
      title: document.title,
      description: document.querySelector('meta[name=description]')?.getAttribute('content'),
    }))
  }
})

test.for(['cluster.example', 'ftp://cluster.example/', 'https://cluster.example/?x=1'])(
  'SITE_ADDRESS=%s is refused, with what it is to be',
  async (address) => {
    const { exitCode, stderr } = await run("import('./src/site-address.ts')", address)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(
      `SITE_ADDRESS is "${address}". It is to be the address of the site's first page, such as https://example.org/cluster/`,
    )
  },
)

test('SITE_ADDRESS does without its last slash, and does not go with another base', async () => {
  const { stdout } = await run(
    "import('./src/site-address.ts').then(({ SITE_ADDRESS }) => console.log(SITE_ADDRESS.href))",
    'https://cluster.example/x',
  )
  expect(stdout).toBe('https://cluster.example/x/')
  const { exitCode, stderr } = await run(
    `import('./src/head.ts').then(({ describePage }) => describePage(
      { title: 'A', description: 'B', filePath: 'docs/glossary.md', relativePath: 'glossary/index.md', frontmatter: {} },
      { siteConfig: { site: { title: 'C', description: 'D', base: '/y/' } } }))`,
    ADDRESS,
  )
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`SITE_ADDRESS is ${ADDRESS}, and --base is /y/`)
})

function run(code: string, address: string) {
  const args = ['--import', 'tsx', '--eval', code]
  return execa(process.execPath, args, { cwd: DOCS, env: { SITE_ADDRESS: address }, reject: false })
}

/** What stands in the head of a built page. */
function headOf({ folder }: Site, address: string) {
  const html = readFileSync(join(folder, address, 'index.html'), 'utf8')
  const head = html.slice(0, html.indexOf('</head>'))
  const metas = head.matchAll(/<meta (?:name|property)="([^"]+)" content="([^"]*)"/g)
  return {
    title: /<title>(.*?)<\/title>/.exec(head)?.[1],
    canonical: /<link rel="canonical" href="([^"]*)"/.exec(head)?.[1],
    meta: Object.fromEntries([...metas].map(([, name, content]) => [name, content])) as Record<
      string,
      string
    >,
  }
}
