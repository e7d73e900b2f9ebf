/**
 * What a page says of itself to search engines, and to whoever is sent a link to it: title, description, canonical
 * address, and its card, with a picture.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { twoDigits } from '@rpi-cluster/tutorial/chapters/parts'
import { readReadme } from '@rpi-cluster/tutorial/texts/readme'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import { toString as textOf } from 'mdast-util-to-string'
import type { HeadConfig, PageData, SiteConfig, SiteData } from 'vitepress'
import { CARD, cardOf, writeCards, writeIcons } from './cards.ts'
import { moduleInShort } from './core-pages.ts'
import { chapterOf, moduleOf, neighboursOf } from './pages.ts'
import { SITE_ADDRESS } from './site-address.ts'

/** The longest description, in characters: search engines show no more. */
const LONGEST = 200

/** Titles of pages whose heading is that of another page, too. */
const TITLES: Record<string, string> = {
  'README.md': 'Start',
  'packages/core/CHANGELOG.md': 'Changelog of the core',
}

/** For VitePress's `transformPageData`. */
export function describePage(page: PageData, { siteConfig }: { siteConfig: SiteConfig }): Partial<PageData> {
  const title = titleOf(page)
  const description = descriptionOf(page) || siteConfig.site.description
  const head = [...((page.frontmatter['head'] as HeadConfig[] | undefined) ?? [])]
  const add = (property: string, content: string) => head.push(['meta', { property, content }])
  add('og:site_name', siteConfig.site.title)
  add('og:type', chapterOf(page.filePath) ? 'article' : 'website')
  add('og:title', title)
  add('og:description', description)
  if (SITE_ADDRESS) {
    checkBase(SITE_ADDRESS, siteConfig.site.base)
    const address = new URL(page.relativePath.replace(/(^|\/)index\.md$/, '$1'), SITE_ADDRESS).href
    head.push(['link', { rel: 'canonical', href: address }])
    add('og:url', address)
    const card = cardOf(page.filePath)
    add('og:image', new URL(card.file, SITE_ADDRESS).href)
    add('og:image:width', String(CARD.width))
    add('og:image:height', String(CARD.height))
    add('og:image:alt', card.alt)
    head.push(['meta', { name: 'twitter:card', content: 'summary_large_image' }])
  }
  return { title, description, frontmatter: { ...neighboursOf(page.filePath), ...page.frontmatter, head } }
}

/** The icon, below the base that a site is built for. For VitePress's `transformHead`. */
export function iconLinks({ siteData: { base } }: { siteData: SiteData }): HeadConfig[] {
  return [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }],
    ['link', { rel: 'apple-touch-icon', href: `${base}apple-touch-icon.png` }],
  ]
}

/**
 * Writes into a built site what search engines, networks and telephones ask for.
 *
 * @param folder the built site: its absolute path
 */
export async function writeForOthers(
  folder: string,
  site: { title: string; description: string },
): Promise<void> {
  await writeIcons(folder)
  const sitemap = SITE_ADDRESS && `Sitemap: ${new URL('sitemap.xml', SITE_ADDRESS).href}\n`
  writeFileSync(join(folder, 'robots.txt'), `User-agent: *\nAllow: /\n${sitemap ?? ''}`)
  if (SITE_ADDRESS) await writeCards(folder, site)
}

/** @throws Error when pages would be built for another place than the address names */
function checkBase(address: URL, base: string) {
  if (address.pathname === base) return
  throw new Error(
    `SITE_ADDRESS is ${address.href}, and --base is ${base}: its pages would lead elsewhere. SITE_ADDRESS alone is enough.`,
  )
}

function titleOf({ title, filePath }: PageData): string {
  const own = TITLES[filePath]
  if (own) return own
  return moduleOf(filePath) ? `${title}, a module of the core` : title
}

/** What a page is about, in a sentence or two, as plain text. */
function descriptionOf({ description, filePath }: PageData): string {
  if (description) return description
  const chapter = allChapters().find(({ name }) => name === chapterOf(filePath))
  if (chapter) {
    return `${chapter.teaches}. Chapter ${twoDigits(chapter.number)} of a cluster in TypeScript: to read, to run, and to change.`
  }
  const module = moduleOf(filePath)
  const source = join(ROOT, 'packages/core/src', `${module}.ts`)
  if (module && existsSync(source))
    return shortened(
      `${module} of @rpi-cluster/core: ${moduleInShort(readFileSync(source, 'utf8')).replaceAll('`', '')}`,
    )
  const paragraph = readReadme(filePath).tree.children.find(({ type }) => type === 'paragraph')
  return paragraph ? shortened(textOf(paragraph).replace(/\s+/g, ' ').trim()) : ''
}

/** Words to the end of a sentence, or of a word. */
function shortened(words: string): string {
  if (words.length <= LONGEST) return words
  const sentences = /^.{60,}[.:](?= )/.exec(words.slice(0, LONGEST))?.[0]
  return sentences?.replace(/:$/, '.') ?? `${words.slice(0, LONGEST - 1).replace(/\s\S*$/, '')}…`
}
